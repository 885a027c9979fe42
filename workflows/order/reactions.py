"""What the shared participants do about the events of an order."""

from workflows.fraud.instructions import NoteDelivery
from workflows.fraud.messages import FraudDetected
from workflows.inventory.messages import InventoryRejected
from workflows.ledger.instructions import RecognizeSale, ReverseSale
from workflows.notification.instructions import NotifyCustomer
from workflows.order.messages import OrderPlaced
from workflows.order.partial_shipment import objection_to_sums, unavailable_text
from workflows.order.saga_messages import OrderCancelled, ReturnAccepted, ReturnRefused
from workflows.payment import declines
from workflows.payment.instructions import (
    CancelPayment,
    RequestCapture,
    RequestPayment,
    RequestRefund,
)
from workflows.shared.reaction import declare_reactions
from workflows.shipping.messages import (
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentFailed,
)

CAUSES = {
    "payment_failed": "your card was not charged",
    "out_of_stock": "something you ordered is out of stock",
    "fraud": "we could not accept the payment",
    "shipment_failed": "the carrier could not take it",
    "cancelled_by_customer": "you asked us to",
    "overdue": "it took us too long",
    "payment_expired": "your bank held the money no longer",
}
"""Why an order was cancelled, in the customer's language."""

# --- payment -----------------------------------------------------------------


def _request_payment(placed: OrderPlaced) -> RequestPayment:
    return RequestPayment(
        transaction_id=placed.order_id,
        customer_id=placed.customer_id,
        country=placed.country,
        currency=placed.currency,
        total_minor=placed.total_minor,
        goods_minor=sum(line.amount_minor for line in placed.lines),
        payment_method=placed.payment_method,
        ordered_at_ms=placed.ordered_at_ms,
        origin=placed.origin,
        capture=placed.capture,
        refusal=objection_to_sums(placed),
    )


def _cancel_payment(_event: object) -> CancelPayment:
    return CancelPayment()


def _request_capture(created: ShipmentCreated) -> RequestCapture:
    partial = created.partial
    if partial is None:
        return RequestCapture()
    return RequestCapture(amount_minor=partial.amount_minor, goods_minor=partial.items_minor)


def _request_refund(accepted: ReturnAccepted) -> RequestRefund:
    return RequestRefund(return_id=accepted.return_id, amount_minor=accepted.amount_minor)


# --- ledger and fraud ---------------------------------------------------------


def _recognize_sale(created: ShipmentCreated) -> RecognizeSale:
    partial = created.partial
    if partial is None:
        return RecognizeSale(transaction_id=created.order_id)
    return RecognizeSale(
        transaction_id=created.order_id,
        items_minor=partial.items_minor,
        charges_minor=partial.charges_minor,
    )


def _reverse_sale(cancelled: ShipmentCancelled) -> ReverseSale | None:
    """Items that never left were never sold."""
    return ReverseSale(transaction_id=cancelled.order_id) if cancelled.shipment_id else None


def _delivered(_event: ShipmentDelivered) -> NoteDelivery:
    return NoteDelivery(delivery="delivered")


def _stopped(_event: ShipmentCancelled | ShipmentFailed) -> NoteDelivery:
    return NoteDelivery(delivery="stopped")


# --- notification --------------------------------------------------------------


def _notify_shipped(created: ShipmentCreated) -> NotifyCustomer:
    tracking = created.tracking or created.shipment_id
    missing = f"{unavailable_text(created.partial)} " if created.partial else ""
    return NotifyCustomer(
        transaction_id=created.order_id,
        name="shipped",
        channel="push",
        title="On its way",
        text=f"Your order has left us. {missing}Tracking {tracking}.",
    )


def _notify_delivered(delivered: ShipmentDelivered) -> NotifyCustomer:
    return NotifyCustomer(
        transaction_id=delivered.order_id,
        name="delivered",
        channel="sms",
        title="Delivered",
        text="Enjoy your order.",
    )


def _notify_cancelled(cancelled: OrderCancelled) -> NotifyCustomer:
    return NotifyCustomer(
        transaction_id=cancelled.order_id,
        name="cancelled",
        channel="sms",
        title="Order cancelled",
        text=f"Cancelled: {_why(cancelled)}. {_back(cancelled)}",
    )


def _back(cancelled: OrderCancelled) -> str:
    if cancelled.by_bank:
        return "Your bank has given your money back to you."
    return "Whatever you paid has been refunded."


def _why(cancelled: OrderCancelled) -> str:
    why = CAUSES[cancelled.cause]
    more = declines.reason_for(cancelled.detail) if cancelled.cause == "payment_failed" else ""
    return f"{why}: {more}" if more else why


def _notify_refused(refused: ReturnRefused) -> NotifyCustomer | None:
    if refused.is_goodwill:
        # The customer has asked for nothing.
        return None
    return NotifyCustomer(
        transaction_id=refused.order_id,
        name=f"return/{refused.return_id}",
        channel="sms",
        title="Return refused",
        text=refused.reason,
        is_answer=True,
    )


declare_reactions(
    "order",
    "payment",
    {
        OrderPlaced: _request_payment,
        InventoryRejected: _cancel_payment,
        FraudDetected: _cancel_payment,
        ShipmentCreated: _request_capture,
        ShipmentFailed: _cancel_payment,
        ShipmentCancelled: _cancel_payment,
        ReturnAccepted: _request_refund,
    },
)
declare_reactions(
    "order", "ledger", {ShipmentCreated: _recognize_sale, ShipmentCancelled: _reverse_sale}
)
declare_reactions(
    "order",
    "fraud",
    {ShipmentDelivered: _delivered, ShipmentCancelled: _stopped, ShipmentFailed: _stopped},
)
declare_reactions(
    "order",
    "notification",
    {
        ShipmentCreated: _notify_shipped,
        ShipmentDelivered: _notify_delivered,
        OrderCancelled: _notify_cancelled,
        ReturnRefused: _notify_refused,
    },
)
