"""What the shipping agent receives about one order."""

from workflows.fraud.messages import FraudCleared
from workflows.inventory.messages import InventoryReserved
from workflows.order.messages import OrderCancelRequested
from workflows.order.saga_messages import StepOverdue
from workflows.payment.messages import PaymentCompleted
from workflows.shipping.carrier_messages import (
    CarrierNotified,
    ShipmentBooked,
    ShipmentRefused,
    ShipmentTracked,
    ShipmentUnknown,
    ShipmentWithdrawn,
)

PAID = PaymentCompleted(
    transaction_id="o1",
    payment_id="pi",
    amount_minor=1_000,
    goods_minor=1_000,
    charges_minor=0,
    currency="GBP",
    country="France",
    ordered_at_ms=5,
)
RESERVED = InventoryReserved(order_id="o1", units=3)
CLEARED = FraudCleared(transaction_id="o1", score=0, rules_version="1")
READY = [PAID, RESERVED, CLEARED]
BOOKED = ShipmentBooked(order_id="o1", shipment_id="s1", tracking="T1")
UNKNOWN = ShipmentUnknown(order_id="o1", attempt=0, reason="500")
REFUSED = ShipmentRefused(order_id="o1", reason="no such place")
WITHDRAWN = ShipmentWithdrawn(order_id="o1")
IN_TRANSIT = ShipmentTracked(order_id="o1", shipment_id="s1", status="in_transit")
TRACKED = ShipmentTracked(order_id="o1", shipment_id="s1", status="delivered")
NOTIFIED = CarrierNotified(order_id="o1", notice_id="n", shipment_id="s1", status="delivered")
CANCEL = OrderCancelRequested(order_id="o1")


def overdue(step: str) -> StepOverdue:
    """Return that `step` is late."""
    return StepOverdue(order_id="o1", step=step, due_at_ms=5)
