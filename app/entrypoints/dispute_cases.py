"""What operators answer to disputes about payments, of whichever workflow."""

from collections.abc import Mapping

from app.entrypoints.requests import DisputeCases, Emission, converted
from app.wire.envelope import derive_id
from workflows.payment import dispute
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
    return Emission(
        message=message,
        event_id=derive_id(transaction_id, "dispute", dispute_id, asks),
        transaction_id=transaction_id,
    )


def waiting(state: Payment) -> Mapping[str, int]:
    """Return how often the provider was asked about each dispute that waits, by its id."""
    return {key: each.asks for key, each in dispute.waiting(state.disputes).items()}


DISPUTE_CASES = DisputeCases(table="payment", waiting=waiting, decide=decided)
