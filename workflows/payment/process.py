"""Taking the money of a transaction once, and giving it back.

`workflows/payment/charge.py` asks the provider until the outcome of the charge is known,
`workflows/payment/capture.py` takes what is held when the items have left, and
`workflows/payment/refund.py` until the money is refunded. This module decides when each begins.
"""

from msgspec.structs import replace

from workflows.payment import (
    capture,
    capture_evolution,
    case_decisions,
    charge,
    charge_evolution,
    dispute_evolution,
    outcome,
    refund_disputes,
    refund_evolution,
)
from workflows.payment.capture_messages import CaptureCaseDecided
from workflows.payment.charge import FAILED, Bill, Charge
from workflows.payment.dispute_messages import DisputeDecided
from workflows.payment.instructions import (
    CancelPayment,
    RequestCapture,
    RequestPayment,
    RequestRefund,
)
from workflows.payment.messages import (
    CaseDecisionRefused,
    PaymentCompleted,
    PaymentFailed,
    PaymentMismatch,
    RefundCaseDecided,
)
from workflows.payment.refund import COMPENSATION, UNSHIPPED
from workflows.payment.state import INITIAL, Payment
from workflows.shared.message import Message

__all__ = ["INITIAL", "Payment", "due", "evolve", "pending"]

# --- decide ----------------------------------------------------------------


def due(state: Payment) -> int | None:
    """Return when to ask the provider again (ms), or None."""
    parts = (state.charge, state.capture, state.refunds, state.disputes)
    waits = (each.wait.due_at_ms for each in parts)
    return min((at_ms for at_ms in waits if at_ms is not None), default=None)


def pending(state: Payment) -> tuple[Message, ...]:
    """Return what to ask the provider, and what to emit of the payment."""
    bill, charged = state.bill, state.charge
    if bill is None or state.decisions.refused:
        return case_decisions.refusals(state)
    if charged.outcome == "succeeded":
        # A charge that succeeds after PaymentFailed (the void raced with it) is PaymentCompleted,
        # then PaymentRefunded: the ledger must record what happened at the provider.
        if not state.completed_emitted:
            return (*capture.replaced(state.capture, charged, bill), *_charged(state, bill))
        return refund_disputes.pending(state.refunds, state.disputes, bill, charged.payment_id)
    if state.capture.authorized_emitted:
        return _held(state, bill)
    if charged.outcome == "authorized" and not state.closed:
        return _authorized(state, bill) or charge.pending(charged, bill, unwanted=False)
    return _open(state, bill)


def _open(state: Payment, bill: Bill) -> tuple[Message, ...]:
    """Return what to ask and emit while no money is taken or held."""
    charged = state.charge
    is_over = charged.outcome in FAILED or (state.closed and not charged.asked)
    if is_over and not state.failed_emitted:
        return (outcome.failed(charged, bill),)
    if state.failed_emitted and not charged.asked:
        return ()
    return charge.pending(charged, bill, unwanted=state.closed)


def _held(state: Payment, bill: Bill) -> tuple[Message, ...]:
    """Return what to ask and emit of money that is held, or was."""
    ends = state.closed or state.capture.written_off
    unwanted = ends and not capture.is_under_way(state.capture)
    return (
        *charge.pending(state.charge, bill, unwanted=unwanted),
        *capture.pending(state.capture, state.charge, bill, closed=state.closed),
    )


def _authorized(state: Payment, bill: Bill) -> tuple[Message, ...]:
    """Return what to emit of money that is held; nothing while an amount is in dispute."""
    held = state.capture
    differs = outcome.difference(bill, held.payment_id, held.amount_minor, held.currency)
    if differs or state.mismatch_emitted:
        return differs
    return (capture.authorized(held, bill),)


def _charged(state: Payment, bill: Bill) -> tuple[Message, ...]:
    """Return what to emit of money that was taken; nothing while an amount is in dispute."""
    currency = state.charge.charged_currency or bill.currency
    amount_minor = state.charge.charged_minor or bill.total_minor
    differs = outcome.difference(bill, state.charge.payment_id, amount_minor, currency)
    if differs:
        return differs
    # The items that have left are not called back for it: what was taken is all there is.
    has_left = bool(state.capture.requested_at_ms)
    if state.mismatch_emitted and not state.closed and not has_left:
        return ()
    return (outcome.completed(state.charge, bill, authorized=state.capture.authorized_emitted),)


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
        case PaymentMismatch() if state.bill:
            bill = outcome.bill_of_taken(state.bill, message)
            return replace(state, bill=bill, mismatch_emitted=True)
        case PaymentCompleted():
            return _compensate(replace(state, completed_emitted=True), at_ms)
        case RequestRefund(return_id=return_id, amount_minor=amount_minor):
            return _request_refund(state, return_id, amount_minor, at_ms)
        case RequestCapture() if state.bill:
            return _request_capture(state, state.bill, message, at_ms)
        case RefundCaseDecided() | CaptureCaseDecided() | DisputeDecided() if state.bill:
            return case_decisions.decide(state, message, at_ms)
        case CaseDecisionRefused():
            return case_decisions.emitted(state)
        case _:
            charged = charge_evolution.evolve(state.charge, message, at_ms)
            held = capture_evolution.evolve(state.capture, charged, message, at_ms)
            disputes = dispute_evolution.evolve(state.disputes, message, at_ms)
            refunds = refund_evolution.evolve(state.refunds, message, at_ms)
            covered = refund_disputes.cover(refunds, disputes)
            parts = {"charge": charged, "capture": held, "refunds": covered}
            return replace(state, **parts, disputes=disputes)


def _billed(state: Payment, command: RequestPayment, at_ms: int) -> Payment:
    # The provider is not asked for what does not add up: it counts as declined.
    refused = (
        Charge(outcome="declined", reason=command.refusal) if command.refusal else state.charge
    )
    return replace(state, bill=charge.bill_of(command, at_ms), charge=refused)


def _compensate(state: Payment, at_ms: int) -> Payment:
    """Return `state` with the refund of what was taken for items that do not leave."""
    bill, shipped_minor = state.bill, state.shipped_minor
    if bill is not None and state.closed:
        return _request_refund(state, COMPENSATION, bill.total_minor, at_ms)
    if bill is None or shipped_minor is None or bill.released_minor:
        return state
    return _request_refund(state, UNSHIPPED, bill.total_minor - shipped_minor, at_ms)


def _request_capture(state: Payment, bill: Bill, command: RequestCapture, at_ms: int) -> Payment:
    """Return `state` once the items have left, perhaps not all of them."""
    is_held = bill.capture == "at_shipment"
    if command.amount_minor is not None and state.shipped_minor is None:
        if is_held and state.charge.outcome != "succeeded":
            bill = capture.in_part(bill, command.amount_minor, command.goods_minor)
        state = replace(state, bill=bill, shipped_minor=command.amount_minor)
    if is_held:
        state = replace(state, capture=capture_evolution.request(state.capture, at_ms))
    return _compensate(state, at_ms)


def _request_refund(state: Payment, key: str, amount_minor: int, at_ms: int) -> Payment:
    if state.bill is None or not state.completed_emitted:
        return state
    requested = refund_evolution.request(state.refunds, state.bill, key, amount_minor, at_ms)
    return replace(state, refunds=refund_disputes.cover(requested, state.disputes))
