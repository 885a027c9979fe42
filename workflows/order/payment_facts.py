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


def _paid(facts: Facts, known: OrderFacts, message: payment.PaymentCompleted, _at_ms: int) -> None:
    # Another currency than was ordered is a PaymentMismatch, and what it is paid in counts.
    known.currency = facts.interned(message.currency)
    known.payments += 1
    known.capture_case = False
    if known.hold_id and message.payment_id == known.hold_id:
        known.captured_minor += message.amount_minor
    known.paid_minor += message.amount_minor
    known.let_go_minor += message.released_minor


def _waits_for_customer(
    _facts: Facts,
    known: OrderFacts,
    message: PaymentActionRequired | PaymentProcessing,
    _at_ms: int,
) -> None:
    known.action_until_ms = max(known.action_until_ms, message.deadline_at_ms)


def _mismatched(_facts: Facts, known: OrderFacts, _message: Message, _at_ms: int) -> None:
    known.mismatched = True


def _refunded(
    _facts: Facts, known: OrderFacts, message: payment.PaymentRefunded, _at_ms: int
) -> None:
    known.refunded_minor += message.amount_minor
    known.by_hand_minor += message.amount_minor if message.by_hand else 0
    if not message.left_minor:
        known.refunds_overdue.discard(key_of(message))
        known.refunds_pending.discard(key_of(message))
    _add_refund(known, message, 1)


def _refund_pending(
    facts: Facts,
    known: OrderFacts,
    message: payment.PaymentRefundPending | payment.PaymentRefundFailed,
    _at_ms: int,
) -> None:
    known.refunds_pending.add(facts.interned(key_of(message)))
    if not isinstance(message, payment.PaymentRefundFailed) or not message.was_refunded:
        return
    known.refunded_minor -= message.amount_minor
    _add_refund(known, message, -1)


def _add_refund(
    known: OrderFacts, message: payment.PaymentRefunded | payment.PaymentRefundFailed, sign: int
) -> None:
    """Count a refund with `sign` where it belongs: a return, or lines that have not left.

    One of which something is left counts once that has been refunded as well.
    """
    count = sign if not getattr(message, "left_minor", 0) else 0
    if message.kind == "return":
        returned = known.returned(message.return_id)
        returned.refunds += count
        returned.refunded_minor += sign * message.amount_minor
    elif message.kind == "unshipped":
        known.unshipped_refunds += count
        known.unshipped_refunded_minor += sign * message.amount_minor


def _overdue(
    facts: Facts,
    known: OrderFacts,
    message: payment.RefundOverdue | payment.RefundCaseOpened,
    _at_ms: int,
) -> None:
    known.refunds_overdue.add(facts.interned(message.refund_key))
    known.refunds_pending.discard(message.refund_key)


def _held(_facts: Facts, known: OrderFacts, message: Any, _at_ms: int) -> None:
    match message:
        case capture.PaymentAuthorized():
            known.hold_id, known.hold_currency = message.payment_id, message.currency
            known.authorized_minor += message.amount_minor
        case capture.PaymentVoided():
            known.voided_minor += message.amount_minor
        case capture.CaptureCaseOpened():
            # An operator or a cancellation may have ended it before: then this is read late.
            known.capture_case = not (known.payments or known.written_off or known.cancelled)
        case _:
            known.written_off, known.capture_case = True, False


def _disputed(facts: Facts, known: OrderFacts, message: Any, _at_ms: int) -> None:
    match message:
        case dispute.DisputeOpened():
            known.disputes_open.add(facts.interned(message.dispute_id))
        case dispute.DisputeFundsWithdrawn():
            known.disputed_minor += message.amount_minor
        case dispute.DisputeFundsReinstated():
            known.disputed_minor -= message.amount_minor
        case dispute.DisputeClosed():
            known.disputes_open.discard(message.dispute_id)
            known.lost_minor += message.amount_minor if message.outcome == "lost" else 0
        case dispute.PaymentRefundHeld():
            known.refunds_pending.add(facts.interned(message.refund_key))
        case _:
            _covered(known, message)


def _covered(known: OrderFacts, message: dispute.RefundCoveredByDispute) -> None:
    known.covered_minor += message.amount_minor
    if message.kind == "unshipped":
        known.unshipped_refunded_minor += message.amount_minor
        known.unshipped_refunds += not message.left_minor
    returned = known.returned(message.return_id) if message.return_id else None
    if returned is not None:
        returned.refunded_minor += message.amount_minor
    if message.left_minor:
        return
    known.refunds_overdue.discard(message.refund_key)
    known.refunds_pending.discard(message.refund_key)
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
