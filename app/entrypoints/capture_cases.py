"""What operators decide about items that have left and are not paid, of whichever workflow."""

from app.entrypoints.case_requests import CaptureCases
from app.entrypoints.emission import Emission
from app.entrypoints.requests import converted
from app.wire.envelope import derive_id
from workflows.payment import case_decisions
from workflows.payment.capture_messages import CaptureCaseDecided


def decided(
    transaction_id: str, failed_round: int, decision: str, reference: str, decided_by: str
) -> Emission:
    """Return the decision as a message: once for each operator, of each round that has failed."""
    message = converted(
        CaptureCaseDecided,
        order_id=transaction_id,
        decision=decision,
        reference=reference,
        round=failed_round,
        decided_by=decided_by,
    )
    return Emission(
        message=message,
        event_id=derive_id(
            transaction_id, "capture case", failed_round, decision, reference, decided_by
        ),
        transaction_id=transaction_id,
    )


CAPTURE_CASES = CaptureCases(
    table="payment",
    waiting=case_decisions.capture_round,
    decide=decided,
    outcome=case_decisions.outcome,
)
