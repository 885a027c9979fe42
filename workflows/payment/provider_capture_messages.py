"""What payment asks the provider about money that is held, and what came of it.

They travel with the messages of `workflows/payment/provider_messages.py`. In round 0 the hold is
captured. In later rounds, which an operator asks for, the card is charged anew where the provider
has let the hold go.
"""

import msgspec

from workflows.shared.limits import Currency, Milliseconds, MinorDue, Name, NameIfAny, Text
from workflows.shared.message import Message
from workflows.shared.personal import Personal


class CaptureCharge(Message, tag="payflow.provider.capture_charge.v1", frozen=True, kw_only=True):
    """Take `amount_minor` of what is held, once a round however often it is asked."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    amount_minor: MinorDue
    currency: Currency
    payment_method: Personal[Name]
    round: int = 0
    attempt: int
    asked_at_ms: Milliseconds
    """Not later than the first try of this round."""


class ChargeAuthorized(
    Message, tag="payflow.provider.charge_authorized.v1", frozen=True, kw_only=True
):
    """The provider holds the amount; nothing is taken yet."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    amount_minor: MinorDue
    """What can be captured."""
    currency: Currency
    capture_before_ms: Milliseconds
    attempt: int = 0


class ChargeCaptured(Message, tag="payflow.provider.charge_captured.v1", frozen=True, kw_only=True):
    """The money is at the provider."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    """Of the intent that took it: another one in a later round."""
    amount_minor: MinorDue
    currency: Currency
    round: int = 0


class CaptureRefused(Message, tag="payflow.provider.capture_refused.v1", frozen=True, kw_only=True):
    """The provider does not take it in this round, and will not: refused, or the hold is gone."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: NameIfAny = ""
    round: int = 0
    is_void: bool = False
    """Whether nothing is held any more."""
    reason: Text


class CaptureUnknown(Message, tag="payflow.provider.capture_unknown.v1", frozen=True, kw_only=True):
    """Neither yes nor no; payment asks again with the same key."""

    transaction_id: Name = msgspec.field(name="order_id")
    round: int = 0
    attempt: int
    reason: Text


CaptureAnswer = ChargeAuthorized | ChargeCaptured | CaptureRefused | CaptureUnknown
