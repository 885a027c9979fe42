"""What payment asks the provider (`provider.commands`) and what came of it (`provider.answers`).

Every command may be repeated: its idempotency key is derived from the order and never changes.
"""

from typing import Literal

import msgspec

from workflows.shared.limits import Currency, MinorDue, Name, Text
from workflows.shared.message import Message
from workflows.shared.personal import Personal


class ChargeCard(Message, tag="payflow.provider.charge_card.v1", frozen=True, kw_only=True):
    """Create and confirm the one payment intent of this order."""

    transaction_id: Name = msgspec.field(name="order_id")
    amount_minor: MinorDue
    currency: Currency
    payment_method: Personal[Name]


class InquireCharge(Message, tag="payflow.provider.inquire_charge.v1", frozen=True, kw_only=True):
    """Find out what became of the charge; confirm it if the provider never saw the confirmation."""

    transaction_id: Name = msgspec.field(name="order_id")
    amount_minor: MinorDue
    currency: Currency
    payment_method: Personal[Name]
    attempt: int


class VoidCharge(Message, tag="payflow.provider.void_charge.v1", frozen=True, kw_only=True):
    """Cancel the intent; if it has charged already, say so instead."""

    transaction_id: Name = msgspec.field(name="order_id")
    amount_minor: MinorDue
    currency: Currency
    payment_method: Personal[Name]
    attempt: int


class RefundCharge(Message, tag="payflow.provider.refund_charge.v1", frozen=True, kw_only=True):
    """Give `amount_minor` back, once for each `refund_key` however often it is asked."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    refund_key: Name
    amount_minor: MinorDue
    currency: Currency
    attempt: int


class ChargeSucceeded(
    Message, tag="payflow.provider.charge_succeeded.v1", frozen=True, kw_only=True
):
    """The money is at the provider."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    amount_minor: MinorDue


class ChargeDeclined(Message, tag="payflow.provider.charge_declined.v1", frozen=True, kw_only=True):
    """The card was refused; nothing was taken."""

    transaction_id: Name = msgspec.field(name="order_id")
    reason: Text


class ChargeVoided(Message, tag="payflow.provider.charge_voided.v1", frozen=True, kw_only=True):
    """The intent is cancelled: it can never charge."""

    transaction_id: Name = msgspec.field(name="order_id")


class ChargeUnknown(Message, tag="payflow.provider.charge_unknown.v1", frozen=True, kw_only=True):
    """Neither yes nor no: a time-out, a 5xx, a broken connection."""

    transaction_id: Name = msgspec.field(name="order_id")
    attempt: int
    reason: Text


class RefundSucceeded(
    Message, tag="payflow.provider.refund_succeeded.v1", frozen=True, kw_only=True
):
    """The money of this `refund_key` is on its way back."""

    transaction_id: Name = msgspec.field(name="order_id")
    refund_key: Name
    refund_id: Name
    amount_minor: MinorDue


class RefundUnknown(Message, tag="payflow.provider.refund_unknown.v1", frozen=True, kw_only=True):
    """Neither yes nor no; payment asks again with the same key."""

    transaction_id: Name = msgspec.field(name="order_id")
    refund_key: Name
    attempt: int
    reason: Text


class ProviderNotified(Message, tag="payflow.provider.notified.v1", frozen=True, kw_only=True):
    """A signed webhook of the provider, emitted on `provider.webhooks` by the console."""

    transaction_id: Name = msgspec.field(name="order_id")
    notice_id: Name
    kind: Literal["payment_succeeded", "payment_failed", "payment_canceled"]
    payment_id: Name
    amount_minor: MinorDue
    reason: Text = ""


ProviderCommand = ChargeCard | InquireCharge | VoidCharge | RefundCharge
ProviderAnswer = (
    ChargeSucceeded
    | ChargeDeclined
    | ChargeVoided
    | ChargeUnknown
    | RefundSucceeded
    | RefundUnknown
)
