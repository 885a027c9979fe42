"""What the notification agent receives about an order."""

from workflows.order.saga_messages import Cause, OrderCancelled
from workflows.payment.messages import PaymentCompleted, PaymentRefunded
from workflows.shipping.messages import ShipmentCreated, ShipmentDelivered


def refunded(refund_id: str, return_id: str = "") -> PaymentRefunded:
    """Return a refund; without a return it compensates."""
    return PaymentRefunded(
        transaction_id="o1",
        payment_id="p1",
        refund_id=refund_id,
        amount_minor=105,
        currency="GBP",
        kind="return" if return_id else "compensation",
        return_id=return_id,
    )


def cancelled(cause: Cause) -> OrderCancelled:
    """Return a cancelled order."""
    return OrderCancelled(order_id="o1", cause=cause)


PAID = PaymentCompleted(
    transaction_id="o1",
    payment_id="p1",
    amount_minor=1_250,
    goods_minor=1_250,
    charges_minor=0,
    currency="GBP",
    customer_id="c1",
    country="France",
    ordered_at_ms=1,
)
CREATED = ShipmentCreated(order_id="o1", shipment_id="s1", tracking="T9")
DELIVERED = ShipmentDelivered(order_id="o1", shipment_id="s1")
