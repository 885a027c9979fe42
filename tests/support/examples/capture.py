"""Messages about the payment of one order whose money is held first."""

from msgspec.structs import replace

from tests.support.examples.payment import CANCELLED, PLACED, UNKNOWN, VOIDED
from tests.support.workflow_runner import START_MS
from workflows.order.partial_shipment import PartialShipment, UnavailableLine
from workflows.payment.provider_capture_messages import ChargeAuthorized, ChargeCaptured
from workflows.shipping.messages import ShipmentCreated

__all__ = ["CANCELLED", "UNKNOWN", "VOIDED"]

LATER = replace(PLACED, capture="at_shipment")
HELD = ChargeAuthorized(
    transaction_id="o1",
    payment_id="pi",
    amount_minor=1_000,
    currency="GBP",
    capture_before_ms=START_MS + 7 * 86_400_000,
)
SHIPPED = ShipmentCreated(order_id="o1", shipment_id="s1")
CAPTURED = ChargeCaptured(transaction_id="o1", payment_id="pi", amount_minor=1_000, currency="GBP")
CAPTURED_IN_PART = replace(CAPTURED, amount_minor=525)
PARTIAL = PartialShipment(
    unavailable=(UnavailableLine(line=2, sku="tin", quantity=1, amount_minor=475),),
    amount_minor=525,
    items_minor=500,
    charges_minor=25,
    released_minor=475,
    currency="GBP",
)
CREATED_IN_PART = ShipmentCreated(order_id="o1", shipment_id="s1", partial=PARTIAL)
