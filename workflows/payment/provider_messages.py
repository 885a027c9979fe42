"""What payment asks the provider (`provider.commands`) and what came of it (`provider.answers`).

Every command may be repeated: its idempotency key is derived from the order and never changes.
`asked_at_ms` is not later than the first try under it (0: not known); it is forgotten after a day.
"""

from typing import Literal

import msgspec

from workflows.shared.limits import Currency, Milliseconds, MinorDue, Name, NameIfAny, Text
from workflows.shared.message import Message
from workflows.shared.personal import Personal

Capture = Literal["automatic", "manual"]
"""Whether confirming takes the money, or only holds it until a CaptureCharge."""


class ChargeCard(Message, tag="payflow.provider.charge_card.v1", frozen=True, kw_only=True):
    """Create and confirm the one payment intent of this order."""

    transaction_id: Name = msgspec.field(name="order_id")
    amount_minor: MinorDue
    currency: Currency
    payment_method: Personal[Name]
    capture: Capture = "automatic"
    asked_at_ms: Milliseconds = 0


class InquireCharge(Message, tag="payflow.provider.inquire_charge.v1", frozen=True, kw_only=True):
    """Find out what became of the charge; confirm it if the provider never saw the confirmation."""

    transaction_id: Name = msgspec.field(name="order_id")
    amount_minor: MinorDue
    currency: Currency
    payment_method: Personal[Name]
    attempt: int
    capture: Capture = "automatic"
    asked_at_ms: Milliseconds = 0
    payment_id: NameIfAny = ""
    """Empty while no answer has named it."""


class VoidCharge(Message, tag="payflow.provider.void_charge.v1", frozen=True, kw_only=True):
    """Cancel the intent; if it has charged already, say so instead."""

    transaction_id: Name = msgspec.field(name="order_id")
    amount_minor: MinorDue
    currency: Currency
    payment_method: Personal[Name]
    attempt: int
    capture: Capture = "automatic"
    asked_at_ms: Milliseconds = 0
    payment_id: NameIfAny = ""


class RefundCharge(Message, tag="payflow.provider.refund_charge.v1", frozen=True, kw_only=True):
    """Give `amount_minor` back, once for each `refund_key` however often it is asked."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    refund_key: Name
    amount_minor: MinorDue
    currency: Currency
    attempt: int
    asked_at_ms: Milliseconds = 0
    round: int = 0
    """How many refunds of this key have failed before: each round is a refund of its own."""
    refusals: int = 0
    """How often this round was refused for a dispute: the provider keeps such an answer."""


class InquireRefund(Message, tag="payflow.provider.inquire_refund.v1", frozen=True, kw_only=True):
    """Find out what has become of a refund that the provider has taken on."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    refund_key: Name
    refund_id: Name
    round: int = 0
    attempt: int
    asked_at_ms: Milliseconds = 0


class ChargeSucceeded(
    Message, tag="payflow.provider.charge_succeeded.v1", frozen=True, kw_only=True
):
    """The money is at the provider."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    amount_minor: MinorDue
    currency: str = ""
    """Empty in answers older than this field."""


class ChargeDeclined(Message, tag="payflow.provider.charge_declined.v1", frozen=True, kw_only=True):
    """The card was refused; nothing was taken."""

    transaction_id: Name = msgspec.field(name="order_id")
    attempt: int = 0
    reason: Text


class ChargeVoided(Message, tag="payflow.provider.charge_voided.v1", frozen=True, kw_only=True):
    """The intent is cancelled: it can never charge."""

    transaction_id: Name = msgspec.field(name="order_id")
    attempt: int = 0
    held_minor: MinorDue = 0
    """What it held and has voided; 0: nothing, and in answers older than this field."""


class ChargeUnknown(Message, tag="payflow.provider.charge_unknown.v1", frozen=True, kw_only=True):
    """Neither yes nor no: a time-out, a 5xx, a broken connection."""

    transaction_id: Name = msgspec.field(name="order_id")
    attempt: int
    reason: Text
    payment_id: NameIfAny = ""


class RefundSucceeded(
    Message, tag="payflow.provider.refund_succeeded.v1", frozen=True, kw_only=True
):
    """The money of this `refund_key` is on its way back."""

    transaction_id: Name = msgspec.field(name="order_id")
    refund_key: Name
    refund_id: Name
    amount_minor: MinorDue
    round: int = 0
    attempt: int = 0


class RefundPending(Message, tag="payflow.provider.refund_pending.v1", frozen=True, kw_only=True):
    """The provider has taken the refund on; no money has moved yet."""

    transaction_id: Name = msgspec.field(name="order_id")
    refund_key: Name
    refund_id: Name
    round: int = 0
    attempt: int = 0
    status: Literal["pending", "requires_action"]


class RefundFailed(Message, tag="payflow.provider.refund_failed.v1", frozen=True, kw_only=True):
    """The refund has failed, or the money of one that had succeeded has come back."""

    transaction_id: Name = msgspec.field(name="order_id")
    refund_key: Name
    refund_id: Name
    round: int = 0
    reason: Text


class RefundRefused(Message, tag="payflow.provider.refund_refused.v1", frozen=True, kw_only=True):
    """The provider refuses it, and always will: it was refunded by hand, or it is disputed."""

    transaction_id: Name = msgspec.field(name="order_id")
    refund_key: Name
    round: int = 0
    reason: Text
    dispute_id: NameIfAny = ""
    """Of the dispute that forbids it; empty: it is another reason."""


class RefundUnknown(Message, tag="payflow.provider.refund_unknown.v1", frozen=True, kw_only=True):
    """Neither yes nor no; payment asks again with the same key."""

    transaction_id: Name = msgspec.field(name="order_id")
    refund_key: Name
    attempt: int
    round: int = 0
    reason: Text


class ProviderNotified(Message, tag="payflow.provider.notified.v1", frozen=True, kw_only=True):
    """A signed webhook of the provider, emitted on `provider.webhooks` by the console.

    A hint: who holds the secret can sign anything, so the provider is asked before it counts.
    """

    transaction_id: Name = msgspec.field(name="order_id")
    notice_id: Name
    kind: Literal[
        "payment_succeeded",
        "payment_failed",
        "payment_canceled",
        "payment_authorized",
        "refund_changed",
        "dispute_changed",
    ]
    payment_id: Name
    amount_minor: MinorDue
    reason: Text = ""
    refund_id: NameIfAny = ""
    """Of `refund_changed`."""
    dispute_id: NameIfAny = ""
    """Of `dispute_changed`."""
