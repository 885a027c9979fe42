"""How the payment of an order goes on, and the verdict on it. Part of the order workflow."""

from msgspec.structs import replace

from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.order.state import UNPAID, Action, Mark, Order, blame
from workflows.payment.action_messages import PaymentActionRequired, PaymentProcessing
from workflows.payment.capture_messages import PaymentAuthorized, PaymentVoided, PaymentWrittenOff
from workflows.payment.dispute_messages import PaymentRefundHeld, RefundCoveredByDispute
from workflows.payment.messages import (
    PaymentCompleted,
    PaymentFailed,
    PaymentPending,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundPending,
)
from workflows.shared.message import Message

TAKEN = ("completed", "refunding", "refunded", "disputed", "charged_back")
DUE_BACK = ("completed", "refunding", "disputed")
"""What was taken is still to be refunded, where the order is cancelled."""


def paid(state: Order, message: Message, at_ms: int) -> Order:  # noqa: PLR0911  one match
    """Return `state` after `message` about its payment or the verdict on it."""
    status = state.payment.status
    match message:
        case PaymentPending() if status == "waiting":
            return replace(state, payment=Mark(status="pending", at_ms=at_ms))
        case PaymentActionRequired() | PaymentProcessing() if status in UNPAID:
            return _waits_for_customer(state, message, at_ms)
        case PaymentFailed(reason=reason) if status in UNPAID:
            failed = replace(state, payment=Mark(status="failed", at_ms=at_ms))
            # "cancelled" says that the step ended because of another step's failure.
            return (
                failed if reason == "cancelled" else blame("payment_failed", reason, failed, at_ms)
            )
        case PaymentCompleted() if status not in TAKEN:
            # Also after a failure: money taken after all, and its refund is still to come.
            mark = Mark(status="completed", at_ms=at_ms)
            with_charge = replace(state, payment=mark, charged_minor=message.amount_minor)
            return replace(with_charge, let_go_minor=message.released_minor)
        case PaymentRefundPending(kind="compensation") if status in ("completed", "disputed"):
            return replace(state, payment=Mark(status="refunding", at_ms=at_ms))
        case PaymentRefunded(kind="compensation", amount_minor=amount_minor) if status in DUE_BACK:
            # Less than was asked for: the rest is a refund of its own.
            mark = Mark(status="refunding" if message.left_minor else "refunded", at_ms=at_ms)
            back_minor = state.compensated_minor + amount_minor
            return replace(state, payment=mark, compensated_minor=back_minor)
        case PaymentRefundFailed(kind="compensation"):
            return _came_back(state, message, at_ms)
        case PaymentRefunded(kind="unshipped", amount_minor=amount_minor):
            back_minor = state.unshipped_refunded_minor + amount_minor
            return replace(state, unshipped_refunded_minor=back_minor)
        case PaymentRefundFailed(kind="unshipped"):
            left_minor = state.unshipped_refunded_minor - _came_back_minor(message)
            return replace(state, unshipped_refunded_minor=max(left_minor, 0))
        case _:
            after = _disputed(_held(state, message, at_ms), message, at_ms)
            return _judged(after, message, at_ms)


def _came_back(state: Order, failed: PaymentRefundFailed, at_ms: int) -> Order:
    """Return `state` with the refund of a cancelled order, or a part of it, due once more."""
    status = state.payment.status
    left_minor = state.compensated_minor - _came_back_minor(failed)
    state = replace(state, compensated_minor=max(left_minor, 0))
    # A bank may have covered what was left when the part that we have paid comes back.
    if status in ("refunding", "refunded") or (status == "charged_back" and failed.was_refunded):
        return replace(state, payment=Mark(status="completed", at_ms=at_ms))
    return state


def _came_back_minor(failed: PaymentRefundFailed) -> int:
    """Return what a refund that has failed is to be taken off: one that had counted as given."""
    return failed.amount_minor if failed.was_refunded else 0


def _disputed(state: Order, message: Message, at_ms: int) -> Order:
    status = state.payment.status
    match message:
        case PaymentRefundHeld(kind="compensation") if status in DUE_BACK:
            return replace(state, payment=Mark(status="disputed", at_ms=at_ms))
        case RefundCoveredByDispute(kind="compensation" | "unshipped" as kind):
            covered_minor = state.covered_minor + message.amount_minor
            state = replace(state, covered_minor=covered_minor)
            is_whole = kind == "compensation" and not message.left_minor
            if is_whole and status in DUE_BACK:
                return replace(state, payment=Mark(status="charged_back", at_ms=at_ms))
            return state
        case _:
            return state


def _held(state: Order, message: Message, at_ms: int) -> Order:
    status = state.payment.status
    match message:
        case PaymentAuthorized(amount_minor=amount_minor) if status in UNPAID:
            mark = Mark(status="authorized", at_ms=at_ms)
            return replace(state, payment=mark, authorized_minor=amount_minor)
        case PaymentVoided() if status == "authorized":
            return replace(state, payment=Mark(status="voided", at_ms=at_ms))
        case PaymentWrittenOff() if status not in TAKEN:
            return replace(state, payment=Mark(status="written_off", at_ms=at_ms))
        case _:
            return state


def _waits_for_customer(
    state: Order, message: PaymentActionRequired | PaymentProcessing, at_ms: int
) -> Order:
    """Return `state` with who has to act before the payment goes on, and until when."""
    asks = isinstance(message, PaymentActionRequired)
    return replace(
        state,
        payment=Mark(status="action_required" if asks else "processing", at_ms=at_ms),
        action=Action(url=message.url if asks else "", until_ms=message.deadline_at_ms),
    )


def _judged(state: Order, message: Message, at_ms: int) -> Order:
    match message:
        case FraudCleared() if state.fraud.status == "waiting":
            return replace(state, fraud=Mark(status="cleared", at_ms=at_ms))
        case FraudDetected(reasons=reasons) if state.fraud.status == "waiting":
            detected = replace(state, fraud=Mark(status="detected", at_ms=at_ms))
            return blame("fraud", "; ".join(reasons), detected, at_ms)
        case _:
            return state
