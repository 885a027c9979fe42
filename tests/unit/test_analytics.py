"""Analytics, by example."""

from typing import Any

import pytest
from msgspec.structs import replace

from agents import analytics as agent
from app.wire.envelope import Envelope
from workflows.analytics import process as analytics
from workflows.analytics.messages import FiguresUpdated
from workflows.analytics.process import SHIPPED_WITHIN_MS, Figures
from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.inventory.messages import InventoryRejected, InventoryReleased, InventoryReserved
from workflows.notification.messages import NotificationSent
from workflows.order.messages import OrderPlaced
from workflows.order.partial_shipment import PartialShipment, UnavailableLine
from workflows.order.saga_messages import OrderCancelled, OrderCompleted, OrderConfirmed
from workflows.payment.capture_messages import PaymentAuthorized
from workflows.payment.dispute_messages import (
    DisputeClosed,
    DisputeFundsReinstated,
    DisputeFundsWithdrawn,
    DisputeOpened,
)
from workflows.payment.messages import (
    PaymentCompleted,
    PaymentFailed,
    PaymentPending,
    PaymentRefunded,
)
from workflows.shared.countries import CODES
from workflows.shared.message import Message
from workflows.shipping.messages import ShipmentCreated, ShipmentDelivered

MINUTE_MS = 1_291_204_800_000
PLACED = OrderPlaced(
    order_id="o1",
    country="France",
    currency="GBP",
    lines=(),
    total_minor=100,
    payment_method="pm_card_visa",
    ordered_at_ms=5,
)
PAID = PaymentCompleted(
    transaction_id="o1",
    payment_id="p1",
    amount_minor=1_250,
    goods_minor=1_250,
    charges_minor=0,
    currency="GBP",
    country="France",
    ordered_at_ms=5,
)
HELD = PaymentAuthorized(
    transaction_id="o1",
    payment_id="p1",
    amount_minor=1_250,
    currency="GBP",
    capture_before_ms=9,
    country="France",
    ordered_at_ms=5,
)
REFUNDED = PaymentRefunded(
    transaction_id="o1",
    payment_id="p1",
    refund_id="f1",
    amount_minor=300,
    currency="GBP",
    kind="return",
    return_id="r1",
)
CREATED = ShipmentCreated(order_id="o1", shipment_id="s1")
OUT_OF_STOCK = InventoryRejected(order_id="o1", reason="out_of_stock", skus=("mug",))


PARTIAL = PartialShipment(
    unavailable=(UnavailableLine(line=2, sku="mug", quantity=1, amount_minor=250),),
    amount_minor=1_000,
    items_minor=1_000,
    charges_minor=0,
    released_minor=250,
    currency="GBP",
)
ABOUT: dict[str, Any] = {
    "transaction_id": "o1",
    "payment_id": "p1",
    "dispute_id": "d1",
    "amount_minor": 1_250,
    "currency": "GBP",
    "reason": "fraudulent",
}
MOVED = {name: ABOUT[name] for name in ("transaction_id", "dispute_id", "amount_minor", "currency")}
DISPUTED = DisputeOpened(is_inquiry=False, **ABOUT)


def closed(outcome: Any) -> Message:
    """Return the end of a dispute."""
    return DisputeClosed(outcome=outcome, **ABOUT)


def verdict(message: Any) -> Message:
    """Return a verdict."""
    return message(transaction_id="o1", score=0.6, reasons=(), rules_version="1")


def envelope(**baggage: str) -> Envelope:
    """Return the envelope of an event, 2.5 seconds into a minute."""
    return Envelope(
        id="e1",
        type="t",
        source="s",
        time_ms=MINUTE_MS + 2_500,
        subject="o1",
        correlation_id="o1",
        baggage=baggage,
    )


@pytest.mark.parametrize(
    ("received", "counts", "sums"),
    [
        pytest.param(PLACED, {"orders": 1}, {}, id="an order"),
        pytest.param(OrderConfirmed(order_id="o1"), {"confirmed": 1}, {}, id="a confirmation"),
        pytest.param(
            PAID,
            {"payments": 1, "secured": 1, "to_payment_timed": 1},
            {"revenue_minor/GBP": 1_250, "to_payment_ms": 400},
            id="a payment is revenue",
        ),
        pytest.param(
            HELD,
            {"authorized": 1, "secured": 1, "to_authorization_timed": 1},
            {"authorized_minor/GBP": 1_250, "to_authorization_ms": 400},
            id="a hold is none",
        ),
        pytest.param(
            replace(PAID, authorized=True),
            {"payments": 1, "to_payment_timed": 1},
            {"revenue_minor/GBP": 1_250, "to_payment_ms": 400},
            id="its capture is",
        ),
        pytest.param(
            PaymentFailed(transaction_id="o1", reason="x"),
            {"payment_failed": 1},
            {},
            id="a decline",
        ),
        pytest.param(
            PaymentPending(transaction_id="o1", reason="x"),
            {"payment_pending": 1},
            {},
            id="a doubt",
        ),
        pytest.param(REFUNDED, {"refunds": 1}, {"refunds_minor/GBP": 300}, id="a refund"),
        pytest.param(
            replace(REFUNDED, left_minor=1), {}, {"refunds_minor/GBP": 300}, id="a part of a refund"
        ),
        pytest.param(
            InventoryReserved(order_id="o1", units=3),
            {"reserved": 1, "to_reserved_timed": 1},
            {"to_reserved_ms": 400},
            id="a reservation",
        ),
        pytest.param(OUT_OF_STOCK, {"rejected": 1, "stock_outs": 1}, {}, id="a stock-out"),
        pytest.param(
            InventoryRejected(order_id="o1", reason="cancelled"),
            {"rejected": 1},
            {},
            id="a rejection that is not a stock-out",
        ),
        pytest.param(
            verdict(FraudDetected),
            {"fraud_detected": 1, "to_verdict_timed": 1},
            {"to_verdict_ms": 400},
            id="a bad verdict",
        ),
        pytest.param(
            verdict(FraudCleared),
            {"fraud_cleared": 1, "to_verdict_timed": 1},
            {"to_verdict_ms": 400},
            id="a good verdict",
        ),
        pytest.param(
            CREATED,
            {"shipments": 1, "to_shipped_timed": 1, "shipped_le_500": 1},
            {"to_shipped_ms": 400},
            id="a shipment",
        ),
        pytest.param(
            ShipmentDelivered(order_id="o1", shipment_id="s1"),
            {"delivered": 1},
            {},
            id="a delivery",
        ),
        pytest.param(
            OrderCompleted(order_id="o1"),
            {"completed": 1, "to_end_timed": 1},
            {"to_end_ms": 400},
            id="a good end",
        ),
        pytest.param(
            OrderCancelled(order_id="o1", cause="fraud"),
            {"cancelled": 1, "to_end_timed": 1},
            {"to_end_ms": 400},
            id="the other end",
        ),
        pytest.param(
            NotificationSent(transaction_id="o1", notification_id="n1", channel="sms"),
            {"notifications": 1},
            {},
            id="a message",
        ),
        pytest.param(
            replace(CREATED, partial=PARTIAL),
            {
                "shipments": 1,
                "partial_shipments": 1,
                "to_shipped_timed": 1,
                "shipped_le_500": 1,
            },
            {"unshipped_minor/GBP": 250, "to_shipped_ms": 400},
            id="a shipment without what is out of stock",
        ),
        pytest.param(
            DISPUTED, {"disputes": 1}, {"disputed_minor/GBP": 1_250}, id="a dispute is opened"
        ),
        pytest.param(
            closed("won"),
            {"disputes_closed": 1, "disputes_won": 1},
            {"disputes_won_minor/GBP": 1_250},
            id="a dispute is won",
        ),
        pytest.param(
            closed("lost"),
            {"disputes_closed": 1, "disputes_lost": 1},
            {"disputes_lost_minor/GBP": 1_250, "disputes_decided_minor/GBP": 1_250},
            id="a dispute is lost",
        ),
        pytest.param(
            DisputeFundsWithdrawn(fee_minor=1_500, **MOVED),
            {"other": 1},
            {"disputes_taken_minor/GBP": 1_250},
            id="a bank takes what is disputed, and not our fee",
        ),
        pytest.param(
            DisputeFundsReinstated(fee_minor=0, **MOVED),
            {"other": 1},
            {"disputes_decided_minor/GBP": 1_250},
            id="a bank gives it back",
        ),
        pytest.param(
            closed("warning_closed"), {"disputes_closed": 1}, {}, id="an inquiry moves no money"
        ),
        pytest.param(InventoryReleased(order_id="o1"), {"other": 1}, {}, id="anything else"),
    ],
)
def test_counting(received: Message, counts: dict[str, int], sums: dict[str, int]) -> None:
    """Given nothing, when this is received 400 ms after the order was placed, then this counts."""
    assert Figures(counts=counts, sums=sums) == analytics.count(analytics.INITIAL, received, 400)


def test_figures_add_up() -> None:
    """What is counted stays counted."""
    state = analytics.INITIAL
    for received in (PLACED, PAID, PLACED, PAID):
        state = analytics.count(state, received, 100)

    assert (
        Figures(
            counts={"orders": 2, "payments": 2, "secured": 2, "to_payment_timed": 2},
            sums={"revenue_minor/GBP": 2_500, "to_payment_ms": 200},
        )
        == state
    )


def test_what_is_counted_is_a_new_value() -> None:
    """A row that is changed in place would never reach the changelog."""
    before = analytics.count(analytics.INITIAL, PLACED, None)
    analytics.count(before, PAID, 100)

    assert (Figures(counts={"orders": 1}), Figures()) == (before, analytics.INITIAL)


@pytest.mark.parametrize(
    ("took_ms", "bucket"),
    [
        *(pytest.param(bound, str(bound), id=f"{bound} ms") for bound in SHIPPED_WITHIN_MS),
        pytest.param(0, "100", id="at once"),
        pytest.param(101, "250", id="just above a bound"),
        pytest.param(300_001, "inf", id="longer than the last"),
    ],
)
def test_each_shipment_is_in_one_bucket(took_ms: int, bucket: str) -> None:
    """A bound belongs to its own bucket."""
    counts = analytics.count(analytics.INITIAL, CREATED, took_ms).counts

    assert [f"shipped_le_{bucket}"] == [name for name in counts if name.startswith("shipped_le_")]


@pytest.mark.parametrize(
    ("at_ms", "country", "row"),
    [
        pytest.param(MINUTE_MS, "FR", f"{MINUTE_MS}|FR", id="the minute begins"),
        pytest.param(MINUTE_MS + 59_999, "FR", f"{MINUTE_MS}|FR", id="the minute ends"),
        pytest.param(MINUTE_MS + 60_000, "FR", f"{MINUTE_MS + 60_000}|FR", id="the next"),
        pytest.param(MINUTE_MS, "France", f"{MINUTE_MS}|FR", id="by its name, as it was before"),
        pytest.param(MINUTE_MS, "", f"{MINUTE_MS}|unknown", id="nowhere"),
        pytest.param(MINUTE_MS, "Atlantis", f"{MINUTE_MS}|unknown", id="an invented one"),
        pytest.param(MINUTE_MS, "F|R\n", f"{MINUTE_MS}|unknown", id="what is not a name"),
    ],
)
def test_a_row_is_a_minute_and_a_country(at_ms: int, country: str, row: str) -> None:
    """By the time of the event."""
    assert row == analytics.row_of(at_ms, country)


def test_amounts_are_summed_by_currency() -> None:
    """Yen, dinars and pounds of one minute are three figures; no sum holds two of them."""
    state = analytics.INITIAL
    for currency, amount_minor in (("JPY", 1_250), ("KWD", 1_230), ("GBP", 1_250), ("JPY", 50)):
        state = analytics.count(
            state, replace(PAID, currency=currency, amount_minor=amount_minor), None
        )

    assert {
        "revenue_minor/JPY": 1_300,
        "revenue_minor/KWD": 1_230,
        "revenue_minor/GBP": 1_250,
    } == state.sums


def test_rows_of_a_minute_are_as_many_as_countries_whatever_the_baggage_says() -> None:
    """Four hundred invented countries are one row."""
    invented = {analytics.row_of(MINUTE_MS, f"land {number}") for number in range(400)}
    country_rows = {analytics.row_of(MINUTE_MS, code) for code in CODES}

    assert 1 == len(invented)
    assert len(CODES) + 1 == len(invented | country_rows)


@pytest.mark.parametrize("country", ["FR", "France", "a|b"])
def test_the_rollup_emits_what_its_row_says(country: str) -> None:
    """Whatever the name of the country: older rows may have any."""
    state = Figures(counts={"orders": 1}, sums={"revenue_minor": 5})
    emitted = FiguresUpdated(
        minute_ms=MINUTE_MS, country=country, partition=3, counts=state.counts, sums=state.sums
    )

    assert emitted == analytics.rollup(f"{MINUTE_MS}|{country}", state, 3)


@pytest.mark.parametrize(
    ("baggage", "row"),
    [
        pytest.param({"country": "France"}, f"{MINUTE_MS}|FR", id="of its order"),
        pytest.param({}, f"{MINUTE_MS}|unknown", id="of no order"),
    ],
)
def test_the_agent_takes_the_row_from_the_envelope(baggage: dict[str, str], row: str) -> None:
    """The country travels with the order."""
    assert (row,) == agent.rows(PAID, envelope(**baggage))


@pytest.mark.parametrize(
    ("began", "sums"),
    [
        pytest.param(
            str(MINUTE_MS), {"revenue_minor/GBP": 1_250, "to_payment_ms": 2_500}, id="known"
        ),
        pytest.param(
            str(MINUTE_MS + 9_999),
            {"revenue_minor/GBP": 1_250, "to_payment_ms": 0},
            id="in the future",
        ),
        pytest.param("", {"revenue_minor/GBP": 1_250}, id="unknown"),
        pytest.param("soon", {"revenue_minor/GBP": 1_250}, id="no number"),
    ],
)
def test_the_agent_takes_the_time_from_the_envelope(began: str, sums: dict[str, int]) -> None:
    """Never negative, and nothing where it is not known."""
    assert sums == agent.evolve(analytics.INITIAL, PAID, envelope(began_ms=began)).sums
