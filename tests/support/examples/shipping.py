"""What the shipping agent receives about one order."""

from tests.support.examples.order import CLEARED, PAID
from workflows.inventory.messages import InventoryReserved
from workflows.order.messages import OrderCancelRequested
from workflows.order.saga_messages import StepOverdue
from workflows.shipping.carrier_messages import (
    CarrierNotified,
    ShipmentBooked,
    ShipmentRefused,
    ShipmentTracked,
    ShipmentUnknown,
    ShipmentWithdrawn,
)

RESERVED = InventoryReserved(order_id="o1", units=3)
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
