"""Orders without end, drawn from those of a file, so that a demo goes on after it. Pure.

Most are completed. A few per cent end badly, each for a reason that the console shows.
"""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Literal

import msgspec
from msgspec.structs import replace

from app.local.importers.file_content import LoadError
from app.local.importers.receipts import Item, Receipt
from app.local.importers.retail_file import PlaceOrder, Plan
from workflows.inventory.topics import warehouse
from workflows.shared.personal import Personal

Ending = Literal["completed", "declined", "out of stock", "fraud", "returned"]

SHARES: dict[Ending, float] = {
    "declined": 0.03,
    "out of stock": 0.02,
    "fraud": 0.02,
    "returned": 0.04,
}
LINES_MAX = 4
"""The first lines of an order: with all, of which some have hundreds, an hour takes gigabytes."""
CUSTOMERS = 5_000
"""So many that nobody pays more than four times in five minutes, which would be fraud."""
DEAR_MINOR = 850_000
"""Above what the built-in rules let anybody pay at once."""
SOLD_OUT = "SOLD-OUT"
"""An article of which nothing is ever received."""
POISON_TOPIC, POISON = warehouse.name, b"a message that nobody can read"
"""It becomes the dead letter that waits for an operator."""
DECLINED, CHARGED = "pm_card_chargeDeclined", "pm_card_visa"


class DrawnOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order, how it is paid, the stock to receive before it, and the ending it is made for."""

    order: PlaceOrder
    payment_method: Personal[str]
    receipt: Receipt
    """Without items where nothing is received."""
    ending: Ending


def draw(plan: Plan, seed: int) -> Iterator[DrawnOrder]:
    """Yield orders for ever; the same plan and seed give the same ones. Raises LoadError."""
    orders = [ask for ask in plan.asks if isinstance(ask, PlaceOrder) and ask.lines]
    if not orders:
        raise LoadError("the file has no order of items to draw further ones from")
    random = Random(f"orders without end {seed}")  # noqa: S311  a seed has to replay
    for number in count(1):
        yield _draw(random.choice(orders), number, seed, random)


def _draw(order: PlaceOrder, number: int, seed: int, random: Random) -> DrawnOrder:
    ending = _ending(random.random())
    first, *rest = order.lines[:LINES_MAX]
    if ending == "out of stock":
        first = replace(first, sku=SOLD_OUT)
    elif ending == "fraud":
        first = replace(first, amount_minor=DEAR_MINOR)
    new_order = replace(
        order,
        reference=f"{order.reference}-{seed}-{number}",
        customer_id=f"demo-{random.randrange(CUSTOMERS)}",
        lines=(first, *rest),
    )
    lines = (line for line in new_order.lines if line.sku != SOLD_OUT)
    items = tuple(Item(sku=line.sku, quantity=line.quantity) for line in lines)
    return DrawnOrder(
        order=new_order,
        payment_method=DECLINED if ending == "declined" else CHARGED,
        receipt=Receipt(receipt_id=f"demo-{seed}-{number}", items=items),
        ending=ending,
    )


def _ending(fraction: float) -> Ending:
    for ending, share in SHARES.items():
        if fraction < share:
            return ending
        fraction -= share
    return "completed"
