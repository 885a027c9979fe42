"""The order as a whole: the join of its steps, their deadlines, and its one end.

It is not an orchestrator: the services consume each other's events. This row follows them and emits
when an order is complete, when a step is overdue, and when everything has been compensated.
`workflows/order/evolution.py` says how it changes, `workflows/order/return_decision.py`
decides about returns; here is what to emit, `workflows/order/view.py` says it to people.
"""

from workflows.order import return_decision
from workflows.order.disputes import OPEN
from workflows.order.evolution import evolve
from workflows.order.messages import GoodwillGranted, ReturnRequested
from workflows.order.returns import refusal
from workflows.order.saga_messages import (
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    ReturnRefused,
    Step,
    StepOverdue,
)
from workflows.order.state import INITIAL, UNPAID, Order, is_all_back, kept_minor
from workflows.payment.refund_evolution import PENDING_OVERDUE_MS
from workflows.shared.message import Message

__all__ = ["INITIAL", "Order", "decide", "due", "evolve", "overdue_at_ms", "pending"]

PAYMENT_MS = 240_000
"""No sooner than payment itself settles an unknown outcome:
`workflows.payment.charge_evolution.OUTCOME_MS`."""
INVENTORY_MS = 120_000
FRAUD_MS = 90_000
"""From the payment on: the verdict is about a payment."""
SHIPPING_MS = 120_000
"""From the confirmation on."""
DELIVERY_MS = 300_000
"""From the shipment on."""
CAPTURE_MS = 300_000
"""From the shipment on, where money is taken only then."""
DISPUTED_MS = 120 * 86_400_000
"""How long a dispute may hold the refund of a cancelled order: banks take two or three months."""
STUCK_AFTER_MS = 180_000
"""What follows a deadline or a cause may take this long; then the order counts as stuck."""

# --- decide ----------------------------------------------------------------


def decide(state: Order, received: Message, _at_ms: int) -> tuple[Message, ...]:
    """Return the refusal of a return that the order does not store, each time it is requested."""
    if not isinstance(received, ReturnRequested | GoodwillGranted):
        return ()
    reason = refusal(state.returns, received)
    if not reason:
        return ()
    return (
        ReturnRefused(
            order_id=received.order_id,
            return_id=received.return_id,
            reason=reason,
            is_goodwill=isinstance(received, GoodwillGranted),
        ),
    )


def due(state: Order) -> int | None:
    """Return when the next step is overdue (ms), or None. Each step is reported overdue once."""
    dues = (at_ms for step, at_ms in deadlines(state).items() if step not in state.overdue)
    return min(dues, default=None)


def overdue_at_ms(state: Order) -> int | None:
    """Return when this order, still open, counts as stuck (ms); None when it is not open."""
    if not state.order_id or _ended(state):
        return None
    waits_ms = {"refunding": PENDING_OVERDUE_MS, "disputed": DISPUTED_MS}
    if not is_all_back(state):
        # The other refund, for lines that were not to ship, may be pending or held as well.
        is_disputed = any(each.status in OPEN for each in state.disputes.values())
        rest_ms = DISPUTED_MS if is_disputed else PENDING_OVERDUE_MS
        waits_ms |= dict.fromkeys(("refunded", "charged_back"), rest_ms)
    if state.cause and state.payment.status in waits_ms:
        return state.payment.at_ms + waits_ms[state.payment.status] + STUCK_AFTER_MS
    if state.cause:
        return max(state.cause_at_ms, state.payment.at_ms) + STUCK_AFTER_MS
    latest_ms = state.placed_at_ms + INVENTORY_MS
    return min(deadlines(state).values(), default=latest_ms) + STUCK_AFTER_MS


def deadlines(state: Order) -> dict[Step, int]:
    """Return when each step that is under way is due (ms). Nothing is due while compensating."""
    dues: dict[Step, int] = {}
    if not state.order_id or state.cause or _ended(state):
        return dues
    if state.payment.status in UNPAID:
        # Waiting for the customer is not an outage; payment voids the charge when the time is over.
        dues["payment"] = max(state.placed_at_ms, state.action.until_ms) + PAYMENT_MS
    if state.inventory.status == "waiting":
        dues["inventory"] = state.placed_at_ms + INVENTORY_MS
    if state.fraud.status == "waiting" and state.payment.status in ("authorized", "completed"):
        dues["fraud"] = state.payment.at_ms + FRAUD_MS
    if state.shipping.status == "waiting" and state.confirmed_at_ms:
        dues["shipping"] = state.confirmed_at_ms + SHIPPING_MS
    if state.delivery.status == "waiting" and state.shipping.status == "created":
        dues["delivery"] = state.shipping.at_ms + DELIVERY_MS
    if state.payment.status in ("authorized", "voided") and state.shipping.status == "created":
        dues["capture"] = state.shipping.at_ms + CAPTURE_MS
    return dues


def pending(state: Order) -> tuple[Message, ...]:
    """Return what to emit of the order, or of its returns once it has ended."""
    if not state.order_id:
        return ()
    if _ended(state):
        return return_decision.pending(
            state.returns,
            state.order_id,
            cancelled=bool(state.cancelled_at_ms),
            paid_minor=kept_minor(state),
            currency=state.currency,
        )
    return _end(state) or _overdue(state)


def _end(state: Order) -> tuple[Message, ...]:
    order_id = state.order_id
    if state.cause:
        by_bank = state.payment.status == "charged_back"
        refunded = (by_bank or state.payment.status == "refunded") and is_all_back(state)
        # What was written off was not taken: nothing has to come back.
        taken_back = refunded or state.payment.status in ("failed", "voided", "written_off")
        put_back = state.inventory.status in ("rejected", "released")
        if taken_back and put_back:
            return (
                OrderCancelled(
                    order_id=order_id, cause=state.cause, detail=state.detail, by_bank=by_bank
                ),
            )
        return ()
    if not state.confirmed_at_ms:
        steps = (state.inventory.status, state.fraud.status)
        # The shipment may be received before what it needed: then it says that there was all.
        was_held = state.authorized_minor > 0 and state.shipping.status == "created"
        is_paid = state.payment.status in ("authorized", "completed") or was_held
        if is_paid and steps == ("reserved", "cleared"):
            return (OrderConfirmed(order_id=order_id),)
        return ()
    # The delivery may be received before the steps that precede it: the end waits for all of them.
    is_payment_over = state.payment.status in ("completed", "written_off")
    is_over = state.delivery.status == "delivered" and is_payment_over
    return (OrderCompleted(order_id=order_id),) if is_over else ()


def _overdue(state: Order) -> tuple[Message, ...]:
    return tuple(
        StepOverdue(order_id=state.order_id, step=step, due_at_ms=at_ms)
        for step, at_ms in deadlines(state).items()
        if at_ms <= state.woken_at_ms and step not in state.overdue
    )


def _ended(state: Order) -> bool:
    return bool(state.completed_at_ms or state.cancelled_at_ms)
