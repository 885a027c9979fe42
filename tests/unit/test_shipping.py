"""Shipping, by example."""

from itertools import permutations

import pytest

from tests.support.examples.shipping import (
    BOOKED,
    CANCEL,
    CLEARED,
    IN_TRANSIT,
    NOTIFIED,
    PAID,
    READY,
    REFUSED,
    RESERVED,
    TRACKED,
    UNKNOWN,
    WITHDRAWN,
    overdue,
)
from tests.support.workflow_runner import Received, after, alarm, due_seconds
from workflows.fraud.messages import FraudConfirmed, FraudDetected
from workflows.inventory.messages import InventoryRejected
from workflows.payment.messages import PaymentFailed
from workflows.shared.message import Message
from workflows.shipping import process as shipping
from workflows.shipping.carrier_messages import (
    BookShipment,
    InquireShipment,
    WithdrawShipment,
)
from workflows.shipping.messages import (
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentFailed,
)

CREATED = ShipmentCreated(order_id="o1", shipment_id="s1", tracking="T1")
DELIVERED = ShipmentDelivered(order_id="o1", shipment_id="s1")
CREATED_LATE = ShipmentCreated(order_id="o1", shipment_id="s1")
CANCELLED = ShipmentCancelled(order_id="o1", cause="cancelled_by_customer")
STOPPED = ShipmentCancelled(order_id="o1", cause="cancelled_by_customer", shipment_id="s1")
OVERDUE_CANCELLED = ShipmentCancelled(order_id="o1", cause="overdue")
NO_CARRIER = ShipmentFailed(order_id="o1", reason="carrier unavailable")


def book(attempt: int = 0) -> BookShipment:
    """Return the request to send the shipment."""
    return BookShipment(order_id="o1", country="France", units=3, attempt=attempt)


def withdraw(attempt: int = 0) -> WithdrawShipment:
    """Return the request to stop it."""
    return WithdrawShipment(order_id="o1", attempt=attempt)


def inquire(attempt: int) -> InquireShipment:
    """Return the question where it is."""
    return InquireShipment(order_id="o1", attempt=attempt)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(facts, id=" ".join(type(fact).__name__ for fact in facts))
        for facts in permutations(READY)
    ],
)
def test_nothing_is_booked_before_all_three_facts_are_known(facts: tuple[Message, ...]) -> None:
    """Paid, reserved and judged clean, in any order: the last one books."""
    emitted = [after(shipping, *facts[:count])[1] for count in (1, 2, 3)]

    assert [(), (), (book(),)] == emitted


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param(READY, CLEARED, (), id="it is booked once"),
        pytest.param(READY, BOOKED, (CREATED,), id="booked"),
        pytest.param([*READY, BOOKED], BOOKED, (), id="created once"),
        pytest.param(
            READY,
            REFUSED,
            (ShipmentFailed(order_id="o1", reason="no such place"),),
            id="refused",
        ),
        pytest.param([*READY, REFUSED], BOOKED, (), id="an end is an end"),
        pytest.param([*READY, BOOKED], REFUSED, (), id="a refusal after booking is ignored"),
        pytest.param([*READY, BOOKED], IN_TRANSIT, (), id="on its way is not news"),
        pytest.param([*READY, BOOKED], TRACKED, (DELIVERED,), id="delivered, as asked"),
        pytest.param([*READY, BOOKED], NOTIFIED, (DELIVERED,), id="delivered, as called back"),
        pytest.param([*READY, BOOKED, NOTIFIED], TRACKED, (), id="delivered once"),
        pytest.param(
            READY, NOTIFIED, (CREATED_LATE, DELIVERED), id="the call-back overtakes the booking"
        ),
        pytest.param([*READY, NOTIFIED], BOOKED, (), id="the booking after its call-back is old"),
        pytest.param([], NOTIFIED, (), id="a call-back of an unknown order is nobody's"),
        pytest.param(
            READY,
            WITHDRAWN,
            (ShipmentFailed(order_id="o1", reason="withdrawn by the carrier"),),
            id="the carrier steps back",
        ),
        pytest.param(
            [*READY, BOOKED],
            WITHDRAWN,
            (ShipmentCancelled(order_id="o1", cause="shipment_failed", shipment_id="s1"),),
            id="the carrier stops on the way",
        ),
    ],
)
def test_sending(earlier: list[Received], when: Received, then: tuple[Message, ...]) -> None:
    """Given what was received, when this is received, then this is emitted."""
    assert then == after(shipping, *earlier, when)[1]


@pytest.mark.parametrize(
    "barred",
    [
        pytest.param(PaymentFailed(transaction_id="o1", reason="x"), id="payment failed"),
        pytest.param(InventoryRejected(order_id="o1", reason="out_of_stock"), id="out of stock"),
        pytest.param(
            FraudDetected(transaction_id="o1", score=1, reasons=(), rules_version="1"), id="fraud"
        ),
    ],
)
def test_what_failed_elsewhere_closes_for_ever_and_emits_nothing(barred: Message) -> None:
    """The order ends by that cause: neither a late success nor a cancellation adds anything."""
    story = [barred, PAID, RESERVED, CLEARED, CANCEL, overdue("payment")]

    emitted = [after(shipping, *story[:count])[1] for count in range(1, len(story) + 1)]

    assert [()] * len(story) == emitted


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([], CANCEL, (CANCELLED,), id="before anything is known"),
        pytest.param([PAID, RESERVED], CANCEL, (CANCELLED,), id="before it is booked"),
        pytest.param([CANCEL], CANCEL, (), id="cancelled once"),
        pytest.param([CANCEL, PAID, RESERVED], CLEARED, (), id="cancelled is never booked"),
        pytest.param([CANCEL], overdue("payment"), (), id="the first cause stays"),
        pytest.param(READY, CANCEL, (withdraw(),), id="a booking under way is withdrawn"),
        pytest.param([*READY, CANCEL], WITHDRAWN, (CANCELLED,), id="withdrawn in time"),
        pytest.param([*READY, CANCEL], BOOKED, (), id="the booking is not emitted any more"),
        pytest.param([*READY, CANCEL, BOOKED], WITHDRAWN, (CANCELLED,), id="booked, withdrawn"),
        pytest.param([*READY, CANCEL], REFUSED, (), id="the withdrawal is still answered"),
        pytest.param([*READY, BOOKED], CANCEL, (withdraw(),), id="a shipment on its way"),
        pytest.param([*READY, BOOKED, CANCEL], CANCEL, (), id="it is withdrawn once"),
        pytest.param([*READY, BOOKED, CANCEL], WITHDRAWN, (STOPPED,), id="stopped on its way"),
        pytest.param([*READY, BOOKED, CANCEL], TRACKED, (DELIVERED,), id="too late, delivered"),
        pytest.param(
            [*READY, CANCEL],
            TRACKED,
            (CREATED_LATE, DELIVERED),
            id="too late, booking unknown",
        ),
        pytest.param([*READY, BOOKED, CANCEL], IN_TRANSIT, (), id="not stopped yet"),
        pytest.param([*READY, BOOKED, TRACKED], CANCEL, (), id="delivered is delivered"),
        pytest.param([*READY, BOOKED, CANCEL, WITHDRAWN], NOTIFIED, (), id="stopped is stopped"),
        pytest.param([], overdue("payment"), (OVERDUE_CANCELLED,), id="payment overdue"),
        pytest.param([PAID, RESERVED], overdue("fraud"), (OVERDUE_CANCELLED,), id="no verdict"),
        pytest.param(READY, overdue("shipping"), (withdraw(),), id="shipping overdue"),
        pytest.param([PAID], overdue("payment"), (), id="late but paid goes on"),
        pytest.param([RESERVED], overdue("inventory"), (), id="late but reserved goes on"),
        pytest.param([CLEARED], overdue("fraud"), (), id="late but cleared goes on"),
        pytest.param([*READY, BOOKED], overdue("shipping"), (), id="late but shipped goes on"),
        pytest.param([*READY, BOOKED], overdue("delivery"), (), id="a late shipment travels on"),
    ],
)
def test_stopping(earlier: list[Received], when: Received, then: tuple[Message, ...]) -> None:
    """Given what was received, when this is received, then what can be stopped is."""
    assert then == after(shipping, *earlier, when)[1]


@pytest.mark.parametrize(
    ("story", "emitted", "due"),
    [
        pytest.param(READY, (book(),), 30, id="silence is waited for"),
        pytest.param([*READY, alarm(30)], (book(1),), 60, id="then it books again"),
        pytest.param([*READY, (UNKNOWN, 2)], (), 3, id="not knowing waits a second"),
        pytest.param([*READY, (UNKNOWN, 2), alarm(3)], (book(1),), 33, id="then it books again"),
        pytest.param([*READY, (UNKNOWN, 2), alarm(2.5)], (), 3, id="not before its time"),
        pytest.param(
            [*READY, (UNKNOWN, 2), alarm(62)], (withdraw(1),), 92, id="after a minute it gives up"
        ),
        pytest.param(
            [*READY, (UNKNOWN, 2), alarm(62), (WITHDRAWN, 63)], (NO_CARRIER,), None, id="given up"
        ),
        pytest.param(
            [*READY, (UNKNOWN, 2), alarm(62), CANCEL, (WITHDRAWN, 63)],
            (NO_CARRIER,),
            None,
            id="given up before it was cancelled",
        ),
        pytest.param([*READY, BOOKED], (CREATED,), 5, id="a call-back is awaited"),
        pytest.param([*READY, BOOKED, alarm(5)], (inquire(1),), 15, id="a lost one is asked for"),
        pytest.param(
            [*READY, BOOKED, alarm(5), (IN_TRANSIT, 6), alarm(15)],
            (inquire(2),),
            35,
            id="less and less often",
        ),
        pytest.param([*READY, BOOKED, TRACKED], (DELIVERED,), None, id="delivered: rest"),
        pytest.param([*READY, (CANCEL, 1)], (withdraw(),), 31, id="a withdrawal is awaited"),
        pytest.param(
            [*READY, (CANCEL, 1), (UNKNOWN, 2), alarm(3)], (withdraw(1),), 33, id="and repeated"
        ),
        pytest.param([CANCEL], (CANCELLED,), None, id="cancelled: rest"),
    ],
)
def test_waiting(story: list[Received], emitted: tuple[Message, ...], due: float | None) -> None:
    """After this story the last message makes it emit this, and it wants to be woken then."""
    state, actual = after(shipping, *story)

    assert emitted == actual
    assert due == due_seconds(shipping, state)


@pytest.mark.parametrize(
    ("story", "then"),
    [
        pytest.param([], [ShipmentCancelled], id="before anything else"),
        pytest.param([PAID, RESERVED, CLEARED], [WithdrawShipment], id="once it is booked"),
    ],
)
def test_what_turns_out_to_be_fraud_is_stopped_where_it_can_be(
    story: list[Message], then: list[type[Message]]
) -> None:
    """Judged clean at first: shipping alone knows whether it still can be."""
    _, emitted = after(shipping, *story, FraudConfirmed(transaction_id="o1", source="chargeback"))

    assert then == [type(message) for message in emitted]
