"""Orders that ship in part, on the real gateway and the real simulator of the provider.

Each is also played with a kill of a service that moves it at chosen checkpoints: once with the
restart at once, once 25 hours later, when the provider has forgotten all keys.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulation.provider_world import Course, provider_world
from tests.support.simulation.world import CHECKPOINTS, World
from workflows.inventory.stock_messages import ReceiveStock
from workflows.ledger.messages import EntryPosted
from workflows.notification.messages import SendMessage
from workflows.order.messages import Charge, Line, OrderPlaced
from workflows.order.saga_messages import OrderCancelled, OrderCompleted
from workflows.payment.messages import PaymentCompleted, PaymentRefunded
from workflows.shared.money import money

LINES = (
    Line(sku="tea", quantity=2, amount_minor=7_000),
    Line(sku="cup", quantity=1, amount_minor=3_010),
)
POSTAGE = Charge(code="POST", amount_minor=500)
DISCOUNT = Charge(code="D", amount_minor=-1_010)
TOTAL_MINOR = 9_500
DUE_MINOR = {"GBP": 6_794, "JPY": 6_794, "KWD": 6_790}
"""What is charged for the tea alone: 70.00 less 7.06 discount, and 5.00 postage."""
COURSES = tuple(
    (
        Course(name=f"{capture} {currency}", card="pm_card_visa", end="completed", capture=capture),
        currency,
    )
    for capture in ("automatic", "at_shipment")
    for currency in DUE_MINOR
)
KILLED = [
    (name, at)
    for name in ("payment", "inventory", "shipping", "provider", "ledger", "order")
    for at in dict.fromkeys(CHECKPOINTS)
]
KILLS = int(os.environ.get("KILLS", "2"))
ROWS = [pytest.param(*each, number, id=each[0].name) for number, each in enumerate(COURSES)]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for all: starting one costs more than a course."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def play(  # noqa: PLR0913  what, where, and what kills it
    each: Course,
    currency: str,
    folder: Path,
    loop: asyncio.AbstractEventLoop,
    kill: tuple[str, str] = ("", ""),
    gap_hours: int = 0,
) -> str:
    """Play an order to its end; return how it ended, once the books agree."""
    with provider_world(each, folder, loop) as world:
        world.say(ReceiveStock(receipt_id="r", sku="tea", quantity=5), "receive", "tea", {})
        placed = OrderPlaced(
            order_id="o1",
            customer_id="c1",
            country="France",
            currency=currency,
            lines=LINES,
            charges=(POSTAGE, DISCOUNT),
            total_minor=TOTAL_MINOR,
            payment_method=each.card,
            ordered_at_ms=world.now,
            capture=each.capture,
            partial_shipment=True,
        )
        world.say(placed, "placed", "o1", {"country": "France", "began_ms": str(world.now)})
        if kill[0]:
            world.worker(kill[0]).crash_at = kill[1]
            world.provider.gap_hours = gap_hours
        world.run()
        while not world.provider.is_quiet():
            world.run()
        return books(world, each, currency)


def books(world: World, each: Course, currency: str) -> str:
    """Return how the order ended: the provider, payment, the ledger and the customer agree."""
    sagas = world.messages("sagas")
    ends = [type(m) for m in sagas if isinstance(m, OrderCompleted | OrderCancelled)]
    assert 1 == len(ends), world.trace[-20:]
    is_completed = ends[0] is OrderCompleted
    due_minor = DUE_MINOR[currency] * is_completed
    payments, provider_state = world.messages("payments"), world.provider.state()
    paid = sum(m.amount_minor for m in payments if isinstance(m, PaymentCompleted))
    paid -= sum(m.amount_minor for m in payments if isinstance(m, PaymentRefunded))
    accounts: Counter[str] = Counter()
    for entry in world.messages("ledger"):
        assert isinstance(entry, EntryPosted)
        for side in entry.postings:
            accounts[side.account] += side.debit_minor - side.credit_minor
    assert due_minor == paid == accounts["cash_at_provider"], world.trace[-20:]
    assert 0 == accounts["customer_receivable"]
    # The simulator counts as the provider does, which has whole yen and a zero at a dinar's end.
    assert due_minor == provider_state["charged_minor"] - provider_state["refunded_minor"]
    assert provider_state["charges"] <= 1
    if is_completed:
        assert provider_state["refunds"] == (each.capture == "automatic")
        texts = [
            m.text for m in world.messages("notification.commands") if isinstance(m, SendMessage)
        ]
        sentence = f"1 x cup. You pay {money(due_minor, currency)}"
        assert any(sentence in text for text in texts), texts
    return "completed" if is_completed else "cancelled"


@pytest.mark.parametrize(("each", "currency", "_number"), ROWS)
def test_just_what_ships_is_charged(
    each: Course, currency: str, _number: int, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """At the provider, in the ledger, and in the customer's message."""
    assert "completed" == play(each, currency, tmp_path, loop)


@pytest.mark.parametrize(("each", "currency", "number"), ROWS)
def test_a_kill_at_any_checkpoint_charges_the_same(
    each: Course, currency: str, number: int, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """Once; and a day between the kill and the restart leaves the books right."""
    for which in range(KILLS):
        kill = KILLED[(number * KILLS + which) % len(KILLED)]
        folder = tmp_path / f"{kill[0]} {kill[1]}"
        assert "completed" == play(each, currency, folder / "at once", loop, kill), kill
        play(each, currency, folder / "a day", loop, kill, gap_hours=25)
