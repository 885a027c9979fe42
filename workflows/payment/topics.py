"""Topics of the subject payment."""

from workflows.payment.action_messages import (
    ChargeActionRequired,
    ChargeProcessing,
    PaymentProcessing,
)
from workflows.payment.capture_messages import (
    AuthorizationExpiring,
    CaptureCaseDecided,
    CaptureCaseOpened,
    PaymentVoided,
    PaymentWrittenOff,
)
from workflows.payment.messages import (
    PaymentFailed,
    PaymentMessage,
    PaymentMismatch,
    PaymentPending,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundPending,
    RefundCaseDecided,
    RefundCaseOpened,
    RefundOverdue,
)
from workflows.payment.provider_capture_messages import (
    CaptureAnswer,
    CaptureCharge,
    CaptureRefused,
    CaptureUnknown,
)
from workflows.payment.provider_messages import (
    ChargeCard,
    ChargeDeclined,
    ChargeSucceeded,
    ChargeUnknown,
    ChargeVoided,
    InquireCharge,
    InquireRefund,
    ProviderNotified,
    RefundCharge,
    RefundFailed,
    RefundPending,
    RefundRefused,
    RefundSucceeded,
    RefundUnknown,
    VoidCharge,
)
from workflows.payment.settlement_messages import SettlementMessage
from workflows.shared.topic import MessageCounter, by, declare

ProviderCommand = (
    ChargeCard | InquireCharge | VoidCharge | CaptureCharge | RefundCharge | InquireRefund
)
ProviderAnswer = (
    ChargeSucceeded
    | ChargeDeclined
    | ChargeVoided
    | ChargeUnknown
    | ChargeActionRequired
    | ChargeProcessing
    | RefundSucceeded
    | RefundPending
    | RefundFailed
    | RefundRefused
    | RefundUnknown
    | CaptureAnswer
)

payments = declare(
    "payments",
    PaymentMessage,
    key=by("transaction_id"),
    writer="payment",
    retention_ms=-1,
    traced=True,
    kinds={
        "compensation": (PaymentRefunded, PaymentVoided),
        "retry": (
            PaymentPending,
            PaymentProcessing,
            PaymentRefundPending,
            RefundOverdue,
            AuthorizationExpiring,
        ),
        "failure": (
            PaymentFailed,
            PaymentMismatch,
            PaymentRefundFailed,
            RefundCaseOpened,
            CaptureCaseOpened,
            PaymentWrittenOff,
        ),
    },
    counters=(
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
    ),
)
provider_commands = declare(
    "provider.commands",
    ProviderCommand,
    key=by("transaction_id"),
    writer="payment",
    traced=True,
    kinds={
        "compensation": (RefundCharge, VoidCharge),
        "retry": (InquireCharge, InquireRefund),
    },
)
provider_answers = declare(
    "provider.answers",
    ProviderAnswer,
    key=by("transaction_id"),
    writer="payment",
    traced=True,
    kinds={
        "compensation": (RefundSucceeded, ChargeVoided),
        "retry": (ChargeUnknown, RefundUnknown, RefundPending, CaptureUnknown, ChargeProcessing),
        "failure": (ChargeDeclined, RefundFailed, RefundRefused, CaptureRefused),
    },
)
provider_webhooks = declare(
    "provider.webhooks", ProviderNotified, key=by("transaction_id"), writer="console", traced=True
)
refund_decisions = declare(
    "refund.decisions", RefundCaseDecided, key=by("transaction_id"), writer="console", traced=True
)
capture_decisions = declare(
    "capture.decisions",
    CaptureCaseDecided,
    key=by("transaction_id"),
    writer="console",
    traced=True,
)
provider_settlements = declare(
    "provider.settlements",
    SettlementMessage,
    key=by("transaction_id"),
    writer="console",
    # What has been read of the provider's balance is known from here.
    retention_ms=-1,
    traced=True,
)
