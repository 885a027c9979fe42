"""Topics of the subject payment."""

from workflows.payment.messages import (
    PaymentFailed,
    PaymentMessage,
    PaymentPending,
    PaymentRefunded,
    RefundOverdue,
)
from workflows.payment.provider_messages import (
    ChargeDeclined,
    ChargeUnknown,
    ChargeVoided,
    InquireCharge,
    ProviderAnswer,
    ProviderCommand,
    ProviderNotified,
    RefundCharge,
    RefundSucceeded,
    RefundUnknown,
    VoidCharge,
)
from workflows.shared.topic import MessageCounter, by, declare

payments = declare(
    "payments",
    PaymentMessage,
    key=by("transaction_id"),
    writer="payment",
    retention_ms=-1,
    traced=True,
    kinds={
        "compensation": (PaymentRefunded,),
        "retry": (PaymentPending, RefundOverdue),
        "failure": (PaymentFailed,),
    },
    counters=(
        MessageCounter(
            message=RefundOverdue,
            metric="payflow_refunds_overdue_total",
            help="Refunds that the provider has owed for too long.",
        ),
    ),
)
provider_commands = declare(
    "provider.commands",
    ProviderCommand,
    key=by("transaction_id"),
    writer="payment",
    traced=True,
    kinds={"compensation": (RefundCharge, VoidCharge), "retry": (InquireCharge,)},
)
provider_answers = declare(
    "provider.answers",
    ProviderAnswer,
    key=by("transaction_id"),
    writer="payment",
    traced=True,
    kinds={
        "compensation": (RefundSucceeded, ChargeVoided),
        "retry": (ChargeUnknown, RefundUnknown),
        "failure": (ChargeDeclined,),
    },
)
provider_webhooks = declare(
    "provider.webhooks", ProviderNotified, key=by("transaction_id"), writer="console", traced=True
)
