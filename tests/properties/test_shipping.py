"""What is true of parcels whatever is heard, in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.telling import hear
from tests.unit import test_shipping as example
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

WORDS = [
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
    PaymentFailed(order_id="o1", reason="x"),
    FraudDetected(order_id="o1", score=1, reasons=(), rules_version="1"),
    None,
]
"""None: whatever alarm is set rings."""

stories = st.lists(st.sampled_from(WORDS), max_size=25)


def tell(story: list[Any]) -> list[tuple[Any, Any, tuple[Message, ...]]]:
    """Return (memory, heard, told) after each word of `story`; every word is a second apart."""
    memory, beats = shipping.INITIAL, []
    for seconds, chosen in enumerate(story):
        word = chosen or DeadlineReached(key="o1", due_at_ms=shipping.due(memory) or 0)
        memory, told = hear(shipping, memory, (word, seconds))
        beats.append((memory, (word, seconds), told))
    return beats


@given(stories)
def test_hearing_it_twice_tells_nothing_more(story: list[Any]) -> None:
    """A repetition under another id owes nothing."""
    for memory, heard, _ in tell(story):
        assert () == hear(shipping, memory, heard)[1]


@given(stories)
def test_a_parcel_has_one_end(story: list[Any]) -> None:
    """Delivered, failed or cancelled: one of them, once, and delivered only after created."""
    told = [word for _, _, words in tell(story) for word in words]
    kinds = [type(word) for word in told]
    ends = [
        word
        for word in told
        if isinstance(word, ShipmentDelivered | ShipmentFailed | ShipmentCancelled)
    ]

    assert len(ends) <= 1
    assert kinds.count(ShipmentCreated) <= 1
    if ShipmentDelivered in kinds:
        assert kinds.index(ShipmentCreated) < kinds.index(ShipmentDelivered)
    for word in ends:
        if isinstance(word, ShipmentCancelled):
            assert (ShipmentCreated in kinds) == bool(word.shipment_id)


@given(stories)
def test_nothing_is_booked_unless_paid_reserved_and_cleared(story: list[Any]) -> None:
    """Every booking comes after the three facts, whatever else was heard."""
    heard = set()
    for _, (word, _), told in tell(story):
        heard.add(type(word))
        if any(isinstance(said, BookShipment) for said in told):
            assert {PaymentCompleted, InventoryReserved, FraudCleared} <= heard


@given(stories)
def test_it_never_sleeps_while_the_carrier_owes_an_answer(story: list[Any]) -> None:
    """A parcel that is not at its end has an alarm, and an alarm that rang is not set again."""
    rung = 0
    for memory, (word, _), _ in tell(story):
        under_way = memory.status not in ("waiting", "ended")
        assert under_way == (shipping.due(memory) is not None)
        rung = max(rung, word.due_at_ms) if isinstance(word, DeadlineReached) else rung
        assert (shipping.due(memory) or rung + 1) > rung
