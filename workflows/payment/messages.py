"""Money as facts: emitted on `payments` by payment."""

from typing import Literal

import msgspec

from workflows.payment.action_messages import PaymentActionRequired, PaymentProcessing
from workflows.payment.capture_messages import CaptureMessage
from workflows.payment.dispute_messages import DisputeMessage, RefundKind
from workflows.payment.origin import UNKNOWN, Origin
from workflows.shared.limits import Currency, Milliseconds, Minor, MinorDue, Name, NameIfAny, Text
from workflows.shared.message import Message
from workflows.shared.personal import NamesPeople, Personal


class PaymentCompleted(Message, tag="payflow.payment.completed.v1", frozen=True, kw_only=True):
    """The money is taken. It carries all that fraud and ledger need."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    amount_minor: MinorDue
    goods_minor: MinorDue
    charges_minor: Minor
    currency: Currency
    customer_id: Personal[str] = ""
    country: Name
    ordered_at_ms: Milliseconds
    origin: Origin = UNKNOWN
    authorized: bool = False
    """Whether PaymentAuthorized was emitted before it."""
    released_minor: MinorDue = 0
    """What of the hold was voided with it, since not all items have left."""


class PaymentFailed(Message, tag="payflow.payment.failed.v1", frozen=True, kw_only=True):
    """No money was taken and none will be.

    It carries the amount for the agents that count declined tries.
    """

    transaction_id: Name = msgspec.field(name="order_id")
    reason: Text
    declined: bool = False
    """Whether the provider declined the card, as against a cancellation."""
    amount_minor: MinorDue = 0
    currency: str = ""
    customer_id: Personal[str] = ""
    ordered_at_ms: Milliseconds = 0
    origin: Origin = UNKNOWN


class PaymentMismatch(Message, tag="payflow.payment.mismatch.v1", frozen=True, kw_only=True):
    """The provider has taken another amount or currency than it was asked for; nothing goes on."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    amount_minor: MinorDue
    currency: Currency
    charged_minor: MinorDue
    charged_currency: Currency


class PaymentPending(Message, tag="payflow.payment.pending.v1", frozen=True, kw_only=True):
    """The provider may or may not have charged; inquiry follows."""

    transaction_id: Name = msgspec.field(name="order_id")
    reason: Text


class PaymentRefunded(Message, tag="payflow.payment.refunded.v1", frozen=True, kw_only=True):
    """Money went back: all of it (`compensation`), for what has not left, or for a return."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    refund_id: Name
    amount_minor: MinorDue
    currency: Currency
    kind: RefundKind
    return_id: str = ""
    by_hand: bool = False
    """Not through the provider: an operator has paid it another way, `refund_id` says how."""
    left_minor: MinorDue = 0
    """What is still to come of it: the provider has refunded less than it was asked for."""


class PaymentRefundPending(
    Message, tag="payflow.payment.refund_pending.v1", frozen=True, kw_only=True
):
    """The provider has taken a refund on; it may take days, and may fail."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    refund_id: Name
    amount_minor: MinorDue
    currency: Currency
    kind: RefundKind
    return_id: str = ""


class PaymentRefundFailed(
    Message, tag="payflow.payment.refund_failed.v1", frozen=True, kw_only=True
):
    """A refund has failed; the money is still, or again, at the provider."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    refund_id: Name
    amount_minor: MinorDue
    currency: Currency
    kind: RefundKind
    return_id: str = ""
    reason: Text
    was_refunded: bool
    """Whether PaymentRefunded was emitted for it before, and is to be reversed."""
    tries_again: bool = True
    """Whether the provider is asked for another refund; else an operator decides."""
    left_minor: MinorDue = 0
    """What else of it was still to come: it did not count as refunded yet."""


class RefundCaseOpened(
    Message, tag="payflow.payment.refund_case_opened.v1", frozen=True, kw_only=True
):
    """A refund has failed or is refused for good: an operator has to decide."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    refund_key: Name
    amount_minor: MinorDue
    currency: Currency
    asked_at_ms: Milliseconds
    reason: Text


class CaseDecisionRefused(
    Message, tag="payflow.payment.case_decision_refused.v1", frozen=True, kw_only=True
):
    """A decision of an operator came too late: another one counts, or nothing waits any more."""

    transaction_id: Name = msgspec.field(name="order_id")
    case: Text
    """Such as `refund/compensation`, `capture`, `dispute/du_1`."""
    decision: Name
    reference: NamesPeople[NameIfAny] = ""
    decided_by: NameIfAny = ""
    reason: Text


class RefundOverdue(Message, tag="payflow.payment.refund_overdue.v1", frozen=True, kw_only=True):
    """A refund asked for since `asked_at_ms` is still not known; it is asked for all the same."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    refund_key: Name
    amount_minor: MinorDue
    currency: Currency
    asked_at_ms: Milliseconds
    reason: Text


class RefundCaseDecided(
    Message, tag="payflow.payment.refund_case_decided.v1", frozen=True, kw_only=True
):
    """An operator has decided a case: ask the provider again, or the money went another way."""

    transaction_id: Name = msgspec.field(name="order_id")
    refund_key: Name
    decision: Literal["retry", "settled"]
    reference: NamesPeople[NameIfAny] = ""
    """Of `settled`: what to find the payment by, such as the id of a bank transfer."""
    amount_minor: MinorDue = 0
    """What it pays, by the provider or as the operator has seen it due; 0: nobody has said."""
    round: int | None = None
    """Which round of the case it is about; None: whichever waits."""
    decided_by: NameIfAny = ""


PaymentMessage = (
    PaymentCompleted
    | PaymentFailed
    | PaymentPending
    | PaymentMismatch
    | PaymentActionRequired
    | PaymentProcessing
    | PaymentRefunded
    | PaymentRefundPending
    | PaymentRefundFailed
    | RefundCaseOpened
    | RefundOverdue
    | CaseDecisionRefused
    | CaptureMessage
    | DisputeMessage
)
