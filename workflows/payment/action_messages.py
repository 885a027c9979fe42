"""A charge that waits for its customer or for the provider: the answer, and the fact.

The answers are on `provider.answers`, the facts on `payments`. Waiting is not an outage: each has a
deadline of its own.
"""

import msgspec

from workflows.shared.limits import Currency, Milliseconds, MinorDue, Name, Seconds, Url
from workflows.shared.message import Message
from workflows.shared.personal import Personal


class ChargeActionRequired(
    Message, tag="payflow.provider.charge_action_required.v1", frozen=True, kw_only=True
):
    """The customer has to confirm the payment with the bank, at `url`; nothing is taken yet."""

    transaction_id: Name = msgspec.field(name="order_id")
    attempt: int = 0
    payment_id: Name
    url: Url
    wait_seconds: Seconds
    """How long the customer may take."""


class ChargeProcessing(
    Message, tag="payflow.provider.charge_processing.v1", frozen=True, kw_only=True
):
    """The provider has taken the charge on and does not know its outcome yet."""

    transaction_id: Name = msgspec.field(name="order_id")
    attempt: int = 0
    payment_id: Name
    wait_seconds: Seconds
    """How long the provider may take."""


class PaymentActionRequired(
    Message, tag="payflow.payment.action_required.v1", frozen=True, kw_only=True
):
    """The customer has until `deadline_at_ms` to confirm at `url`; then the charge is voided."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    url: Url
    deadline_at_ms: Milliseconds
    amount_minor: MinorDue
    currency: Currency
    customer_id: Personal[str] = ""


class PaymentProcessing(Message, tag="payflow.payment.processing.v1", frozen=True, kw_only=True):
    """The provider has until `deadline_at_ms` to say what became of it; then it is voided."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    deadline_at_ms: Milliseconds
