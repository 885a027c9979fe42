"""What operators answer to disputes about payments, of whichever workflow."""

from collections.abc import Mapping

from app.entrypoints.case_requests import DisputeCases, DisputeDecision, WaitingDispute
from app.entrypoints.emission import Emission
from app.entrypoints.requests import converted
from app.wire.envelope import derive_id
from workflows.payment import case_decisions, dispute_decisions
from workflows.payment.dispute import Dispute
from workflows.payment.dispute_messages import DisputeDecided
from workflows.payment.dispute_stages import kind_in
from workflows.payment.process import Payment


def decided(decision: DisputeDecision) -> Emission:
    """Return the decision as a message: once for each operator, of each stage of the dispute."""
    stage = decision.decided.stage
    if decision.decision == "refund":
        # An inquiry is answered beside that: once parts are let go, they stay so.
        stage = kind_in(stage)
    message = converted(
        DisputeDecided,
        order_id=decision.transaction_id,
        dispute_id=decision.dispute_id,
        decision=decision.decision,
        evidence_text=decision.text,
        round=decision.decided.round,
        decided_by=decision.decided_by,
        stage=stage,
    )
    which = stage, decision.decision, decision.text, decision.decided_by
    return Emission(
        message=message,
        event_id=derive_id(decision.transaction_id, "dispute", decision.dispute_id, *which),
        transaction_id=decision.transaction_id,
    )


def waiting(state: Payment) -> Mapping[str, WaitingDispute]:
    """Return the disputes that wait for an answer, by id."""
    return _waiting_among(dispute_decisions.waiting(state.disputes))


def holding(state: Payment) -> Mapping[str, WaitingDispute]:
    """Return the same of each inquiry that holds refunds of parts."""
    return _waiting_among(dispute_decisions.inquiries(state.disputes))


def _waiting_among(disputes: Mapping[str, Dispute]) -> Mapping[str, WaitingDispute]:
    return {
        key: WaitingDispute(round=each.asks, stage=dispute_decisions.stage(each))
        for key, each in disputes.items()
    }


DISPUTE_CASES = DisputeCases(
    table="payment",
    waiting=waiting,
    holding=holding,
    decide=decided,
    outcome=case_decisions.outcome,
)
