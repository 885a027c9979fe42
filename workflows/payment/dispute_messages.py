"""Payments that customers dispute with their banks: emitted on `payments` by payment.

Amounts are those of the provider's balance: the fee counts where the provider reports it.
"""

from typing import Literal

import msgspec

from workflows.shared.limits import (
    Currency,
    Evidence,
    Milliseconds,
    MinorDue,
    Name,
    NameIfAny,
    Text,
)
from workflows.shared.message import Message
from workflows.shared.personal import Personal

RefundKind = Literal["compensation", "return", "unshipped"]
"""Of what money goes back: a cancelled order, a return, or lines that have not left."""


class DisputeOpened(Message, tag="payflow.payment.dispute_opened.v1", frozen=True, kw_only=True):
    """A customer disputes the payment; an inquiry moves no money and may become a chargeback."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    dispute_id: Name
    amount_minor: MinorDue
    currency: Currency
    reason: Text
    is_inquiry: bool
    evidence_due_by_ms: Milliseconds = 0
    """Until when the bank takes evidence; 0: it takes none."""


class DisputeEscalated(
    Message, tag="payflow.payment.dispute_escalated.v1", frozen=True, kw_only=True
):
    """An inquiry has become a chargeback."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    dispute_id: Name
    amount_minor: MinorDue
    currency: Currency
    reason: Text
    evidence_due_by_ms: Milliseconds = 0


class DisputeFundsWithdrawn(
    Message, tag="payflow.payment.dispute_funds_withdrawn.v1", frozen=True, kw_only=True
):
    """The provider has taken the disputed amount from us, and its fee."""

    transaction_id: Name = msgspec.field(name="order_id")
    dispute_id: Name
    amount_minor: MinorDue
    fee_minor: MinorDue
    currency: Currency


class DisputeFundsReinstated(
    Message, tag="payflow.payment.dispute_funds_reinstated.v1", frozen=True, kw_only=True
):
    """The amount is back, and of the fee what the provider returns."""

    transaction_id: Name = msgspec.field(name="order_id")
    dispute_id: Name
    amount_minor: MinorDue
    fee_minor: MinorDue
    currency: Currency


class DisputeEvidenceDue(
    Message, tag="payflow.payment.dispute_evidence_due.v1", frozen=True, kw_only=True
):
    """Nobody has answered the dispute, and soon it is too late."""

    transaction_id: Name = msgspec.field(name="order_id")
    dispute_id: Name
    amount_minor: MinorDue
    currency: Currency
    evidence_due_by_ms: Milliseconds


class DisputeEvidenceSubmitted(
    Message, tag="payflow.payment.dispute_evidence_submitted.v1", frozen=True, kw_only=True
):
    """The bank has our evidence and decides."""

    transaction_id: Name = msgspec.field(name="order_id")
    dispute_id: Name


class DisputeAnswerRefused(
    Message, tag="payflow.payment.dispute_answer_refused.v1", frozen=True, kw_only=True
):
    """The provider has not taken what an operator decided; the operator may decide again."""

    transaction_id: Name = msgspec.field(name="order_id")
    dispute_id: Name
    decision: Literal["submit", "accept"]
    reason: Text


class DisputeClosed(Message, tag="payflow.payment.dispute_closed.v1", frozen=True, kw_only=True):
    """The bank has decided: `lost` is the customer's, `won` ours, a closed warning nobody's."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    dispute_id: Name
    outcome: Literal["won", "lost", "warning_closed"]
    reason: Text
    amount_minor: MinorDue
    """Of `lost`: what was withdrawn and has not come back; else what was disputed."""
    currency: Currency


class PaymentRefundHeld(Message, tag="payflow.payment.refund_held.v1", frozen=True, kw_only=True):
    """A refund is not asked for while the bank has the money of its payment, or asks about it."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    dispute_id: NameIfAny
    refund_key: Name
    amount_minor: MinorDue
    currency: Currency
    kind: RefundKind
    return_id: str = ""
    is_inquiry: bool = False
    """The bank only asks: a refund of all that was paid would go."""


class RefundCoveredByDispute(
    Message, tag="payflow.payment.refund_covered_by_dispute.v1", frozen=True, kw_only=True
):
    """The customer's bank has given this much of a refund back: it is not paid a second time."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    dispute_id: NameIfAny
    refund_key: Name
    amount_minor: MinorDue
    left_minor: MinorDue
    """What of the refund is still to be paid by us."""
    currency: Currency
    kind: RefundKind
    return_id: str = ""


class DisputeDecided(Message, tag="payflow.payment.dispute_decided.v1", frozen=True, kw_only=True):
    """An operator answers a dispute with evidence, or accepts it: on `dispute.decisions`.

    `refund`: parts of the payment go back although the bank asks about it.
    """

    transaction_id: Name = msgspec.field(name="order_id")
    dispute_id: Name
    decision: Literal["submit", "accept", "refund"]
    evidence_text: Personal[Evidence] = ""
    """Of `submit`."""
    round: int | None = None
    """How often the provider had been asked when it was decided; None: not known."""
    stage: NameIfAny = ""
    """What was decided about, such as `inquiry`, `chargeback`, or `chargeback-2` after an answer
    that the provider has not taken. Empty, of a version before: whatever waits when it comes."""
    decided_by: NameIfAny = ""


DisputeMessage = (
    DisputeOpened
    | DisputeEscalated
    | DisputeFundsWithdrawn
    | DisputeFundsReinstated
    | DisputeEvidenceDue
    | DisputeEvidenceSubmitted
    | DisputeAnswerRefused
    | DisputeClosed
    | PaymentRefundHeld
    | RefundCoveredByDispute
)
