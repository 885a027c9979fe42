"""The stock that is received for a file, under ids made of what the file asks.

The same orders in another encoding are the same receipts; another file has receipts of its own.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from app.local.importers.retail_file import Adjust, Ask, PlaceOrder, Plan
from workflows.shared.limits import QUANTITY_MAX
from workflows.shared.naming import joined

ITEMS_MAX = 500
STOCK_PERCENT = 99.6
"""How much of what the file sells is received: six in a hundred of its orders are out of stock."""
UNITS_MAX = 100 * QUANTITY_MAX
"""Units of one SKU for one file: a shelf remembers some hundreds of receipts."""
DIGEST_WIDTH = 32
FIRST_ORDERS = 50
"""Orders whose stock is received before the first is placed: they want a fifth of the SKUs of the
published file."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one SKU."""

    sku: str
    quantity: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /stock/receipts`."""

    receipt_id: str
    items: tuple[Item, ...]


CountedAs = frozenset[tuple[str, str]]
"""The names by which a shelf may have counted one item, each with its SKU."""


def counted_as(receipt: Receipt, answer: Mapping[str, object]) -> list[CountedAs]:
    """Return the names of each item: what the API calls it, and what versions before called it.

    What a file had received by the name of before is not received again.
    """
    ids = answer.get("ids")
    item_names: list[CountedAs] = []
    for at, item in enumerate(receipt.items):
        own = ids[at] if isinstance(ids, list) and at < len(ids) else ""
        names = (own, joined(receipt.receipt_id, item.sku))
        item_names.append(frozenset((item.sku, f"receipt/{name}") for name in names if name))
    return item_names


def receipts_of(plan: Plan, stock_percent: float = STOCK_PERCENT) -> list[Receipt]:
    """Return the receipts of nearly all that the orders want, each SKU once in a receipt."""
    name = f"file-{_digest(plan)}"
    chunks = [
        items[at : at + ITEMS_MAX]
        for items in _parts(plan, stock_percent)
        for at in range(0, len(items), ITEMS_MAX)
    ]
    return [
        Receipt(receipt_id=f"{name}-{number}", items=tuple(chunk))
        for number, chunk in enumerate(chunks)
    ]


def needs(ask: Ask) -> frozenset[str]:
    """Return the SKUs whose stock has to be on hand before this is asked."""
    match ask:
        case PlaceOrder(lines=lines):
            return frozenset(line.sku for line in lines)
        case Adjust(sku=sku):
            return frozenset({sku})
        case _:
            return frozenset()


def divided(
    receipts: Sequence[Receipt], plan: Plan, first_orders: int = FIRST_ORDERS
) -> tuple[list[Receipt], list[Receipt]]:
    """Return what the plan needs up to the order of that number, and what it needs later.

    Each item is under the id of its receipt: divided or whole, it is received once.
    """
    orders = [at for at, ask in enumerate(plan.asks) if isinstance(ask, PlaceOrder)]
    end = orders[first_orders] if len(orders) > first_orders else len(plan.asks)
    needed = {sku for ask in plan.asks[:end] for sku in needs(ask)}
    first = [_share(receipt, lambda sku: sku in needed) for receipt in receipts]
    later = [_share(receipt, lambda sku: sku not in needed) for receipt in receipts]
    return [each for each in first if each.items], [each for each in later if each.items]


def _share(receipt: Receipt, is_kept: Callable[[str], bool]) -> Receipt:
    items = tuple(item for item in receipt.items if is_kept(item.sku))
    return replace(receipt, items=items)


def _parts(plan: Plan, stock_percent: float) -> Iterator[list[Item]]:
    """Yield all SKUs, then what is left of those with more units than one receipt can say."""
    left = {
        sku: min(math.ceil(units * stock_percent / 100), UNITS_MAX)
        for sku, units in sorted(plan.sold_units.items())
    }
    while left:
        yield [Item(sku=sku, quantity=min(units, QUANTITY_MAX)) for sku, units in left.items()]
        left = {sku: units - QUANTITY_MAX for sku, units in left.items() if units > QUANTITY_MAX}


def _digest(plan: Plan) -> str:
    """Return what the orders ask as a number, without their lines in the file."""
    digest = hashlib.sha256()
    for ask in plan.asks:
        if isinstance(ask, PlaceOrder):
            digest.update(msgspec.json.encode(replace(ask, rows=0, file_lines=())))
    return digest.hexdigest()[:DIGEST_WIDTH]
