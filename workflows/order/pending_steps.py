"""What an order waits for, in business terms: what, since when, until when, and what follows.

Part of the order workflow.
"""

from collections.abc import Iterator
from typing import Literal

from workflows.order.process import STUCK_AFTER_MS, deadlines, overdue_at_ms
from workflows.order.returns import Return
from workflows.order.state import UNPAID, Order, is_all_back
from workflows.shared.workflow import PendingStep, Step

Status = Literal[
    "unknown", "waiting", "retrying", "compensating", "stuck", "completed", "cancelled"
]
STEPS = (
    Step(
        name="payment",
        awaits="the payment provider to answer",
        otherwise="the order is cancelled",
    ),
    Step(
        name="customer_action",
        awaits="the customer to confirm the payment with the bank",
        otherwise="the charge is voided and the order is cancelled",
    ),
    Step(
        name="processing",
        awaits="the payment provider to process the charge",
        otherwise="the charge is voided and the order is cancelled",
    ),
    Step(
        name="inventory",
        awaits="every shelf to say whether it has the items",
        otherwise="the order is cancelled",
    ),
    Step(
        name="fraud",
        awaits="a verdict on the payment",
        otherwise="the order is cancelled, since nothing ships without",
    ),
    Step(
        name="shipping",
        awaits="the carrier to take the shipment",
        otherwise="the order is cancelled",
    ),
    Step(
        name="delivery",
        awaits="the carrier to deliver",
        otherwise="the delivery is reported overdue",
    ),
    Step(
        name="capture",
        awaits="the payment provider to take the money that it holds",
        otherwise="the capture is reported overdue",
    ),
    Step(name="order", awaits="its own next message"),
    Step(name="compensating", awaits="the refund, and the items to be restocked"),
)
"""The statuses of an open order: it waits for a step, retries, or is being compensated."""
_STEP = {step.name: step for step in STEPS}


def status_of(state: Order, now_ms: int) -> Status:
    """Return the status of the order: an open one may be stuck, retrying or compensating."""
    stuck_ms = overdue_at_ms(state)
    states: dict[Status, bool] = {
        "unknown": not state.order_id,
        "completed": bool(state.completed_at_ms),
        "cancelled": bool(state.cancelled_at_ms),
        "stuck": stuck_ms is not None and now_ms > stuck_ms,
        "compensating": state.cause is not None,
        "retrying": state.payment.status == "pending" or bool(state.overdue),
    }
    for status, holds in states.items():
        if holds:
            return status
    return "waiting"


def waits(state: Order, now_ms: int) -> tuple[tuple[str, Status], ...]:
    """Return of which of STEPS an open order waits, and how; nothing of one that has ended."""
    status = status_of(state, now_ms)
    if status in ("unknown", "completed", "cancelled"):
        return ()
    if status == "stuck" or state.cause:
        steps = ("compensating",) if state.cause else tuple(deadlines(state)) or ("order",)
        return tuple((step, status) for step in steps)
    again = {*state.overdue, *(["payment"] if state.payment.status == "pending" else [])}
    return tuple(
        (_label_of(step, state), "retrying" if step in again else "waiting")
        for step in tuple(deadlines(state)) or ("order",)
    )


def _label_of(step: str, state: Order) -> str:
    """Return the step for people: a payment may wait for its customer, or for its bank."""
    waits = {"action_required": "customer_action", "processing": "processing"}
    return waits.get(state.payment.status, step) if step == "payment" else step


def pending_steps(state: Order) -> tuple[PendingStep, ...]:
    """Return all that is waited for, the soonest due first."""
    steps = [*_steps(state), *_taking_back(state), *_returns(state)]
    return tuple(sorted(steps, key=lambda each: each.until_ms))


def _steps(state: Order) -> Iterator[PendingStep]:
    since_ms = {
        "payment": state.payment.at_ms or state.placed_at_ms,
        "inventory": state.placed_at_ms,
        "fraud": state.payment.at_ms,
        "shipping": state.confirmed_at_ms,
        "delivery": state.shipping.at_ms,
        "capture": state.shipping.at_ms,
    }
    for step, until_ms in deadlines(state).items():
        label = _label_of(step, state)
        acts = label in ("customer_action", "processing")
        yield PendingStep(
            what=_STEP[label].awaits,
            since_ms=since_ms[step],
            until_ms=state.action.until_ms if acts else until_ms,
            then=_STEP[label].otherwise,
            url=state.action.url if acts else "",
        )


def _taking_back(state: Order) -> Iterator[PendingStep]:
    if not state.cause or state.completed_at_ms or state.cancelled_at_ms:
        return
    until_ms, since_ms = state.cause_at_ms + STUCK_AFTER_MS, state.cause_at_ms
    status = state.payment.status
    is_rest_missing = status in ("refunded", "charged_back") and not is_all_back(state)
    open_: dict[str, bool] = {
        "the money to be refunded": status in ("completed", "refunding") or is_rest_missing,
        "the bank to decide about the payment, which the customer disputes": (status == "disputed"),
        "the money that is held to be voided": status == "authorized",
        "the payment to end without money taken": status in UNPAID,
        "the items to be put back on their shelves": state.inventory.status == "reserved",
        "every shelf to say that it holds nothing": state.inventory.status == "waiting",
    }
    for what, holds in open_.items():
        if holds:
            then = "the order counts as stuck, and an operator has to look into it"
            yield PendingStep(what=what, since_ms=since_ms, until_ms=until_ms, then=then)


def _returns(state: Order) -> Iterator[PendingStep]:
    ended_ms = state.completed_at_ms or state.cancelled_at_ms
    for return_id, back in state.returns.by_id.items():
        if back.status == "accepted" and not (back.refunded and back.restocked):
            parts = [
                what
                for what, done in (
                    (_money_missing(back), back.refunded),
                    ("its items to be restocked", back.restocked),
                )
                if not done
            ]
            yield PendingStep(
                what=f"return {return_id}: {' and '.join(parts)}",
                since_ms=ended_ms,
                until_ms=ended_ms + STUCK_AFTER_MS,
                then="a refund that is overdue is reported",
            )


def _money_missing(back: Return) -> str:
    if back.held:
        return "its refund, which is held while the customer disputes the payment"
    return "its money to be refunded"
