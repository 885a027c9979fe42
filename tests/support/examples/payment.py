"""What the payment agent receives about one order of 10.00."""

from workflows.inventory.messages import InventoryRejected
from workflows.order.messages import Charge, Line, OrderPlaced
from workflows.order.saga_messages import ReturnAccepted
from workflows.payment.provider_messages import (
    ChargeDeclined,
    ChargeSucceeded,
    ChargeUnknown,
    ChargeVoided,
    ProviderNotified,
    RefundSucceeded,
    RefundUnknown,
)
from workflows.shipping.messages import ShipmentCancelled

PLACED = OrderPlaced(
    order_id="o1",
    customer_id="c1",
    country="France",
    currency="GBP",
    lines=(Line(sku="mug", quantity=2, amount_minor=900),),
    charges=(Charge(code="POST", amount_minor=100),),
    total_minor=1_000,
    payment_method="pm_card_visa",
    ordered_at_ms=5,
)
SUCCEEDED = ChargeSucceeded(transaction_id="o1", payment_id="pi", amount_minor=1_000)
UNKNOWN = ChargeUnknown(transaction_id="o1", attempt=0, reason="time-out")
DECLINED = ChargeDeclined(transaction_id="o1", reason="card_declined")
VOIDED = ChargeVoided(transaction_id="o1")
NOTICE = {"transaction_id": "o1", "notice_id": "n", "payment_id": "pi", "amount_minor": 1_000}
NOTIFIED = ProviderNotified(kind="payment_succeeded", **NOTICE)
NOTIFIED_FAILED = ProviderNotified(kind="payment_failed", reason="card_declined", **NOTICE)
CANCELLED = ShipmentCancelled(order_id="o1", cause="overdue")
REJECTED = InventoryRejected(order_id="o1", reason="out_of_stock")
RETURN = ReturnAccepted(order_id="o1", return_id="r1", lines=(), amount_minor=300, currency="GBP")
RETURN_REST = ReturnAccepted(
    order_id="o1", return_id="r2", lines=(), amount_minor=900, currency="GBP"
)
BACK = RefundSucceeded(
    transaction_id="o1", refund_key="compensation", refund_id="re", amount_minor=1_000
)
BACK_UNKNOWN = RefundUnknown(
    transaction_id="o1", refund_key="compensation", attempt=0, reason="500"
)
RETURN_BACK = RefundSucceeded(
    transaction_id="o1", refund_key="r1", refund_id="re1", amount_minor=300
)
