"""What the ledger receives about an order: payments, refunds, the shipment."""

from workflows.payment.messages import PaymentCompleted, PaymentRefunded
from workflows.shipping.messages import ShipmentCancelled, ShipmentCreated


def paid(goods_minor: int, charges_minor: int) -> PaymentCompleted:
    """Return a completed payment."""
    return PaymentCompleted(
        transaction_id="o1",
        payment_id="p1",
        amount_minor=goods_minor + charges_minor,
        goods_minor=goods_minor,
        charges_minor=charges_minor,
        currency="GBP",
        country="France",
        ordered_at_ms=1,
    )


def refunded(refund_id: str, amount_minor: int, return_id: str = "") -> PaymentRefunded:
    """Return a refund; without a return it compensates."""
    return PaymentRefunded(
        transaction_id="o1",
        payment_id="p1",
        refund_id=refund_id,
        amount_minor=amount_minor,
        currency="GBP",
        kind="return" if return_id else "compensation",
        return_id=return_id,
    )


CREATED = ShipmentCreated(order_id="o1", shipment_id="s1")
STOPPED = ShipmentCancelled(order_id="o1", cause="cancelled_by_customer", shipment_id="s1")
NEVER_SHIPPED = ShipmentCancelled(order_id="o1", cause="overdue")
