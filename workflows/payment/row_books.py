"""What the row of a payment says about money: what moved at the provider, and what is held there.

Part of `workflows/payment/books.py`.
"""

from collections.abc import Iterator

from workflows.payment.capture import Capture
from workflows.payment.charge import Bill, Charge
from workflows.payment.process import Payment
from workflows.payment.refund_evolution import PENDING_OVERDUE_MS
from workflows.payment.refund_state import Refund
from workflows.shared.books import Hold, Kind, Line

HELD_MS = 120 * 86_400_000
"""How long a dispute may hold a refund: banks take two or three months."""


def lines_of_payment(state: Payment, at_ms: int) -> Iterator[Line]:
    """Yield what the row of one payment, written at `at_ms`, says about money."""
    bill, charge = state.bill, state.charge
    if bill is None:
        return
    if state.capture.voided_emitted:
        yield _hold_line(state.capture, bill, at_ms)
        if charge.outcome == "voided":
            return
    if charge.asked and charge.outcome not in ("declined", "authorized"):
        yield Line(
            book="payments",
            order_id=bill.transaction_id,
            kind="void" if charge.outcome == "voided" else "charge",
            reference=charge.payment_id,
            amount_minor=_asked_minor(charge, bill),
            currency=bill.currency,
            at_ms=at_ms if charge.outcome else charge.unknown_since_ms or at_ms,
            open=not charge.outcome,
        )
    yield from _dispute_lines(state, bill, at_ms)
    for key, refund in state.refunds.by_key.items():
        yield from _refund_lines(key, refund, bill, at_ms)


def _refund_lines(key: str, refund: Refund, bill: Bill, at_ms: int) -> Iterator[Line]:
    """Yield what was refunded under one key, and what is to be."""
    for part in refund.parts:
        if part.by_hand or part.is_failed:
            continue
        yield Line(
            book="payments",
            order_id=bill.transaction_id,
            kind="refund",
            key=part.refund_id if part.at_provider else name_of_round(key, part.round),
            reference=part.refund_id,
            amount_minor=part.amount_minor,
            currency=bill.currency,
            at_ms=at_ms,
        )
    if refund.by_hand or not refund.amount_minor:
        # It is not in the provider's book: a bank has paid it.
        return
    is_held = refund.held_emitted and refund.status == "owed"
    is_refunded = refund.status in {"given", "told"}
    yield Line(
        book="payments",
        order_id=bill.transaction_id,
        kind="refund",
        key=refund.refund_id if refund.at_provider else name_of_round(key, refund.round),
        reference=refund.refund_id,
        amount_minor=refund.amount_minor,
        currency=bill.currency,
        at_ms=at_ms if is_refunded else refund.asked_at_ms or at_ms,
        open=not is_refunded,
        open_ms=HELD_MS if is_held else PENDING_OVERDUE_MS * (refund.status == "pending"),
    )


def name_of_round(key: str, number: int) -> str:
    """Return the name of the refund of one round, as the provider's book has it."""
    return f"{key}/{number}" if number else key


def _asked_minor(charge: Charge, bill: Bill) -> int:
    """Return what was charged, or what was voided: held, or else asked for and never held."""
    if charge.outcome != "voided":
        return bill.total_minor
    return charge.let_go_minor or bill.held_minor


def _dispute_lines(state: Payment, bill: Bill, at_ms: int) -> Iterator[Line]:
    """Yield what disputes have taken, and what came back."""
    for dispute_id, dispute in state.disputes.by_id.items():
        moved = dispute.withdrawn_minor, dispute.reinstated_minor
        kinds: tuple[Kind, Kind] = ("dispute", "reversal")
        for kind, amount_minor in zip(kinds, moved, strict=True):
            if amount_minor:
                yield Line(
                    book="payments",
                    order_id=bill.transaction_id,
                    kind=kind,
                    key=dispute_id,
                    reference=dispute_id,
                    amount_minor=amount_minor,
                    currency=dispute.currency,
                    at_ms=at_ms,
                )


def _hold_line(hold: Capture, bill: Bill, at_ms: int) -> Line:
    """Return the line of a hold that was voided, or has ended."""
    return Line(
        book="payments",
        order_id=bill.transaction_id,
        kind="void",
        reference=hold.payment_id,
        amount_minor=hold.amount_minor,
        currency=hold.currency,
        at_ms=at_ms,
    )


def holds_of_payment(state: Payment, at_ms: int) -> Iterator[Hold]:
    """Yield what the row of one payment, written at `at_ms`, knows of money that was held."""
    bill, charge, held = state.bill, state.charge, state.capture
    if bill is None or not (held.payment_id or charge.let_go_minor):
        return
    # Its answer was never received: the void says what it was.
    authorized_minor = held.amount_minor if held.payment_id else charge.let_go_minor
    is_taken = charge.outcome == "succeeded" and charge.payment_id == held.payment_id
    captured_minor = (charge.charged_minor or bill.total_minor) if is_taken else 0
    is_over = is_taken or held.voided_emitted or charge.outcome == "voided"
    yield Hold(
        book="payments",
        order_id=bill.transaction_id,
        authorized_minor=authorized_minor,
        captured_minor=captured_minor,
        voided_minor=authorized_minor - captured_minor if is_over else 0,
        currency=held.currency or bill.currency,
        at_ms=at_ms,
    )
