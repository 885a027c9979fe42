"""What operators answer to disputes about payments, of whichever workflow."""

from collections.abc import Mapping

from app.entrypoints.case_requests import DisputeCases
from app.entrypoints.emission import Emission
from app.entrypoints.requests import converted
from app.wire.envelope import derive_id
from workflows.payment import case_decisions, dispute_decisions
from workflows.payment.dispute_messages import DisputeDecided
from workflows.payment.process import Payment


def decided(  # noqa: PLR0913  a dispute, and what is decided
    transaction_id: str, dispute_id: str, asks: int, decision: str, text: str, decided_by: str
) -> Emission:
    """Return the decision as a message: once for each operator, of each state in which it waits."""
    message = converted(
        DisputeDecided,
        order_id=transaction_id,
        dispute_id=dispute_id,
        decision=decision,
        evidence_text=text,
        round=asks,
        decided_by=decided_by,
    )
    # An inquiry is answered as well, in the same state: once it is let go, it stays so.
    which = decision if decision == "refund" else asks
    return Emission(
        message=message,
        event_id=derive_id(
            transaction_id, "dispute", dispute_id, which, decision, text, decided_by
        ),
        transaction_id=transaction_id,
    )


def waiting(state: Payment) -> Mapping[str, int]:
    """Return how often the provider was asked about each dispute that waits, by its id."""
    return {key: each.asks for key, each in dispute_decisions.waiting(state.disputes).items()}


def holding(state: Payment) -> Mapping[str, int]:
    """Return the same of each inquiry that holds refunds of parts."""
    return {key: each.asks for key, each in dispute_decisions.inquiries(state.disputes).items()}


DISPUTE_CASES = DisputeCases(
    table="payment",
    waiting=waiting,
    holding=holding,
    decide=decided,
    outcome=case_decisions.outcome,
)
