"""What of a payment waits for the decision of an operator, for the list of all such cases.

Part of the payment workflow. Refunds that failed for good, goods that left and cannot be charged,
disputes that nobody has answered.
"""

from collections.abc import Iterator

from workflows.payment import capture, dispute_decisions, refund_disputes, refund_progress
from workflows.payment.process import Payment
from workflows.shared.workflow import CaseView, OpenCase


def open_cases(state: Payment) -> tuple[OpenCase, ...]:
    """Return what waits of one payment: refunds, then the capture, then disputes."""
    return (*_refunds(state), *_captures(state), *_disputes(state))


def _refunds(state: Payment) -> Iterator[OpenCase]:
    for key in refund_progress.cases(state.refunds):
        refund = state.refunds.by_key[key]
        yield OpenCase(
            kind="refund",
            key=key,
            amount_minor=refund.amount_minor,
            currency=state.bill.currency if state.bill else "",
            why=refund.reason or "the provider has failed it",
            since_ms=refund.requested_at_ms,
            path=f"refund-cases/{key}",
            decisions=("retry", "settled"),
        )


def _captures(state: Payment) -> Iterator[OpenCase]:
    bill = state.bill
    waits = not state.closed and capture.case_round(state.capture, state.charge) is not None
    if bill is not None and waits:
        yield OpenCase(
            kind="capture",
            amount_minor=bill.total_minor,
            currency=bill.currency,
            why=state.capture.reason or "the hold has ended",
            since_ms=state.capture.requested_at_ms,
            path="capture-case",
            decisions=("retry", "written_off"),
        )


def _disputes(state: Payment) -> Iterator[OpenCase]:
    answerable = dispute_decisions.waiting(state.disputes)
    holding = dispute_decisions.inquiries(state.disputes)
    holding = holding if refund_disputes.are_held(state.refunds) else {}
    for dispute_id, known in (holding | answerable).items():
        yield OpenCase(
            kind="dispute",
            key=dispute_id,
            amount_minor=known.amount_minor,
            currency=known.currency,
            why=known.refusal or known.reason,
            since_ms=0,
            until_ms=known.due_by_ms,
            path="dispute",
            decisions=(
                *(("submit", "accept") if dispute_id in answerable else ()),
                *(("refund",) if dispute_id in holding else ()),
            ),
        )


CASES = CaseView(table="payment", open=open_cases)
