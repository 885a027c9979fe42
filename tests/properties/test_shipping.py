"""What is true of shipments whatever is received, in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import shipping as example
from tests.support.workflow_runner import receive
from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.inventory.messages import InventoryReserved
from workflows.payment.messages import PaymentCompleted, PaymentFailed
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message
from workflows.shipping import process as shipping
from workflows.shipping.carrier_messages import BookShipment
from workflows.shipping.messages import (
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentFailed,
)

MESSAGES = [
    *example.READY,
    *example.READY,
    example.BOOKED,
    example.UNKNOWN,
    example.REFUSED,
    example.WITHDRAWN,
    example.IN_TRANSIT,
    example.TRACKED,
    example.NOTIFIED,
    example.CANCEL,
    example.overdue("fraud"),
    example.overdue("shipping"),
    example.overdue("delivery"),
    PaymentFailed(transaction_id="o1", reason="x"),
    FraudDetected(transaction_id="o1", score=1, reasons=(), rules_version="1"),
    None,
]
"""None: whatever alarm is set rings."""

stories = st.lists(st.sampled_from(MESSAGES), max_size=25)


def publish(story: list[Any]) -> list[tuple[Any, Any, tuple[Message, ...]]]:
    """Return (state, received, emitted) after each message of `story`.

    Every message is a second apart.
    """
    state, checkpoints = shipping.INITIAL, []
    for seconds, choice in enumerate(story):
        message = choice or DeadlineReached(key="o1", due_at_ms=shipping.due(state) or 0)
        state, emitted = receive(shipping, state, (message, seconds))
        checkpoints.append((state, (message, seconds), emitted))
    return checkpoints


@given(stories)
def test_receiving_it_twice_emits_nothing_more(story: list[Any]) -> None:
    """A repetition under another id owes nothing."""
    for state, received, _ in publish(story):
        assert () == receive(shipping, state, received)[1]


@given(stories)
def test_a_shipment_has_one_end(story: list[Any]) -> None:
    """Delivered, failed or cancelled: one of them, once, and delivered only after created."""
    emitted = [message for _, _, messages in publish(story) for message in messages]
    kinds = [type(message) for message in emitted]
    ends = [
        message
        for message in emitted
        if isinstance(message, ShipmentDelivered | ShipmentFailed | ShipmentCancelled)
    ]

    assert len(ends) <= 1
    assert kinds.count(ShipmentCreated) <= 1
    if ShipmentDelivered in kinds:
        assert kinds.index(ShipmentCreated) < kinds.index(ShipmentDelivered)
    for message in ends:
        if isinstance(message, ShipmentCancelled):
            assert (ShipmentCreated in kinds) == bool(message.shipment_id)


@given(stories)
def test_nothing_is_booked_unless_paid_reserved_and_cleared(story: list[Any]) -> None:
    """Every booking comes after the three facts, whatever else was received."""
    received = set()
    for _, (message, _), emitted in publish(story):
        received.add(type(message))
        if any(isinstance(command, BookShipment) for command in emitted):
            assert {PaymentCompleted, InventoryReserved, FraudCleared} <= received


@given(stories)
def test_it_never_sleeps_while_the_carrier_owes_an_answer(story: list[Any]) -> None:
    """A shipment that is not at its end has an alarm, and an alarm that rang is not set again."""
    rung = 0
    for state, (message, _), _ in publish(story):
        under_way = state.status not in ("waiting", "ended")
        assert under_way == (shipping.due(state) is not None)
        rung = max(rung, message.due_at_ms) if isinstance(message, DeadlineReached) else rung
        assert (shipping.due(state) or rung + 1) > rung
