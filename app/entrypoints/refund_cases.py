"""What operators decide about refunds that failed for good, of whichever workflow."""

from collections.abc import Mapping

from app.entrypoints.case_requests import DueRefund, RefundCases, RefundDecision
from app.entrypoints.emission import Emission
from app.entrypoints.requests import converted
from app.wire.envelope import derive_id
from workflows.payment import case_decisions, dispute_decisions, refund_evolution, refund_parts
from workflows.payment.messages import RefundCaseDecided
from workflows.payment.process import Payment


def decided(decision: RefundDecision) -> Emission:
    """Return the decision as a message: once for each operator, of each round that has failed.

    Two operators are two messages. The row of the payment says whose counts.
    """
    message = converted(
        RefundCaseDecided,
        order_id=decision.transaction_id,
        refund_key=decision.refund_key,
        decision=decision.decision,
        reference=decision.reference,
        amount_minor=decision.amount_minor,
        round=decision.failed_round,
        decided_by=decision.decided_by,
    )
    # A corrected amount is another decision than the one that was refused for it.
    which = (decision.failed_round, decision.decision, decision.reference, decision.amount_minor,
             decision.decided_by)  # fmt: skip
    return Emission(
        message=message,
        event_id=derive_id(decision.transaction_id, "refund case", decision.refund_key, *which),
        transaction_id=decision.transaction_id,
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
