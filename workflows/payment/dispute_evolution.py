"""How disputes go on: with each webhook, each answer of the provider, and each message of ours.

Part of `workflows/payment/dispute.py`, which says what is asked and emitted. A status only moves
forward, and what has moved only grows: answers may come late and in any order.
"""

from msgspec.structs import replace

from workflows.payment import dispute_messages as facts
from workflows.payment import provider_dispute_messages as provider
from workflows.payment.dispute import (
    CLOSED,
    NEAR_MS,
    NEEDS_RESPONSE,
    Dispute,
    Disputes,
    Emitted,
    is_over,
)
from workflows.payment.dispute_decisions import carried_over, decided
from workflows.payment.provider_messages import ProviderNotified, RefundRefused
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message
from workflows.shared.retry import backoff_ms, reached, rest, wait_until, wake

HINT_MS = 2_000
"""How long a webhook waits before the provider is asked: it may come twice."""
ANSWER_MS = 30_000
"""How long an answer may take before the provider is asked again."""
BACKOFF_FIRST_MS = 1_000
BACKOFF_MS_MAX = 600_000
POLL_MS = 86_400_000
"""How often an open dispute is asked about; a webhook is a reason to ask at once."""
DISPUTES_MAX = 8
"""Disputes of one charge; banks open one, and at most a few for parts of it."""
RANKS: dict[str, int] = {
    "": 0,
    "warning_needs_response": 1,
    "warning_under_review": 2,
    "needs_response": 3,
    "under_review": 4,
    "warning_closed": 5,
    "won": 5,
    "lost": 5,
}
"""The order in which statuses follow one another; of two that end it the first one counts."""
FACTS: dict[type[Message], Emitted] = {
    facts.DisputeFundsWithdrawn: "withdrawn",
    facts.DisputeFundsReinstated: "reinstated",
    facts.DisputeEvidenceSubmitted: "submitted",
    facts.DisputeEvidenceDue: "due",
    facts.DisputeAnswerRefused: "refused",
    facts.DisputeClosed: "closed",
}


def evolve(disputes: Disputes, message: Message, at_ms: int) -> Disputes:
    """Return `disputes` after `message`, received or emitted."""
    if isinstance(message, DeadlineReached):
        after = _woken(disputes, message)
    else:
        dispute_id = str(getattr(message, "dispute_id", ""))
        if not dispute_id:
            return disputes
        after = _changed(disputes, dispute_id, message, at_ms)
    return after if after is disputes else _timed(after)


def _changed(disputes: Disputes, dispute_id: str, message: Message, at_ms: int) -> Disputes:
    dispute = disputes.by_id.get(dispute_id)
    if isinstance(message, ProviderNotified | RefundRefused):
        return _hinted(disputes, dispute_id, at_ms, stops=isinstance(message, RefundRefused))
    if dispute is None:
        return disputes
    if isinstance(message, provider.DisputeRefused) and message.is_absent and not dispute.status:
        left = {key: each for key, each in disputes.by_id.items() if key != dispute_id}
        return replace(disputes, by_id=left)
    return _put(disputes, dispute_id, _one(dispute, message, max(at_ms, disputes.wait.woken_at_ms)))


def _one(dispute: Dispute, message: Message, at_ms: int) -> Dispute:  # noqa: PLR0911  one match
    match message:
        case provider.DisputeReported():
            return _reported(dispute, message, at_ms)
        case provider.DisputeUnknown() if dispute.ask == "asked":
            pause_ms = backoff_ms(dispute.tries, first_ms=BACKOFF_FIRST_MS, most_ms=BACKOFF_MS_MAX)
            return replace(dispute, tries=dispute.tries + 1, ask_at_ms=at_ms + pause_ms)
        case provider.DisputeRefused(attempt=attempt) if _is_latest(dispute, attempt):
            refused = {"refused": dispute.decision, "refusal": message.reason or "refused"}
            undone = replace(dispute, decision="", evidence_text="")
            return _asked_later(replace(undone, **(refused if dispute.decision else {})), at_ms)
        case provider.InquireDispute() | provider.SubmitDisputeEvidence() | provider.CloseDispute():
            asks = dispute.asks + 1
            return replace(dispute, ask="asked", asks=asks, ask_at_ms=at_ms + ANSWER_MS)
        case facts.DisputeDecided():
            return decided(dispute, message)
        case facts.DisputeOpened(is_inquiry=is_inquiry):
            return replace(
                dispute, emitted=(*dispute.emitted, "inquiry" if is_inquiry else "opened")
            )
        case facts.DisputeEscalated():
            # It begins anew: with evidence of its own, and a last day for it.
            left = tuple(each for each in dispute.emitted if each not in ("submitted", "due"))
            return replace(dispute, emitted=(*left, "opened"), is_near=False)
        case _:
            step = FACTS.get(type(message))
            return replace(dispute, emitted=(*dispute.emitted, step)) if step else dispute


def _reported(dispute: Dispute, answer: provider.DisputeReported, at_ms: int) -> Dispute:
    """Return `dispute` after an answer; one of before the last question is not a reason to rest."""
    is_newer = RANKS[answer.status] > RANKS[dispute.status]
    after = replace(
        dispute,
        withdrawn_minor=max(dispute.withdrawn_minor, answer.withdrawn_minor),
        fee_minor=max(dispute.fee_minor, answer.fee_minor),
        reinstated_minor=max(dispute.reinstated_minor, answer.reinstated_minor),
        fee_returned_minor=max(dispute.fee_returned_minor, answer.fee_returned_minor),
    )
    if is_newer or answer.status == dispute.status:
        after = replace(
            after,
            status=answer.status,
            reason=answer.reason,
            amount_minor=answer.amount_minor,
            currency=answer.currency,
            due_by_ms=answer.due_by_ms,
            is_refundable=answer.is_charge_refundable,
        )
    after = carried_over(dispute, after)
    if not _is_latest(dispute, answer.attempt):
        return after
    if after.decision:
        # It looked the dispute up, and an operator has decided meanwhile.
        return replace(after, ask="due")
    return _asked_later(after, at_ms)


def _is_latest(dispute: Dispute, attempt: int) -> bool:
    return dispute.ask == "asked" and attempt == dispute.asks - 1


def _asked_later(dispute: Dispute, at_ms: int) -> Dispute:
    is_done = is_over(dispute)
    return replace(dispute, ask="", tries=0, ask_at_ms=0 if is_done else at_ms + POLL_MS)


def _hinted(disputes: Disputes, dispute_id: str, at_ms: int, *, stops: bool) -> Disputes:
    """Return `disputes` after a webhook, or after a refund that a dispute `stops`."""
    dispute = disputes.by_id.get(dispute_id)
    if dispute is None:
        if len(disputes.by_id) >= DISPUTES_MAX:
            return disputes
        dispute = Dispute()
    if is_over(dispute):
        return disputes
    soon_ms = max(at_ms, disputes.wait.woken_at_ms) + HINT_MS
    soon_ms = min(dispute.ask_at_ms or soon_ms, soon_ms)
    # A question that is under way may have been answered before this happened.
    soon = replace(dispute, ask="", ask_at_ms=soon_ms, asks=dispute.asks + 1)
    if stops and dispute.status not in CLOSED:
        soon = replace(soon, is_refundable=False)
    return _put(disputes, dispute_id, soon)


def _woken(disputes: Disputes, received: DeadlineReached) -> Disputes:
    after = replace(disputes, wait=wake(disputes.wait, received))
    if not reached(disputes.wait.due_at_ms, received):
        return after
    for dispute_id, each in disputes.by_id.items():
        is_due = bool(each.ask_at_ms) and each.ask_at_ms <= received.due_at_ms
        near_ms = _near_ms(each)
        is_near = each.is_near or (near_ms is not None and near_ms <= received.due_at_ms)
        changed = replace(each, is_near=is_near)
        if is_due:
            changed = replace(changed, ask="due", ask_at_ms=0)
        after = _put(after, dispute_id, changed)
    return after


def _near_ms(dispute: Dispute) -> int | None:
    """Return when the last day of evidence is near; None: it was, or there is none."""
    if dispute.status not in NEEDS_RESPONSE or dispute.is_near or not dispute.due_by_ms:
        return None
    return dispute.due_by_ms - NEAR_MS


def _timed(disputes: Disputes) -> Disputes:
    """Return `disputes` with the timer at the first moment at which one of them is due."""
    dues = [each.ask_at_ms for each in disputes.by_id.values() if each.ask_at_ms]
    dues += [near for near in map(_near_ms, disputes.by_id.values()) if near is not None]
    if not dues:
        return replace(disputes, wait=rest(disputes.wait))
    return replace(disputes, wait=wait_until(disputes.wait, min(dues)))


def _put(disputes: Disputes, dispute_id: str, dispute: Dispute) -> Disputes:
    if disputes.by_id.get(dispute_id) == dispute:
        return disputes
    return replace(disputes, by_id={**disputes.by_id, dispute_id: dispute})
