"""What payment does about the events of a top-up, and about the verdict on its payment."""

from workflows.giftcard.messages import CreditRefused, TopUpRequested

from workflows.fraud.messages import FraudDetected
from workflows.payment.instructions import CancelPayment, RequestPayment
from workflows.shared.reaction import declare_reactions


def _request_payment(requested: TopUpRequested) -> RequestPayment:
    return RequestPayment(
        transaction_id=requested.top_up_id,
        customer_id=requested.customer_id,
        country=requested.country,
        currency=requested.currency,
        total_minor=requested.amount_minor,
        goods_minor=requested.amount_minor,
        payment_method=requested.payment_method,
        ordered_at_ms=requested.requested_at_ms,
    )


def _cancel_payment(_event: CreditRefused | FraudDetected) -> CancelPayment:
    return CancelPayment()


declare_reactions(
    "giftcard",
    "payment",
    {
        TopUpRequested: _request_payment,
        CreditRefused: _cancel_payment,
        FraudDetected: _cancel_payment,
    },
)
