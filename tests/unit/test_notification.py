"""Notification, by example."""

from typing import get_args

import msgspec
import pytest

from tests.support.examples.notification import CREATED, DELIVERED, PAID, cancelled, refunded
from tests.support.workflow_runner import Received, after
from workflows.notification import process as notification
from workflows.notification.messages import Channel, RequestMessage
from workflows.notification.quota import recipient_of
from workflows.order import reactions
from workflows.order.saga_messages import Cause, OrderConfirmed, ReturnRefused
from workflows.payment.messages import PaymentPending
from workflows.shipping.messages import ShipmentCreated


def send(
    name: str, channel: Channel, title: str, text: str, customer_id: str = ""
) -> RequestMessage:
    """Return the message `name` of the order."""
    return RequestMessage(
        transaction_id="o1",
        notification_id=f"o1/{name}",
        recipient=recipient_of(customer_id, "o1"),
        customer_id=customer_id,
        channel=channel,
        title=title,
        text=text,
        is_answer=name.startswith("return/"),
    )


ON_ITS_WAY = "Your order has left us. Tracking T9."


@pytest.mark.parametrize(
    ("record", "when", "then"),
    [
        pytest.param(
            [],
            PAID,
            (send("payment", "push", "Payment received", "12.50 GBP paid.", "c1"),),
            id="a payment is acknowledged",
        ),
        pytest.param([PAID], PAID, (), id="once"),
        pytest.param(
            [PAID],
            CREATED,
            (send("shipped", "push", "On its way", ON_ITS_WAY, "c1"),),
            id="the shipment is announced to who paid",
        ),
        pytest.param(
            [],
            CREATED,
            (send("shipped", "push", "On its way", ON_ITS_WAY),),
            id="also when the payment is not received yet",
        ),
        pytest.param([CREATED, PAID], CREATED, (), id="and not again when it is"),
        pytest.param(
            [],
            ShipmentCreated(order_id="o1", shipment_id="s1"),
            (send("shipped", "push", "On its way", "Your order has left us. Tracking s1."),),
            id="without tracking the shipment has its id",
        ),
        pytest.param(
            [PAID, CREATED],
            DELIVERED,
            (send("delivered", "sms", "Delivered", "Enjoy your order.", "c1"),),
            id="a delivery is emitted by sms",
        ),
        pytest.param([DELIVERED], DELIVERED, (), id="a delivery is emitted once"),
        pytest.param(
            [PAID],
            cancelled("out_of_stock"),
            (
                send(
                    "cancelled",
                    "sms",
                    "Order cancelled",
                    "Cancelled: something you ordered is out of stock. "
                    "Whatever you paid has been refunded.",
                    "c1",
                ),
            ),
            id="a cancelled order says why and that the money is back",
        ),
        pytest.param(
            [cancelled("fraud")], cancelled("overdue"), (), id="an order is cancelled once"
        ),
        pytest.param(
            [],
            refunded("f1", "r1"),
            (send("refund/r1", "push", "Refund", "1.05 GBP is on its way back."),),
            id="a return is refunded",
        ),
        pytest.param(
            [refunded("f1", "r1")],
            refunded("f2", "r2"),
            (send("refund/r2", "push", "Refund", "1.05 GBP is on its way back."),),
            id="each return by itself",
        ),
        pytest.param([refunded("f1", "r1")], refunded("f1", "r1"), (), id="each refund once"),
        pytest.param([], refunded("f1"), (), id="a compensation is emitted with the cancellation"),
        pytest.param(
            [],
            ReturnRefused(order_id="o1", return_id="r1", reason="too late"),
            (send("return/r1", "sms", "Return refused", "too late"),),
            id="a refused return says why",
        ),
        pytest.param(
            [], PaymentPending(transaction_id="o1", reason="x"), (), id="doubts are ours alone"
        ),
        pytest.param([], OrderConfirmed(order_id="o1"), (), id="what comes anyway is not emitted"),
    ],
)
def test_emitting_the_customer(
    record: list[Received], when: Received, then: tuple[RequestMessage, ...]
) -> None:
    """Given what was received, when this is received, then this message goes out."""
    assert then == after(notification, *record, when)[1]


def test_every_cause_has_words_for_the_customer() -> None:
    """A cause that is added needs a sentence too."""
    assert set(get_args(Cause)) == set(reactions.CAUSES)


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(refunded("f1", "r" * 128), id="a long return id"),
        pytest.param(
            ShipmentCreated(order_id="o1", shipment_id="s1", tracking="T" * 500),
            id="a long tracking number",
        ),
        pytest.param(
            ReturnRefused(order_id="o1", return_id="r" * 128, reason="x" * 500),
            id="a long refusal",
        ),
    ],
)
def test_what_is_emitted_keeps_the_limits_of_the_wire(received: Received) -> None:
    """The longest that may be received makes nothing that may not be said."""
    (emitted,) = after(notification, received)[1]

    assert emitted == msgspec.convert(msgspec.to_builtins(emitted), RequestMessage)


def test_long_return_ids_stay_apart() -> None:
    """Two returns, two messages, whatever their ids have in common."""
    ids = [
        after(notification, refunded("f1", "r" * 127 + end))[1][0].notification_id for end in "ab"
    ]

    assert 2 == len(set(ids))
