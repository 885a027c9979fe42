"""What operators decide about refunds that failed for good, of whichever workflow."""

from collections.abc import Mapping

from app.entrypoints.case_requests import DueRefund, RefundCases, RefundDecision
from app.entrypoints.emission import Emission
from app.entrypoints.requests import converted
from app.wire.envelope import derive_id
from workflows.payment import case_decisions, dispute_decisions, refund_evolution, refund_parts
from workflows.payment.messages import RefundCaseDecided
from workflows.payment.process import Payment


def decided(asked: RefundDecision) -> Emission:
    """Return the decision as a message: once for each operator, of each round that has failed.

    Two operators are two messages. The row of the payment says whose counts.
    """
    message = converted(
        RefundCaseDecided,
        order_id=asked.transaction_id,
        refund_key=asked.refund_key,
        decision=asked.decision,
        reference=asked.reference,
        amount_minor=asked.amount_minor,
        round=asked.failed_round,
        decided_by=asked.decided_by,
    )
    # A corrected amount is another decision than the one that was refused for it.
    which = (asked.failed_round, asked.decision, asked.reference, asked.amount_minor,
             asked.decided_by)  # fmt: skip
    return Emission(
        message=message,
        event_id=derive_id(asked.transaction_id, "refund case", asked.refund_key, *which),
        transaction_id=asked.transaction_id,
    )


def waiting(state: Payment) -> Mapping[str, int]:
    """Return the round that failed of each refund that waits for an operator, by its key."""
    return refund_evolution.cases(state.refunds)


def disputed(state: Payment) -> str:
    """Return a dispute about the payment that its bank has not decided; empty: there is none."""
    return next(iter(dispute_decisions.undecided(state.disputes)), "")


def due(state: Payment, refund_key: str, reference: str) -> DueRefund:
    """Return what a refund is to refund, where it is found by `reference`."""
    return DueRefund(
        refund_key=refund_key,
        payment_id=state.charge.payment_id,
        amount_minor=refund_parts.due_minor(state.refunds.by_key[refund_key], reference),
        currency=state.bill.currency if state.bill else "",
    )


REFUND_CASES = RefundCases(
    table="payment",
    waiting=waiting,
    disputed=disputed,
    due=due,
    decide=decided,
    outcome=case_decisions.outcome,
)
