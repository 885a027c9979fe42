"""What the customer is told, when, and on which channel: once each, however often it is heard."""

import msgspec
from msgspec.structs import replace

from workflows.notification.messages import Channel, SendMessage
from workflows.order.saga_messages import OrderCancelled, ReturnRefused
from workflows.payment.messages import PaymentCompleted, PaymentRefunded
from workflows.shared.message import Message
from workflows.shared.money import money
from workflows.shared.naming import joined
from workflows.shipping.messages import ShipmentCreated, ShipmentDelivered

CAUSES = {
    "payment_failed": "your card was not charged",
    "out_of_stock": "something you ordered is out of stock",
    "fraud": "we could not accept the payment",
    "shipment_failed": "the carrier could not take it",
    "cancelled_by_customer": "you asked us to",
    "overdue": "it took us too long",
}
"""Why an order was cancelled, in the customer's words."""

TEXT_LENGTH_MAX = 500

# --- memory ------------------------------------------------------------------


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the customer of one order has been told."""

    customer_id: str = ""
    notification_ids: tuple[str, ...] = ()


INITIAL = Told()

# --- judgment ----------------------------------------------------------------


def decide(memory: Told, heard: Message, _at_ms: int) -> tuple[Message, ...]:
    """Return the message that `heard` calls for, unless it has gone out before."""
    message = _message(memory, heard)
    if message is None or message.notification_id in memory.notification_ids:
        return ()
    return (message,)


def _message(memory: Told, heard: Message) -> SendMessage | None:  # noqa: PLR0911  one match
    match heard:
        case PaymentCompleted(order_id=order_id):
            amount = money(heard.amount_minor, heard.currency)
            memory = replace(memory, customer_id=heard.customer_id)
            return _send(memory, order_id, "payment", "push", "Payment received", f"{amount} paid.")
        case PaymentRefunded(order_id=order_id, kind="return"):
            amount = money(heard.amount_minor, heard.currency)
            name = f"refund/{heard.return_id}"
            return _send(memory, order_id, name, "push", "Refund", f"{amount} is on its way back.")
        case ShipmentCreated(order_id=order_id):
            text = f"Your order has left us. Tracking {heard.tracking or heard.shipment_id}."
            return _send(memory, order_id, "shipped", "push", "On its way", text)
        case ShipmentDelivered(order_id=order_id):
            return _send(memory, order_id, "delivered", "sms", "Delivered", "Enjoy your order.")
        case OrderCancelled(order_id=order_id, cause=cause):
            text = f"Cancelled: {CAUSES[cause]}. Whatever you paid has been given back."
            return _send(memory, order_id, "cancelled", "sms", "Order cancelled", text)
        case ReturnRefused(order_id=order_id, return_id=return_id, reason=reason):
            name = f"return/{return_id}"
            return _send(memory, order_id, name, "sms", "Return refused", reason)
        case _:
            return None


def _send(  # noqa: PLR0913  who, which and what
    memory: Told, order_id: str, name: str, channel: Channel, title: str, text: str
) -> SendMessage:
    return SendMessage(
        order_id=order_id,
        notification_id=joined(order_id, name),
        customer_id=memory.customer_id,
        channel=channel,
        title=title,
        text=text[:TEXT_LENGTH_MAX],
    )


# --- fold --------------------------------------------------------------------


def evolve(memory: Told, word: Message, _at_ms: int) -> Told:
    """Return `memory` after `word`, heard or told."""
    match word:
        case PaymentCompleted(customer_id=customer_id):
            return replace(memory, customer_id=customer_id)
        case SendMessage(notification_id=notification_id) if (
            notification_id not in memory.notification_ids
        ):
            return replace(memory, notification_ids=(*memory.notification_ids, notification_id))
        case _:
            return memory
