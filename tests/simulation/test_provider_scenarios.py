"""Payments as the provider's cards have them go, on the real gateway and the real simulator.

A row is one line of COURSES. Each is also played with a kill of payment and of the gateway at
every checkpoint, and with 25 hours between the kill and the restart: keys have expired then, and
deadlines have passed, so the order may end otherwise, but the books agree. `make test` plays
KILLS of them a row, chosen by its place; `KILLS=14` plays all.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulation.provider_world import Course, provider_world
from tests.support.simulation.world import CHECKPOINTS, World
from workflows.inventory.stock_messages import ReceiveStock
from workflows.ledger.messages import EntryPosted
from workflows.notification.messages import SendMessage
from workflows.order.messages import Line, OrderCancelRequested, OrderPlaced
from workflows.order.saga_messages import OrderCancelled, OrderCompleted
from workflows.payment.declines import (
    EXPIRED,
    GENERIC,
    LATER,
    NO_MONEY,
    TOO_LATE,
    TOO_OFTEN,
    UNCONFIRMED,
    WRONG,
)
from workflows.payment.messages import PaymentCompleted, PaymentRefunded

TOTAL_MINOR = 1_000
PAID = "10.00 GBP paid"


def course(name: str, card: str, end: str, phrase: str = "", **more: object) -> Course:
    """Return one row of the table."""
    return Course(name=name, card=f"pm_card_{card}", end=end, phrase=phrase, **more)  # pyright: ignore[reportArgumentType]


SCA = "authenticationRequired"
COURSES = (
    course("a card that pays", "visa", "completed", PAID),
    course("paid, then cancelled", "visa", "cancelled", "you asked us to", is_cancelled=True),
    course("declined", "chargeDeclined", "cancelled", GENERIC),
    course("declined by the visa card", "visa_chargeDeclined", "cancelled", GENERIC),
    course("no money", "chargeDeclinedInsufficientFunds", "cancelled", NO_MONEY),
    course("lost", "visa_chargeDeclinedLostCard", "cancelled", GENERIC),
    course("stolen", "visa_chargeDeclinedStolenCard", "cancelled", GENERIC),
    course("too often", "visa_chargeDeclinedVelocityLimitExceeded", "cancelled", TOO_OFTEN),
    course("expired", "chargeDeclinedExpiredCard", "cancelled", EXPIRED),
    course("wrong code", "chargeDeclinedIncorrectCvc", "cancelled", WRONG),
    course("processing error", "chargeDeclinedProcessingError", "cancelled", LATER),
    course("fraudulent", "chargeDeclinedFraudulent", "cancelled", GENERIC),
    course("blocked by Radar", "radarBlock", "cancelled", GENERIC),
    course("3-D Secure: confirmed", SCA, "completed", PAID, customer="confirm"),
    course("3-D Secure: at once", SCA, "completed", PAID, customer="confirm", after_minutes=0),
    course("3-D Secure: failed", SCA, "cancelled", UNCONFIRMED, customer="fail"),
    course("3-D Secure: nobody acts", SCA, "cancelled", TOO_LATE),
    course("3-D Secure: late", SCA, "cancelled", TOO_LATE, customer="confirm", after_minutes=90),
    course("3-D Secure: cancelled", SCA, "cancelled", "you asked us to", is_cancelled=True),
    course("3-D Secure: no money", f"{SCA}ChargeDeclinedInsufficientFunds", "cancelled", NO_MONEY,
           customer="confirm"),
    course("3-D Secure: version 2", "threeDSecure2Required", "completed", PAID, customer="confirm"),
    course("3-D Secure: declined", "threeDSecureRequiredChargeDeclined", "cancelled", GENERIC,
           customer="confirm"),
    course("3-D Secure, taken at shipment", SCA, "completed", "10.00 GBP", customer="confirm",
           capture="at_shipment"),
    course("3-D Secure, held, nobody acts", SCA, "cancelled", TOO_LATE, capture="at_shipment"),
    course("processing, then paid", "processing", "completed", PAID),
    course("processing, then declined", "processingFail", "cancelled", GENERIC),
    course("taken at shipment", "visa", "completed", "10.00 GBP", capture="at_shipment"),
    course("held, and cancelled", "visa", "cancelled", "you asked us to", is_cancelled=True,
           capture="at_shipment"),
    course("a refund that is pending", "pendingRefund", "cancelled", is_cancelled=True),
    course("errors after the effect", "visa", "completed", PAID, faults={"error_after": 0.5}),
    course("errors before the effect", "visa", "completed", PAID, faults={"error_before": 0.5}),
)  # fmt: skip
ALL = [(name, at) for name in ("payment", "provider") for at in dict.fromkeys(CHECKPOINTS)]
KILLS = int(os.environ.get("KILLS", "2"))
ROWS = [pytest.param(each, number, id=each.name) for number, each in enumerate(COURSES)]


def kills_of(number: int) -> list[tuple[str, str]]:
    """Return the kills that are played of a row, other ones than of the row before."""
    return [ALL[(number * KILLS + each) % len(ALL)] for each in range(KILLS)]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for all: starting one costs more than a course."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def play(
    each: Course,
    folder: Path,
    loop: asyncio.AbstractEventLoop,
    kill: tuple[str, str] = ("", ""),
    gap_hours: int = 0,
) -> str:
    """Play a course to its end; return how the order ended, once the books agree."""
    with provider_world(each, folder, loop) as world:
        place(world, each)
        if kill[0]:
            world.worker(kill[0]).crash_at = kill[1]
            world.provider.gap_hours = gap_hours
        world.run()
        while not world.provider.is_quiet():
            world.run()
        if not gap_hours:
            texts = [m.text for m in world.messages("notification.commands") if _sends(m)]
            assert any(each.phrase in text for text in texts), texts
        return books(world)


def place(world: World, each: Course) -> None:
    """Place the order, for which there are goods; cancel it at once where the course says so."""
    world.say(ReceiveStock(receipt_id="r", sku="tea", quantity=5), "receive", "tea", {})
    placed = OrderPlaced(
        order_id="o1",
        customer_id="c1",
        country="France",
        currency="GBP",
        lines=(Line(sku="tea", quantity=1, amount_minor=TOTAL_MINOR),),
        total_minor=TOTAL_MINOR,
        payment_method=each.card,
        ordered_at_ms=world.now,
        capture=each.capture,
    )
    world.say(placed, "placed", "o1", {"country": "France", "began_ms": str(world.now)})
    if each.is_cancelled:
        world.say(OrderCancelRequested(order_id="o1"), "cancel", "o1", {})


def books(world: World) -> str:
    """Return how the order ended: once, with the provider, payment and the ledger in agreement."""
    sagas = world.messages("sagas")
    ends = [type(m) for m in sagas if isinstance(m, OrderCompleted | OrderCancelled)]
    assert 1 == len(ends), world.trace[-20:]
    payments, taken = world.messages("payments"), world.provider.state()
    paid = sum(m.amount_minor for m in payments if isinstance(m, PaymentCompleted))
    paid -= sum(m.amount_minor for m in payments if isinstance(m, PaymentRefunded))
    cash = sum(
        posting.debit_minor - posting.credit_minor
        for entry in world.messages("ledger")
        if isinstance(entry, EntryPosted)
        for posting in entry.postings
        if posting.account == "cash_at_provider"
    )
    kept = taken["charged_minor"] - taken["refunded_minor"]
    assert TOTAL_MINOR * (ends[0] is OrderCompleted) == paid == cash == kept, world.trace[-20:]
    assert taken["charges"] <= 1
    assert taken["intents"] <= 1
    return "completed" if ends[0] is OrderCompleted else "cancelled"


def _sends(message: object) -> bool:
    return isinstance(message, SendMessage)


@pytest.mark.parametrize(("each", "_number"), ROWS)
def test_a_payment_goes_as_the_provider_says(
    each: Course, _number: int, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """The order ends as it has to, the customer reads the right words, the books agree."""
    assert each.end == play(each, tmp_path, loop)


@pytest.mark.parametrize(("each", "number"), ROWS)
def test_a_kill_at_any_checkpoint_changes_nothing(
    each: Course, number: int, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """One charge at most, and the same end."""
    for name, at in kills_of(number):
        assert each.end == play(each, tmp_path / f"{name} {at}", loop, (name, at)), (name, at)


@pytest.mark.parametrize(("each", "number"), ROWS)
def test_a_day_between_the_kill_and_the_restart_leaves_the_books_right(
    each: Course, number: int, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """The provider has forgotten all keys, and deadlines have passed."""
    for name, at in kills_of(number):
        play(each, tmp_path / f"{name} {at}", loop, (name, at), gap_hours=25)
