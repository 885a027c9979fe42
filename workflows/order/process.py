"""The order as a whole: the join of its steps, their deadlines, and its one end.

Nobody is led from here: services hear each other. This row watches, and says when all is well, when
a step is overdue, and when everything has been taken back. `workflows/order/state.py` keeps what is
known, `workflows/order/returns.py` judges what comes back; here is what follows from it.
"""

from typing import Any

from workflows.order import returns
from workflows.order.messages import ReturnRequested
from workflows.order.saga_messages import (
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    ReturnRefused,
    Step,
    StepOverdue,
)
from workflows.order.state import INITIAL, Mark, Order, evolve
from workflows.shared.message import Message
from workflows.shared.pending import settle

__all__ = ["INITIAL", "Order", "decide", "due", "evolve", "overdue_at_ms", "view"]

PAYMENT_MS = 240_000
"""No sooner than payment itself gives up not knowing: `workflows.payment.charge.OUTCOME_MS`."""
INVENTORY_MS = 120_000
FRAUD_MS = 90_000
"""From the payment on: the verdict is about a payment."""
SHIPPING_MS = 120_000
"""From the confirmation on."""
DELIVERY_MS = 300_000
"""From the shipment on."""
SETTLE_MS = 180_000
"""What follows a deadline or a cause may take this long; then the order counts as stuck."""

# --- judgment ----------------------------------------------------------------


def decide(memory: Order, heard: Message, at_ms: int) -> tuple[Message, ...]:
    """Return what to tell of the order after `heard`; heard again, it owes nothing more.

    A return that is not even remembered is refused again whenever it is asked for.
    """
    if isinstance(heard, ReturnRequested):
        reason = returns.refusal(memory.returns, heard)
        if reason:
            refused = ReturnRefused(
                order_id=heard.order_id, return_id=heard.return_id, reason=reason
            )
            return (refused,)
    return settle(heard, memory, at_ms, evolve=evolve, owed=_owed)


def due(memory: Order) -> int | None:
    """Return when the next step is overdue (ms), or None. Each step is told overdue once."""
    dues = (at_ms for step, at_ms in deadlines(memory).items() if step not in memory.overdue)
    return min(dues, default=None)


def overdue_at_ms(memory: Order) -> int | None:
    """Return when this order, still open, counts as stuck (ms); None when it is not open."""
    if not memory.order_id or _ended(memory):
        return None
    if memory.cause:
        return memory.cause_at_ms + SETTLE_MS
    latest_ms = memory.placed_at_ms + INVENTORY_MS
    return min(deadlines(memory).values(), default=latest_ms) + SETTLE_MS


def deadlines(memory: Order) -> dict[Step, int]:
    """Return when each step that is under way is due (ms). Nothing is due while taking back."""
    dues: dict[Step, int] = {}
    if not memory.order_id or memory.cause or _ended(memory):
        return dues
    if memory.payment.status in ("waiting", "pending"):
        dues["payment"] = memory.placed_at_ms + PAYMENT_MS
    if memory.inventory.status == "waiting":
        dues["inventory"] = memory.placed_at_ms + INVENTORY_MS
    if memory.fraud.status == "waiting" and memory.payment.status == "completed":
        dues["fraud"] = memory.payment.at_ms + FRAUD_MS
    if memory.shipping.status == "waiting" and memory.confirmed_at_ms:
        dues["shipping"] = memory.confirmed_at_ms + SHIPPING_MS
    if memory.delivery.status == "waiting" and memory.shipping.status == "created":
        dues["delivery"] = memory.shipping.at_ms + DELIVERY_MS
    return dues


def _owed(memory: Order) -> tuple[Message, ...]:
    if not memory.order_id:
        return ()
    if _ended(memory):
        return returns.owed(
            memory.returns,
            memory.order_id,
            cancelled=bool(memory.cancelled_at_ms),
            total_minor=memory.total_minor,
            currency=memory.currency,
            bought=memory.bought,
        )
    return _end(memory) or _overdue(memory)


def _end(memory: Order) -> tuple[Message, ...]:
    order_id = memory.order_id
    if memory.cause:
        taken_back = memory.payment.status in ("failed", "refunded")
        put_back = memory.inventory.status in ("rejected", "released")
        if taken_back and put_back:
            return (OrderCancelled(order_id=order_id, cause=memory.cause, detail=memory.detail),)
        return ()
    if not memory.confirmed_at_ms:
        steps = (memory.payment.status, memory.inventory.status, memory.fraud.status)
        if steps == ("completed", "reserved", "cleared"):
            return (OrderConfirmed(order_id=order_id),)
        return ()
    # The delivery may be heard of before what made it possible: the end waits for all of it.
    return (OrderCompleted(order_id=order_id),) if memory.delivery.status == "delivered" else ()


def _overdue(memory: Order) -> tuple[Message, ...]:
    return tuple(
        StepOverdue(order_id=memory.order_id, step=step, due_at_ms=at_ms)
        for step, at_ms in deadlines(memory).items()
        if at_ms <= memory.woken_at_ms and step not in memory.overdue
    )


def _ended(memory: Order) -> bool:
    return bool(memory.completed_at_ms or memory.cancelled_at_ms)


# --- views -------------------------------------------------------------------


def view(memory: Order) -> dict[str, Any]:
    """Return the order as people and the API read it: plain values, moments in ms or None."""
    dues = deadlines(memory)
    marks: dict[Step, Mark] = {
        "payment": memory.payment,
        "inventory": memory.inventory,
        "fraud": memory.fraud,
        "shipping": memory.shipping,
        "delivery": memory.delivery,
    }
    placed = Mark(status="done" if memory.order_id else "waiting", at_ms=memory.placed_at_ms)
    steps = {step: _step(mark, dues.get(step)) for step, mark in marks.items()}
    return {
        "order_id": memory.order_id,
        "state": _state(memory),
        "country": memory.country,
        "steps": {"placed": _step(placed, None), **steps},
        "overdue": list(memory.overdue),
        "cause": memory.cause,
        "detail": memory.detail,
        "amounts": _amounts(memory),
        "confirmed_at_ms": memory.confirmed_at_ms or None,
        "ended_at_ms": memory.completed_at_ms or memory.cancelled_at_ms or None,
        "stuck_at_ms": overdue_at_ms(memory),
        "returns": [_return(key, back) for key, back in memory.returns.by_id.items()],
    }


def _state(memory: Order) -> str:
    states = {
        "unknown": not memory.order_id,
        "completed": memory.completed_at_ms,
        "cancelled": memory.cancelled_at_ms,
        "compensating": memory.cause,
        "confirmed": memory.confirmed_at_ms,
    }
    return next((state for state, holds in states.items() if holds), "placed")


def _step(mark: Mark, due_at_ms: int | None) -> dict[str, Any]:
    return {"status": mark.status, "at_ms": mark.at_ms or None, "due_at_ms": due_at_ms}


def _amounts(memory: Order) -> dict[str, Any]:
    returned = (back.amount_minor for back in memory.returns.by_id.values() if back.refunded)
    return {
        "currency": memory.currency,
        "total_minor": memory.total_minor,
        "charged_minor": memory.charged_minor,
        "refunded_minor": memory.compensated_minor + sum(returned),
    }


def _return(return_id: str, back: returns.Return) -> dict[str, Any]:
    return {
        "return_id": return_id,
        "state": back.status,
        "amount_minor": back.amount_minor,
        "refunded": back.refunded,
        "restocked": back.restocked,
        "reason": back.reason,
    }
