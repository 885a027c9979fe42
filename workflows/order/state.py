"""What is known of an order as a whole, step by step, and how that changes."""

from typing import get_args

import msgspec
from msgspec.structs import replace

from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.inventory.messages import InventoryRejected, InventoryReleased, InventoryReserved
from workflows.inventory.restock import units_by_sku
from workflows.order import returns
from workflows.order import saga_messages as saga
from workflows.order.messages import OrderPlaced
from workflows.order.returns import Returns
from workflows.order.saga_messages import Cause, Step
from workflows.payment.messages import (
    PaymentCompleted,
    PaymentFailed,
    PaymentPending,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundPending,
)
from workflows.shared.deadline import DeadlineReached
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.message import Message
from workflows.shipping import messages as shipping

# --- state ------------------------------------------------------------------


class Mark(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The status of a step, and since when (ms)."""

    status: str = "waiting"
    at_ms: int = 0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What one order remembers. Moments are ms, 0 while they have not come."""

    order_id: str = ""
    """Empty until the order is placed."""
    country: str = ""
    currency: str = ""
    total_minor: int = 0
    bought: dict[str, int] = {}
    """Units by SKU."""
    placed_at_ms: int = 0
    payment: Mark = Mark()
    """waiting, pending, failed, completed, refunding, refunded"""
    inventory: Mark = Mark()
    """waiting, reserved, rejected, released"""
    fraud: Mark = Mark()
    """waiting, cleared, detected"""
    shipping: Mark = Mark()
    """waiting, created, failed, cancelled"""
    delivery: Mark = Mark()
    """waiting, delivered"""
    charged_minor: int = 0
    compensated_minor: int = 0
    cause: Cause | None = None
    """Why it is being compensated: the first cause received."""
    detail: str = ""
    cause_at_ms: int = 0
    confirmed_at_ms: int = 0
    completed_at_ms: int = 0
    cancelled_at_ms: int = 0
    overdue: tuple[Step, ...] = ()
    """The steps that were reported overdue."""
    woken_at_ms: int = 0
    """Deadlines up to this moment have passed."""
    returns: Returns = Returns()


INITIAL = Order()
TAKEN = ("completed", "refunding", "refunded")

# --- evolve --------------------------------------------------------------------


def evolve(state: Order, message: Message, at_ms: int) -> Order:  # noqa: PLR0911  one match
    """Return `state` after `message`, received or emitted."""
    match message:
        case OrderPlaced():
            return state if state.order_id else _placed(state, message, at_ms)
        case saga.OrderConfirmed():
            return replace(state, confirmed_at_ms=at_ms)
        case saga.OrderCompleted():
            return replace(state, completed_at_ms=at_ms)
        case saga.OrderCancelled():
            return replace(state, cancelled_at_ms=at_ms)
        case saga.StepOverdue(step=step):
            return replace(state, overdue=(*state.overdue, step))
        case DeadlineReached(due_at_ms=due_at_ms):
            return replace(state, woken_at_ms=max(state.woken_at_ms, due_at_ms))
        case _:
            after = _delivered(
                _reserved(_paid(state, message, at_ms), message, at_ms), message, at_ms
            )
            return replace(after, returns=returns.evolve(after.returns, message))


def _placed(state: Order, placed: OrderPlaced, at_ms: int) -> Order:
    return replace(
        state,
        order_id=placed.order_id,
        country=placed.country,
        currency=placed.currency,
        total_minor=placed.total_minor,
        bought=units_by_sku(placed.lines),
        placed_at_ms=at_ms,
    )


def _paid(state: Order, message: Message, at_ms: int) -> Order:  # noqa: PLR0911  one match
    status = state.payment.status
    match message:
        case PaymentPending() if status == "waiting":
            return replace(state, payment=Mark(status="pending", at_ms=at_ms))
        case PaymentFailed(reason=reason) if status in ("waiting", "pending"):
            failed = replace(state, payment=Mark(status="failed", at_ms=at_ms))
            # "cancelled" says that the step ended because of another step's failure.
            return (
                failed if reason == "cancelled" else _blame("payment_failed", reason, failed, at_ms)
            )
        case PaymentCompleted(amount_minor=amount_minor) if status not in TAKEN:
            # Also after a failure: money taken after all, and its refund is still to come.
            mark = Mark(status="completed", at_ms=at_ms)
            return replace(state, payment=mark, charged_minor=amount_minor)
        case PaymentRefundPending(kind="compensation") if status == "completed":
            return replace(state, payment=Mark(status="refunding", at_ms=at_ms))
        case PaymentRefunded(kind="compensation", amount_minor=amount_minor) if status in (
            "completed",
            "refunding",
        ):
            mark = Mark(status="refunded", at_ms=at_ms)
            return replace(state, payment=mark, compensated_minor=amount_minor)
        case PaymentRefundFailed(kind="compensation") if status in ("refunding", "refunded"):
            mark = Mark(status="completed", at_ms=at_ms)
            return replace(state, payment=mark, compensated_minor=0)
        case FraudCleared() if state.fraud.status == "waiting":
            return replace(state, fraud=Mark(status="cleared", at_ms=at_ms))
        case FraudDetected(reasons=reasons) if state.fraud.status == "waiting":
            detected = replace(state, fraud=Mark(status="detected", at_ms=at_ms))
            return _blame("fraud", "; ".join(reasons), detected, at_ms)
        case _:
            return state


def _reserved(state: Order, message: Message, at_ms: int) -> Order:
    status = state.inventory.status
    match message:
        case InventoryReserved() if status == "waiting":
            return replace(state, inventory=Mark(status="reserved", at_ms=at_ms))
        case InventoryRejected(reason=reason, skus=skus) if status == "waiting":
            rejected = replace(state, inventory=Mark(status="rejected", at_ms=at_ms))
            if reason == "cancelled":
                return rejected
            return _blame("out_of_stock", ", ".join(skus), rejected, at_ms)
        case InventoryReleased() if status == "reserved":
            return replace(state, inventory=Mark(status="released", at_ms=at_ms))
        case _:
            return state


def _delivered(state: Order, message: Message, at_ms: int) -> Order:
    status = state.shipping.status
    match message:
        case shipping.ShipmentCreated() if status == "waiting":
            return replace(state, shipping=Mark(status="created", at_ms=at_ms))
        case shipping.ShipmentFailed(reason=reason) if status == "waiting":
            failed = replace(state, shipping=Mark(status="failed", at_ms=at_ms))
            return _blame("shipment_failed", reason, failed, at_ms)
        case shipping.ShipmentCancelled(cause=cause) if status in ("waiting", "created"):
            cancelled = replace(state, shipping=Mark(status="cancelled", at_ms=at_ms))
            known: Cause = next((one for one in get_args(Cause) if one == cause), "shipment_failed")
            return _blame(known, "", cancelled, at_ms)
        case shipping.ShipmentDelivered() if state.delivery.status == "waiting":
            return replace(state, delivery=Mark(status="delivered", at_ms=at_ms))
        case _:
            return state


def _blame(cause: Cause, detail: str, state: Order, at_ms: int) -> Order:
    if state.cause or state.completed_at_ms:
        return state
    return replace(state, cause=cause, detail=detail[:TEXT_CHARS_MAX], cause_at_ms=at_ms)
