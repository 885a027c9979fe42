"""What operators answer to disputes about payments, of whichever workflow."""

from collections.abc import Mapping

from app.entrypoints.requests import DisputeCases, Emission, converted
from app.wire.envelope import derive_id
from workflows.payment import dispute_decisions
from workflows.payment.dispute_messages import DisputeDecided
from workflows.payment.process import Payment


def decided(transaction_id: str, dispute_id: str, asks: int, decision: str, text: str) -> Emission:
    """Return the decision as a message: once for each state in which the dispute waits for one."""
    message = converted(
        DisputeDecided,
        order_id=transaction_id,
        dispute_id=dispute_id,
        decision=decision,
        evidence_text=text,
    )
    # An inquiry is answered as well, in the same state: once it is let go, it stays so.
    which = decision if decision == "refund" else asks
    return Emission(
        message=message,
        event_id=derive_id(transaction_id, "dispute", dispute_id, which),
        transaction_id=transaction_id,
    )


def waiting(state: Payment) -> Mapping[str, int]:
    """Return how often the provider was asked about each dispute that waits, by its id."""
    return {key: each.asks for key, each in dispute_decisions.waiting(state.disputes).items()}


def holding(state: Payment) -> Mapping[str, int]:
    """Return the same of each inquiry that holds refunds of parts."""
    return {key: each.asks for key, each in dispute_decisions.inquiries(state.disputes).items()}


DISPUTE_CASES = DisputeCases(table="payment", waiting=waiting, holding=holding, decide=decided)
