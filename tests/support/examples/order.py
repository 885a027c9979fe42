"""What the order agent receives about one order of two skus."""

from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.inventory.messages import (
    InventoryRejected,
    InventoryReleased,
    InventoryReserved,
)
from workflows.order.messages import GoodwillGranted, Line, OrderPlaced, ReturnLine, ReturnRequested
from workflows.payment.messages import (
    PaymentCompleted,
    PaymentFailed,
    PaymentPending,
    PaymentRefunded,
)
from workflows.shipping.messages import (
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
)

PLACED = OrderPlaced(
    order_id="o1",
    country="France",
    currency="GBP",
    lines=(
        Line(sku="mug", quantity=2, amount_minor=400),
        Line(sku="mug", quantity=1, amount_minor=200),
        Line(sku="tin", quantity=1, amount_minor=400),
    ),
    total_minor=1_000,
    payment_method="pm_card_visa",
    ordered_at_ms=5,
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
RESERVED = InventoryReserved(order_id="o1", units=4)
CLEARED = FraudCleared(transaction_id="o1", score=0, rules_version="1")
DETECTED = FraudDetected(transaction_id="o1", score=1, reasons=("a", "b"), rules_version="1")
CREATED = ShipmentCreated(order_id="o1", shipment_id="s1")
DELIVERED = ShipmentDelivered(order_id="o1", shipment_id="s1")
PENDING = PaymentPending(transaction_id="o1", reason="time-out")
DECLINED = PaymentFailed(transaction_id="o1", reason="card_declined")
UNPAID = PaymentFailed(transaction_id="o1", reason="cancelled")
STOCK_OUT = InventoryRejected(order_id="o1", reason="out_of_stock", skus=("mug", "tin"))
UNRESERVED = InventoryRejected(order_id="o1", reason="cancelled")
RELEASED = InventoryReleased(order_id="o1")
CANCELLED = ShipmentCancelled(order_id="o1", cause="cancelled_by_customer")
READY = [PLACED, PAID, RESERVED, CLEARED]
DONE = [*READY, CREATED, DELIVERED]


def refunded(kind: str, amount_minor: int, return_id: str = "") -> PaymentRefunded:
    """Return that money went back."""
    return PaymentRefunded(
        transaction_id="o1",
        payment_id="pi",
        refund_id=f"re-{return_id}",
        amount_minor=amount_minor,
        currency="GBP",
        kind=kind,
        return_id=return_id,
    )


REFUNDED = refunded("compensation", 1_000)


def back(
    return_id: str, units: int, amount_minor: int = 0, sku: str = "mug", line: int = 0
) -> ReturnRequested:
    """Return a request to send `units` back; one of an earlier version names an amount."""
    return_line = ReturnLine(sku=sku, quantity=units, amount_minor=amount_minor, line=line)
    return ReturnRequested(
        order_id="o1", return_id=return_id, lines=(return_line,), amount_minor=amount_minor
    )


TWO, TWO_MORE, PRICEY = back("r1", 2), back("r2", 2), back("r3", 1, 700)
GOODWILL = GoodwillGranted(order_id="o1", return_id="goodwill-1", amount_minor=300)
