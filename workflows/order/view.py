"""The order as people and the API read it: plain values."""

from typing import Any

from workflows.order import returns
from workflows.order.process import deadlines, overdue_at_ms
from workflows.order.state import Mark, Order


def view(state: Order) -> dict[str, Any]:
    """Return the order as people and the API read it: plain values, moments in ms or None."""
    dues: dict[str, int] = {**deadlines(state)}
    marks = {
        "payment": state.payment,
        "inventory": state.inventory,
        "fraud": state.fraud,
        "shipping": state.shipping,
        "delivery": state.delivery,
    }
    placed = Mark(status="done" if state.order_id else "waiting", at_ms=state.placed_at_ms)
    steps = {step: _step(mark, dues.get(step)) for step, mark in marks.items()}
    return {
        "order_id": state.order_id,
        "state": _status(state),
        "country": state.country,
        "steps": {"placed": _step(placed, None), **steps},
        "action": _action(state),
        "overdue": list(state.overdue),
        "cause": state.cause,
        "detail": state.detail,
        "amounts": _amounts(state),
        "confirmed_at_ms": state.confirmed_at_ms or None,
        "ended_at_ms": state.completed_at_ms or state.cancelled_at_ms or None,
        "stuck_at_ms": overdue_at_ms(state),
        "returns": [_return(key, back) for key, back in state.returns.by_id.items()],
    }


def _status(state: Order) -> str:
    states = {
        "unknown": not state.order_id,
        "completed": state.completed_at_ms,
        "cancelled": state.cancelled_at_ms,
        "compensating": state.cause,
        "confirmed": state.confirmed_at_ms,
    }
    return next((name for name, holds in states.items() if holds), "placed")


def _step(mark: Mark, due_at_ms: int | None) -> dict[str, Any]:
    return {"status": mark.status, "at_ms": mark.at_ms or None, "due_at_ms": due_at_ms}


def _action(state: Order) -> dict[str, Any] | None:
    """Return what the customer has to do; None when there is nothing."""
    if state.payment.status != "action_required" or state.cause:
        return None
    return {"kind": "confirm_payment", "url": state.action.url, "until_ms": state.action.until_ms}


def _amounts(state: Order) -> dict[str, Any]:
    returned = (back.amount_minor for back in state.returns.by_id.values() if back.refunded)
    return {
        "currency": state.currency,
        "total_minor": state.total_minor,
        "authorized_minor": state.authorized_minor,
        "charged_minor": state.charged_minor,
        "refunded_minor": state.compensated_minor + sum(returned),
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
