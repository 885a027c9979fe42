"""Disputes of one payment: what is asked of the provider, and what is emitted.

Part of the payment workflow. A webhook is a reason to ask; what the provider then reports becomes
facts, each once and in the order in which such things happen, however late it is known.
`workflows/payment/dispute_evolution.py` says how a dispute goes on.
"""

from typing import Any, Literal

import msgspec

from workflows.payment import dispute_messages as facts
from workflows.payment import provider_dispute_messages as provider
from workflows.payment.charge import Bill
from workflows.payment.dispute_stages import INQUIRY, kind_of
from workflows.shared.message import Message
from workflows.shared.personal import Personal
from workflows.shared.retry import Wait

NEEDS_RESPONSE = ("warning_needs_response", "needs_response")
UNDER_REVIEW = ("warning_under_review", "under_review")
CLOSED = ("warning_closed", "won", "lost")
NEAR_MS = 3 * 86_400_000
"""How long before the last day of evidence DisputeEvidenceDue is emitted."""

Emitted = Literal[
    "inquiry", "opened", "withdrawn", "submitted", "due", "refused", "reinstated", "closed"
]

# --- state ------------------------------------------------------------------


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """One dispute as the provider last reported it, and what was done about it."""

    status: provider.Status | Literal[""] = ""
    """Empty while the provider has reported none: there may be no such dispute."""
    reason: str = ""
    amount_minor: int = 0
    currency: str = ""
    withdrawn_minor: int = 0
    fee_minor: int = 0
    reinstated_minor: int = 0
    fee_returned_minor: int = 0
    due_by_ms: int = 0
    is_refundable: bool = True
    ask: Literal["", "due", "asked"] = ""
    """Whether the provider is to be asked, or was."""
    ask_at_ms: int = 0
    """When it is asked again; 0: not by itself."""
    tries: int = 0
    """Answers that said nothing, one after the other."""
    asks: int = 0
    is_near: bool = False
    """The last day of evidence is near."""
    decision: Literal["", "submit", "accept"] = ""
    """What an operator has decided and the provider has not done yet."""
    evidence_text: Personal[str] = ""
    """Of `submit`."""
    answers: int = 0
    """Decisions to answer it that have counted, since it is what it is: inquiry or chargeback."""
    refused: Literal["", "submit", "accept"] = ""
    """What of an operator the provider would not do, and why:"""
    refusal: str = ""
    releases_parts: bool = False
    """An operator lets parts be refunded while it is an inquiry."""
    emitted: tuple[Emitted, ...] = ()


class Disputes(msgspec.Struct, frozen=True, kw_only=True):
    """All disputes of one charge, by the provider's id: there is hardly more than one."""

    by_id: dict[str, Dispute] = {}
    wait: Wait = Wait()


def is_over(dispute: Dispute) -> bool:
    """Return whether nothing more is to come: closed, and what is ours again is back."""
    returns = dispute.status == "won" and dispute.withdrawn_minor > dispute.reinstated_minor
    return dispute.status in CLOSED and not returns


def blocks_refunds(dispute: Dispute) -> bool:
    """Return whether the bank may have the money, so that nobody is refunded for now."""
    if "closed" in dispute.emitted:
        return False
    return dispute.status in ("", *CLOSED) or not dispute.is_refundable


def lost_minor(disputes: Disputes) -> int:
    """Return what banks have refunded to the customer for good."""
    return sum(
        _kept_minor(each)
        for each in disputes.by_id.values()
        if each.status == "lost" and "closed" in each.emitted
    )


# --- decide ----------------------------------------------------------------


def pending(disputes: Disputes, bill: Bill, payment_id: str) -> tuple[Message, ...]:
    """Return what to ask or emit of the disputes: of each the first thing that is due."""
    messages: list[Message] = []
    for dispute_id, dispute in disputes.by_id.items():
        about = {"transaction_id": bill.transaction_id, "dispute_id": dispute_id}
        step = next_step(dispute)
        if step is not None:
            messages.append(_fact(step, dispute, about, payment_id))
        if dispute.ask == "due":
            messages.append(_ask(dispute, {**about, "payment_id": payment_id}))
    return tuple(messages)


def next_step(dispute: Dispute) -> Emitted | None:
    """Return what is to be emitted next of a dispute; None: nothing."""
    is_answerable = dispute.status in NEEDS_RESPONSE and not dispute.decision
    steps: dict[Emitted, bool] = {
        "inquiry": dispute.status in INQUIRY and "opened" not in dispute.emitted,
        "opened": bool(dispute.status) and dispute.status not in INQUIRY,
        "withdrawn": dispute.withdrawn_minor > 0,
        "submitted": dispute.status in UNDER_REVIEW,
        "due": dispute.is_near and is_answerable,
        "refused": bool(dispute.refusal),
        "reinstated": dispute.reinstated_minor > 0,
        "closed": dispute.status in CLOSED,
    }
    return next(
        (step for step, holds in steps.items() if holds and step not in dispute.emitted), None
    )


def _ask(dispute: Dispute, about: dict[str, Any]) -> Message:
    about = {**about, "attempt": dispute.asks}
    match dispute.decision:
        case "submit":
            about = {**about, "stage": kind_of(dispute.status)}
            return provider.SubmitDisputeEvidence(**about, evidence_text=dispute.evidence_text)
        case "accept":
            return provider.CloseDispute(**about, stage=kind_of(dispute.status))
        case _:
            return provider.InquireDispute(**about)


def _fact(step: Emitted, dispute: Dispute, about: dict[str, Any], payment_id: str) -> Message:
    match step:
        case "submitted":
            return facts.DisputeEvidenceSubmitted(**about)
        case "refused":
            decision = "accept" if dispute.refused == "accept" else "submit"
            return facts.DisputeAnswerRefused(**about, decision=decision, reason=dispute.refusal)
        case "inquiry" | "opened" | "closed":
            return _turn(step, dispute, {**about, "payment_id": payment_id})
        case _:
            return _moved(step, dispute, about)


def _turn(
    step: Literal["inquiry", "opened", "closed"], dispute: Dispute, about: dict[str, Any]
) -> Message:
    about = {**about, "currency": dispute.currency, "reason": dispute.reason}
    if step == "closed":
        outcome = _outcome(dispute)
        amount_minor = _kept_minor(dispute) if outcome == "lost" else dispute.amount_minor
        return facts.DisputeClosed(**about, outcome=outcome, amount_minor=amount_minor)
    about = {**about, "amount_minor": dispute.amount_minor, "evidence_due_by_ms": dispute.due_by_ms}
    if step == "opened" and "inquiry" in dispute.emitted:
        return facts.DisputeEscalated(**about)
    return facts.DisputeOpened(**about, is_inquiry=step == "inquiry")


def _moved(step: Emitted, dispute: Dispute, about: dict[str, Any]) -> Message:
    about = {**about, "currency": dispute.currency}
    if step == "withdrawn":
        return facts.DisputeFundsWithdrawn(
            **about, amount_minor=dispute.withdrawn_minor, fee_minor=dispute.fee_minor
        )
    if step == "reinstated":
        return facts.DisputeFundsReinstated(
            **about, amount_minor=dispute.reinstated_minor, fee_minor=dispute.fee_returned_minor
        )
    return facts.DisputeEvidenceDue(
        **about, amount_minor=dispute.amount_minor, evidence_due_by_ms=dispute.due_by_ms
    )


def _outcome(dispute: Dispute) -> Literal["won", "lost", "warning_closed"]:
    return dispute.status if dispute.status in ("won", "lost") else "warning_closed"


def _kept_minor(dispute: Dispute) -> int:
    return max(dispute.withdrawn_minor - dispute.reinstated_minor, 0)
