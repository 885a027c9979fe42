"""What each message counts as in the live figures. Part of analytics."""

from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.inventory.messages import InventoryRejected, InventoryReserved
from workflows.notification.messages import (
    NotificationFailed,
    NotificationSent,
    NotificationWithheld,
)
from workflows.order.messages import OrderPlaced, ReturnRequested
from workflows.order.saga_messages import (
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    ReturnAccepted,
    ReturnRefused,
    StepOverdue,
)
from workflows.payment.capture_messages import (
    CaptureCaseOpened,
    PaymentAuthorized,
    PaymentVoided,
    PaymentWrittenOff,
)
from workflows.payment.dispute_messages import DisputeClosed, DisputeOpened
from workflows.payment.messages import (
    PaymentCompleted,
    PaymentFailed,
    PaymentMismatch,
    PaymentPending,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundPending,
    RefundCaseOpened,
    RefundOverdue,
)
from workflows.shared.message import Message
from workflows.shipping.messages import (
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentFailed,
)

COUNTED: dict[type[Message], str] = {
    OrderPlaced: "orders",
    OrderConfirmed: "confirmed",
    OrderCompleted: "completed",
    OrderCancelled: "cancelled",
    StepOverdue: "overdue",
    ReturnRequested: "returns_requested",
    ReturnAccepted: "returns_accepted",
    ReturnRefused: "returns_refused",
    PaymentAuthorized: "authorized",
    PaymentVoided: "voided",
    CaptureCaseOpened: "capture_cases",
    PaymentWrittenOff: "written_off",
    PaymentCompleted: "payments",
    PaymentFailed: "payment_failed",
    PaymentPending: "payment_pending",
    PaymentMismatch: "payment_mismatches",
    PaymentRefunded: "refunds",
    RefundOverdue: "refunds_overdue",
    PaymentRefundPending: "refunds_pending",
    PaymentRefundFailed: "refunds_failed",
    RefundCaseOpened: "refund_cases",
    DisputeOpened: "disputes",
    DisputeClosed: "disputes_closed",
    InventoryReserved: "reserved",
    InventoryRejected: "rejected",
    FraudDetected: "fraud_detected",
    FraudCleared: "fraud_cleared",
    ShipmentCreated: "shipments",
    ShipmentFailed: "shipment_failed",
    ShipmentCancelled: "shipment_cancelled",
    ShipmentDelivered: "delivered",
    NotificationSent: "notifications",
    NotificationFailed: "notifications_failed",
    NotificationWithheld: "notifications_withheld",
}
"""The figure in which each message counts as one."""
TIMED: dict[type[Message], str] = {
    PaymentAuthorized: "to_authorization_ms",
    PaymentCompleted: "to_payment_ms",
    InventoryReserved: "to_reserved_ms",
    FraudDetected: "to_verdict_ms",
    FraudCleared: "to_verdict_ms",
    ShipmentCreated: "to_shipped_ms",
    OrderCompleted: "to_end_ms",
    OrderCancelled: "to_end_ms",
}
"""The sum to which each message adds its time since the order was placed."""
SUMMED: dict[type[Message], str] = {
    PaymentAuthorized: "authorized_minor",
    PaymentCompleted: "revenue_minor",
    PaymentVoided: "voided_minor",
    PaymentRefunded: "refunds_minor",
    DisputeOpened: "disputed_minor",
}
"""The sum to which each message adds its amount, by currency."""
