"""Topics of the subject payment."""

from workflows.payment import dispute_messages as disputes
from workflows.payment import provider_dispute_messages as dispute_messages
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
from workflows.payment.counters import COUNTERS
from workflows.payment.dispute_messages import DisputeDecided, DisputeEvidenceDue, DisputeOpened
from workflows.payment.messages import (
    CaseDecisionRefused,
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
from workflows.payment.provider_dispute_messages import DisputeAnswer, DisputeCommand
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
from workflows.shared.topic import by, declare

ProviderCommand = (
    ChargeCard
    | InquireCharge
    | VoidCharge
    | CaptureCharge
    | RefundCharge
    | InquireRefund
    | DisputeCommand
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
    | DisputeAnswer
)

payments = declare(
    "payments",
    PaymentMessage,
    key=by("transaction_id"),
    writer="payment",
    retention_ms=-1,
    traced=True,
    kinds={
        "compensation": (
            PaymentRefunded,
            PaymentVoided,
            disputes.DisputeFundsReinstated,
            disputes.RefundCoveredByDispute,
        ),
        "retry": (
            PaymentPending,
            PaymentProcessing,
            PaymentRefundPending,
            RefundOverdue,
            AuthorizationExpiring,
            disputes.PaymentRefundHeld,
        ),
        "failure": (
            PaymentFailed,
            PaymentMismatch,
            PaymentRefundFailed,
            RefundCaseOpened,
            CaseDecisionRefused,
            CaptureCaseOpened,
            PaymentWrittenOff,
            DisputeOpened,
            disputes.DisputeFundsWithdrawn,
            DisputeEvidenceDue,
            disputes.DisputeAnswerRefused,
        ),
    },
    counters=COUNTERS,
)
provider_commands = declare(
    "provider.commands",
    ProviderCommand,
    key=by("transaction_id"),
    writer="payment",
    traced=True,
    kinds={
        "compensation": (RefundCharge, VoidCharge, dispute_messages.CloseDispute),
        "retry": (InquireCharge, InquireRefund, dispute_messages.InquireDispute),
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
        "retry": (
            ChargeUnknown,
            RefundUnknown,
            RefundPending,
            CaptureUnknown,
            ChargeProcessing,
            dispute_messages.DisputeUnknown,
        ),
        "failure": (
            ChargeDeclined,
            RefundFailed,
            RefundRefused,
            CaptureRefused,
            dispute_messages.DisputeRefused,
        ),
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
dispute_decisions = declare(
    "dispute.decisions", DisputeDecided, key=by("transaction_id"), writer="console", traced=True
)
