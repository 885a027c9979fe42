"""Taking the money of a transaction once, and giving it back.

`workflows/payment/charge.py` asks the provider until the outcome of the charge is known,
`workflows/payment/refund.py` until the money is refunded. This module decides when each begins.
"""

import msgspec
from msgspec.structs import replace

from workflows.payment import charge, charge_progress, refund, refund_progress
from workflows.payment.charge import Bill, Charge
from workflows.payment.instructions import CancelPayment, RequestPayment, RequestRefund
from workflows.payment.messages import PaymentCompleted, PaymentFailed, PaymentMismatch
from workflows.payment.refund import COMPENSATION, Refunds
from workflows.shared.message import Message

# --- state ------------------------------------------------------------------


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """What the payment of one order remembers."""

    bill: Bill | None = None
    closed: bool = False
    """Nothing will be shipped: whatever was or will be charged goes back."""
    charge: Charge = Charge()
    completed_emitted: bool = msgspec.field(name="completed_told", default=False)
    mismatch_emitted: bool = False
    failed_emitted: bool = msgspec.field(name="failed_told", default=False)
    refunds: Refunds = Refunds()


INITIAL = Payment()

# --- decide ----------------------------------------------------------------


def due(state: Payment) -> int | None:
    """Return when to ask the provider again (ms), or None."""
    waits = (state.charge.wait.due_at_ms, state.refunds.wait.due_at_ms)
    return min((at_ms for at_ms in waits if at_ms is not None), default=None)


def pending(state: Payment) -> tuple[Message, ...]:
    """Return what to ask the provider, and what to emit of the payment."""
    bill, outcome = state.bill, state.charge.outcome
    if bill is None:
        return ()
    if outcome == "succeeded":
        # A charge that succeeds after PaymentFailed (the void raced with it) is PaymentCompleted,
        # then PaymentRefunded: the ledger must record what happened at the provider.
        if not state.completed_emitted:
            return _charged(state, bill)
        return refund.pending(state.refunds, bill, state.charge.payment_id)
    is_over = bool(outcome) or (state.closed and not state.charge.asked)
    if is_over and not state.failed_emitted:
        return (_failed(state.charge, bill),)
    if state.failed_emitted and not state.charge.asked:
        return ()
    return charge.pending(state.charge, bill, unwanted=state.closed)


def _charged(state: Payment, bill: Bill) -> tuple[Message, ...]:
    """Return what to emit of money that was taken; nothing while an amount is in dispute."""
    taken = state.charge
    currency = taken.charged_currency or bill.currency
    if taken.charged_minor and (taken.charged_minor, currency) != (bill.total_minor, bill.currency):
        return (
            PaymentMismatch(
                transaction_id=bill.transaction_id,
                payment_id=taken.payment_id,
                amount_minor=bill.total_minor,
                currency=bill.currency,
                charged_minor=taken.charged_minor,
                charged_currency=currency,
            ),
        )
    if state.mismatch_emitted and not state.closed:
        return ()
    return (_completed(taken, bill),)


def _completed(charged: Charge, bill: Bill) -> Message:
    return PaymentCompleted(
        transaction_id=bill.transaction_id,
        payment_id=charged.payment_id,
        amount_minor=bill.total_minor,
        goods_minor=bill.goods_minor,
        charges_minor=bill.total_minor - bill.goods_minor,
        currency=bill.currency,
        customer_id=bill.customer_id,
        country=bill.country,
        ordered_at_ms=bill.ordered_at_ms,
        origin=bill.origin,
    )


def _failed(tried: Charge, bill: Bill) -> Message:
    reason = tried.reason or "cancelled"
    if not tried.asked or tried.outcome != "declined":
        return PaymentFailed(transaction_id=bill.transaction_id, reason=reason)
    return PaymentFailed(
        transaction_id=bill.transaction_id,
        reason=reason,
        declined=True,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        customer_id=bill.customer_id,
        ordered_at_ms=bill.ordered_at_ms,
        origin=bill.origin,
    )


# --- evolve --------------------------------------------------------------------


def evolve(state: Payment, message: Message, at_ms: int) -> Payment:  # noqa: PLR0911  one match
    """Return `state` after `message`, received or emitted."""
    match message:
        case RequestPayment():
            return state if state.bill else _billed(state, message, at_ms)
        case CancelPayment():
            return _compensate(replace(state, closed=True), at_ms)
        case PaymentFailed():
            return replace(state, failed_emitted=True, closed=True)
        case PaymentMismatch():
            return _mismatched(state, message)
        case PaymentCompleted():
            return _compensate(replace(state, completed_emitted=True), at_ms)
        case RequestRefund(return_id=return_id, amount_minor=amount_minor):
            return _request_refund(state, return_id, amount_minor, at_ms)
        case _:
            return replace(
                state,
                charge=charge_progress.evolve(state.charge, message, at_ms),
                refunds=refund_progress.evolve(state.refunds, message, at_ms),
            )


def _billed(state: Payment, asked: RequestPayment, at_ms: int) -> Payment:
    # The provider is not asked for what does not add up: it counts as declined.
    refused = Charge(outcome="declined", reason=asked.refusal) if asked.refusal else state.charge
    return replace(state, bill=charge.bill_of(asked, at_ms), charge=refused)


def _mismatched(state: Payment, found: PaymentMismatch) -> Payment:
    """Return `state` with a bill of what was taken: so much goes back once the order is closed."""
    assert state.bill is not None, "it was asked for"
    taken = {"total_minor": found.charged_minor, "goods_minor": found.charged_minor}
    bill = replace(state.bill, currency=found.charged_currency, **taken)
    return replace(state, bill=bill, mismatch_emitted=True)


def _compensate(state: Payment, at_ms: int) -> Payment:
    if state.bill is None or not state.closed:
        return state
    return _request_refund(state, COMPENSATION, state.bill.total_minor, at_ms)


def _request_refund(state: Payment, key: str, amount_minor: int, at_ms: int) -> Payment:
    if state.bill is None or not state.completed_emitted:
        return state
    return replace(
        state, refunds=refund_progress.request(state.refunds, state.bill, key, amount_minor, at_ms)
    )
