"""Projects the events about the payment of an order onto its facts."""

from collections.abc import Callable
from typing import Any

from workflows.order.facts import Facts, OrderFacts
from workflows.payment import capture_messages as capture
from workflows.payment import dispute_messages as dispute
from workflows.payment import messages as payment
from workflows.payment.action_messages import PaymentActionRequired, PaymentProcessing
from workflows.payment.refund import key_of
from workflows.shared.message import Message


def _paid(facts: Facts, order: OrderFacts, message: payment.PaymentCompleted, _at_ms: int) -> None:
    # Another currency than was ordered is a PaymentMismatch, and what it is paid in counts.
    order.currency = facts.interned(message.currency)
    order.payments += 1
    order.capture_case = False
    if order.hold_id and message.payment_id == order.hold_id:
        order.captured_minor += message.amount_minor
    order.paid_minor += message.amount_minor
    order.let_go_minor += message.released_minor


def _waits_for_customer(
    _facts: Facts,
    order: OrderFacts,
    message: PaymentActionRequired | PaymentProcessing,
    _at_ms: int,
) -> None:
    order.action_until_ms = max(order.action_until_ms, message.deadline_at_ms)


def _mismatched(_facts: Facts, order: OrderFacts, _message: Message, _at_ms: int) -> None:
    order.mismatched = True


def _refunded(
    _facts: Facts, order: OrderFacts, message: payment.PaymentRefunded, _at_ms: int
) -> None:
    order.refunded_minor += message.amount_minor
    order.by_hand_minor += message.amount_minor if message.by_hand else 0
    if not message.left_minor:
        order.refunds_overdue.discard(key_of(message))
        order.refunds_pending.discard(key_of(message))
    _add_refund(order, message, 1)


def _refund_pending(
    facts: Facts,
    order: OrderFacts,
    message: payment.PaymentRefundPending | payment.PaymentRefundFailed,
    _at_ms: int,
) -> None:
    order.refunds_pending.add(facts.interned(key_of(message)))
    if not isinstance(message, payment.PaymentRefundFailed) or not message.was_refunded:
        return
    order.refunded_minor -= message.amount_minor
    _add_refund(order, message, -1)


def _add_refund(
    order: OrderFacts, message: payment.PaymentRefunded | payment.PaymentRefundFailed, sign: int
) -> None:
    """Count a refund with `sign` where it belongs: a return, or lines that have not left.

    One of which something is left counts once that has been refunded as well.
    """
    count = sign if not getattr(message, "left_minor", 0) else 0
    if message.kind == "return":
        returned = order.returned(message.return_id)
        returned.refunds += count
        returned.refunded_minor += sign * message.amount_minor
    elif message.kind == "unshipped":
        order.unshipped_refunds += count
        order.unshipped_refunded_minor += sign * message.amount_minor


def _overdue(
    facts: Facts,
    order: OrderFacts,
    message: payment.RefundOverdue | payment.RefundCaseOpened,
    _at_ms: int,
) -> None:
    order.refunds_overdue.add(facts.interned(message.refund_key))
    order.refunds_pending.discard(message.refund_key)


def _held(_facts: Facts, order: OrderFacts, message: Any, _at_ms: int) -> None:
    match message:
        case capture.PaymentAuthorized():
            order.hold_id, order.hold_currency = message.payment_id, message.currency
            order.authorized_minor += message.amount_minor
        case capture.PaymentVoided():
            order.voided_minor += message.amount_minor
        case capture.CaptureCaseOpened():
            # An operator or a cancellation may have ended it before: then this is read late.
            order.capture_case = not (order.payments or order.written_off or order.cancelled)
        case _:
            order.written_off, order.capture_case = True, False


def _disputed(facts: Facts, order: OrderFacts, message: Any, _at_ms: int) -> None:
    match message:
        case dispute.DisputeOpened():
            order.disputes_open.add(facts.interned(message.dispute_id))
        case dispute.DisputeFundsWithdrawn():
            order.disputed_minor += message.amount_minor
        case dispute.DisputeFundsReinstated():
            order.disputed_minor -= message.amount_minor
        case dispute.DisputeClosed():
            order.disputes_open.discard(message.dispute_id)
            order.lost_minor += message.amount_minor if message.outcome == "lost" else 0
        case dispute.PaymentRefundHeld():
            order.refunds_pending.add(facts.interned(message.refund_key))
        case _:
            _covered(order, message)


def _covered(order: OrderFacts, message: dispute.RefundCoveredByDispute) -> None:
    order.covered_minor += message.amount_minor
    if message.kind == "unshipped":
        order.unshipped_refunded_minor += message.amount_minor
        order.unshipped_refunds += not message.left_minor
    returned = order.returned(message.return_id) if message.return_id else None
    if returned is not None:
        returned.refunded_minor += message.amount_minor
    if message.left_minor:
        return
    order.refunds_overdue.discard(message.refund_key)
    order.refunds_pending.discard(message.refund_key)
    if returned is not None:
        returned.refunds += 1


OF_PAYMENTS: dict[type[Message], Callable[[Facts, OrderFacts, Any, int], None]] = {
    payment.PaymentCompleted: _paid,
    PaymentActionRequired: _waits_for_customer,
    PaymentProcessing: _waits_for_customer,
    payment.PaymentMismatch: _mismatched,
    capture.PaymentAuthorized: _held,
    capture.PaymentVoided: _held,
    capture.CaptureCaseOpened: _held,
    capture.PaymentWrittenOff: _held,
    payment.PaymentRefunded: _refunded,
    payment.PaymentRefundPending: _refund_pending,
    payment.PaymentRefundFailed: _refund_pending,
    dispute.DisputeOpened: _disputed,
    dispute.DisputeFundsWithdrawn: _disputed,
    dispute.DisputeFundsReinstated: _disputed,
    dispute.DisputeClosed: _disputed,
    dispute.PaymentRefundHeld: _disputed,
    dispute.RefundCoveredByDispute: _disputed,
    payment.RefundOverdue: _overdue,
    payment.RefundCaseOpened: _overdue,
}
"""What each message about a payment adds to the facts of its order."""
