"""What operators decide about the cases of one payment: each round of a case once.

Part of the payment workflow. Two operators who decide at the same time are both received; the row
says whose decision counts. The other one is emitted as refused, since it may say that money was
paid which the first one has asked the provider for.
"""

from msgspec.structs import replace

from workflows.payment import (
    capture,
    capture_evolution,
    dispute_decisions,
    dispute_evolution,
    refund_disputes,
    refund_evolution,
    refund_parts,
)
from workflows.payment.capture_messages import CaptureCaseDecided
from workflows.payment.dispute_messages import DisputeDecided
from workflows.payment.messages import CaseDecisionRefused, RefundCaseDecided
from workflows.payment.state import Payment, RefusedDecision, TakenDecision
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.message import Message
from workflows.shared.money import money
from workflows.shared.provider_metadata import REFUND_IDS

Decided = RefundCaseDecided | CaptureCaseDecided | DisputeDecided
REFUSED_MAX = 16
"""Refusals of one payment that wait to be emitted."""


def case_of(decided: Decided) -> str:
    """Return the name of the case that is decided."""
    match decided:
        case RefundCaseDecided():
            return f"refund/{decided.refund_key}"
        case CaptureCaseDecided():
            return "capture"
        case DisputeDecided():
            # An inquiry is answered as well, and what it holds may be let go beside that.
            held = "/refund" if decided.decision == "refund" else ""
            return f"dispute/{decided.dispute_id}{held}"


def outcome(state: Payment, decided: Decided) -> str | None:
    """Return what has become of a decision: nothing is said against it where it counts.

    None: it waits to be received.
    """
    if _is_taken(state, decided):
        return ""
    return objection(state, decided) or None


def objection(state: Payment, decided: Decided) -> str:
    """Return why `decided` does not count, or nothing."""
    if _waits(state, decided):
        return _objection_to_reference(state, decided)
    since = _since(state, decided)
    earlier = state.decisions.by_case.get(case_of(decided))
    if earlier is None or not _is_of_one_round(earlier, decided):
        return since or "it does not wait for a decision any more"
    by = earlier.decided_by or "another operator"
    reason = f"{by} has decided {earlier.decision!r} already"
    if isinstance(decided, RefundCaseDecided) and decided.decision == "settled":
        # Without its reference, which may name somebody: this text is shown to everybody.
        reason += ": where money has gone another way as well, the customer may have it twice"
    return f"{reason}; {since}" if since else reason


def _since(state: Payment, decided: Decided) -> str:
    if isinstance(decided, DisputeDecided):
        return dispute_decisions.meanwhile(state.disputes, decided)
    return ""


def capture_round(state: Payment) -> int | None:
    """Return the round that failed, where the items have left and an operator has to decide."""
    return None if state.closed else capture.case_round(state.capture, state.charge)


def _waits(state: Payment, decided: Decided) -> bool:
    match decided:
        case RefundCaseDecided():
            waiting = refund_evolution.cases(state.refunds).get(decided.refund_key)
        case CaptureCaseDecided():
            waiting = capture_round(state)
        case DisputeDecided():
            return dispute_decisions.waits_for(state.disputes, decided)
    return waiting is not None and decided.round in (None, waiting)


def _objection_to_reference(state: Payment, decided: Decided) -> str:
    """Return why what an operator has found does not pay what is due, or nothing."""
    if not isinstance(decided, RefundCaseDecided) or state.bill is None:
        return ""
    if decided.round is not None and decided.reference.startswith(REFUND_IDS):
        others = refund_evolution.found_by(state.refunds, decided.refund_key, decided.reference)
        if others:
            return f"{decided.reference} is the refund of {others[0]} already"
    refund = state.refunds.by_key[decided.refund_key]
    due_minor = refund_parts.due_minor(refund, decided.reference)
    if decided.amount_minor in (0, due_minor):
        return ""
    currency = state.bill.currency
    amount, due = money(decided.amount_minor, currency), money(due_minor, currency)
    return f"{decided.reference} refunded {amount}, and {due} are due"


def _is_taken(state: Payment, decided: Decided) -> bool:
    earlier, decision = state.decisions.by_case.get(case_of(decided)), _decision_of(decided)
    if earlier is not None and decision.stage:
        # How often the provider was asked meanwhile makes no other decision of it.
        decision = replace(decision, round=earlier.round)
    return earlier == decision


def _is_of_one_round(earlier: TakenDecision, decided: Decided) -> bool:
    """Return whether a decision is about what another one, which counts, was about."""
    stage = getattr(decided, "stage", "")
    if stage and earlier.stage:
        return stage == earlier.stage
    return decided.round in (None, earlier.round)


def _decision_of(decided: Decided) -> TakenDecision:
    return TakenDecision(
        round=decided.round,
        decision=decided.decision,
        reference=getattr(decided, "reference", ""),
        evidence_text=getattr(decided, "evidence_text", ""),
        decided_by=decided.decided_by,
        stage=getattr(decided, "stage", ""),
    )


def decide(state: Payment, decided: Decided, at_ms: int) -> Payment:
    """Return `state` after the decision of an operator; one that is repeated changes nothing."""
    if _is_taken(state, decided) and not _waits(state, decided):
        return state
    if reason := objection(state, decided):
        return _refuse(state, decided, reason)
    by_case = {**state.decisions.by_case, case_of(decided): _decision_of(decided)}
    after = replace(state, decisions=replace(state.decisions, by_case=by_case))
    match decided:
        case RefundCaseDecided():
            refunds = refund_evolution.evolve(state.refunds, decided, at_ms)
            return replace(after, refunds=refund_disputes.cover(refunds, state.disputes))
        case CaptureCaseDecided():
            again = capture_evolution.decide_case(state.capture, state.charge, decided, at_ms)
            return replace(after, capture=again)
        case DisputeDecided():
            disputes = dispute_evolution.evolve(state.disputes, decided, at_ms)
            return replace(after, disputes=disputes)


def _refuse(state: Payment, decided: Decided, reason: str) -> Payment:
    if decided.round is None:
        # It is of a version that did not say which round it is about.
        return state
    refused = RefusedDecision(
        case=case_of(decided),
        reason=reason[:TEXT_CHARS_MAX],
        round=decided.round,
        decision=decided.decision,
        reference=getattr(decided, "reference", ""),
        decided_by=decided.decided_by,
    )
    waiting = (*state.decisions.refused, refused)[-REFUSED_MAX:]
    return replace(state, decisions=replace(state.decisions, refused=waiting))


def refusals(state: Payment) -> tuple[Message, ...]:
    """Return the refusals that are to be emitted."""
    return tuple(
        CaseDecisionRefused(
            transaction_id=state.bill.transaction_id,
            case=each.case,
            decision=each.decision,
            reference=each.reference,
            decided_by=each.decided_by,
            reason=each.reason,
        )
        for each in state.decisions.refused
        if state.bill is not None
    )


def emitted(state: Payment) -> Payment:
    """Return `state` once its first refusal is emitted."""
    decisions = state.decisions
    return replace(state, decisions=replace(decisions, refused=decisions.refused[1:]))
