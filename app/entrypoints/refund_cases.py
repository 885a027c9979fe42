"""What operators decide about refunds that failed for good, of whichever workflow."""

from collections.abc import Mapping

from app.entrypoints.requests import Emission, RefundCases, converted
from app.wire.envelope import derive_id
from workflows.payment import dispute_decisions, refund_progress
from workflows.payment.messages import RefundCaseDecided
from workflows.payment.process import Payment


def decided(
    transaction_id: str, refund_key: str, failed_round: int, decision: str, reference: str
) -> Emission:
    """Return the decision as a message: once for each round that has failed."""
    message = converted(
        RefundCaseDecided,
        order_id=transaction_id,
        refund_key=refund_key,
        decision=decision,
        reference=reference,
    )
    return Emission(
        message=message,
        event_id=derive_id(transaction_id, "refund case", refund_key, failed_round),
        transaction_id=transaction_id,
    )


def waiting(state: Payment) -> Mapping[str, int]:
    """Return the round that failed of each refund that waits for an operator, by its key."""
    return refund_progress.cases(state.refunds)


def disputed(state: Payment) -> str:
    """Return a dispute about the payment that its bank has not decided; empty: there is none."""
    return next(iter(dispute_decisions.undecided(state.disputes)), "")


REFUND_CASES = RefundCases(table="payment", waiting=waiting, disputed=disputed, decide=decided)
