"""What operators decide about goods that have left and are not paid, of whichever workflow."""

from app.entrypoints.requests import CaptureCases, Emission, converted
from app.wire.envelope import derive_id
from workflows.payment import capture
from workflows.payment.capture_messages import CaptureCaseDecided
from workflows.payment.process import Payment


def decided(transaction_id: str, failed_round: int, decision: str, reference: str) -> Emission:
    """Return the decision as a message: once for each round that has failed."""
    message = converted(
        CaptureCaseDecided,
        order_id=transaction_id,
        decision=decision,
        reference=reference,
    )
    return Emission(
        message=message,
        event_id=derive_id(transaction_id, "capture case", failed_round),
        transaction_id=transaction_id,
    )


def waiting(state: Payment) -> int | None:
    """Return the round that failed, where the goods have left and an operator has to decide."""
    return None if state.closed else capture.case_round(state.capture, state.charge)


CAPTURE_CASES = CaptureCases(table="payment", waiting=waiting, decide=decided)
