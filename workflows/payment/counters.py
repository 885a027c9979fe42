"""What is counted of the messages on `payments`, as metrics."""

from workflows.payment.capture_messages import CaptureCaseOpened
from workflows.payment.dispute_messages import DisputeEvidenceDue, DisputeOpened
from workflows.payment.messages import PaymentMismatch, RefundCaseOpened, RefundOverdue
from workflows.shared.topic import MessageCounter

COUNTERS = (
    MessageCounter(
        message=RefundOverdue,
        metric="payflow_refunds_overdue_total",
        help="Refunds that the provider has owed for too long.",
    ),
    MessageCounter(
        message=PaymentMismatch,
        metric="payflow_payment_mismatches_total",
        help="Charges whose amount or currency is not what was asked for.",
    ),
    MessageCounter(
        message=RefundCaseOpened,
        metric="payflow_refund_cases_total",
        help="Refunds that wait for the decision of an operator.",
    ),
    MessageCounter(
        message=CaptureCaseOpened,
        metric="payflow_capture_cases_total",
        help="Shipped orders whose money cannot be taken, which wait for an operator.",
    ),
    MessageCounter(
        message=DisputeOpened,
        metric="payflow_disputes_total",
        help="Payments that a customer disputes with the bank.",
    ),
    MessageCounter(
        message=DisputeEvidenceDue,
        metric="payflow_dispute_evidence_due_total",
        help="Disputes that nobody has answered and that are lost soon.",
    ),
)
