"""How what is known of an order changes, with each message received or emitted.

Part of the order workflow; `workflows/order/payment_evolution.py` has the payment.
"""

from typing import get_args

from msgspec.structs import replace

from workflows.inventory.messages import InventoryRejected, InventoryReleased, InventoryReserved
from workflows.inventory.restock import units_by_sku
from workflows.order import disputes, returns
from workflows.order import saga_messages as saga
from workflows.order.messages import OrderPlaced
from workflows.order.payment_evolution import paid
from workflows.order.saga_messages import Cause
from workflows.order.state import Mark, Order, blame
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message
from workflows.shipping import messages as shipping


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
                _reserved(paid(state, message, at_ms), message, at_ms), message, at_ms
            )
            return replace(
                after,
                returns=returns.evolve(after.returns, message),
                disputes=disputes.evolve(after.disputes, message, at_ms),
            )


def _placed(state: Order, placed: OrderPlaced, at_ms: int) -> Order:
    return replace(
        state,
        order_id=placed.order_id,
        customer_id=placed.customer_id,
        country=placed.country,
        currency=placed.currency,
        total_minor=placed.total_minor,
        bought=units_by_sku(placed.lines),
        returns=returns.placed(state.returns, placed),
        placed_at_ms=at_ms,
    )


def _reserved(state: Order, message: Message, at_ms: int) -> Order:
    status = state.inventory.status
    match message:
        case InventoryReserved(partial=partial) if status == "waiting":
            reserved = replace(state, inventory=Mark(status="reserved", at_ms=at_ms))
            return replace(reserved, returns=replace(state.returns, partial=partial))
        case InventoryRejected(reason=reason, skus=skus) if status == "waiting":
            rejected = replace(state, inventory=Mark(status="rejected", at_ms=at_ms))
            if reason == "cancelled":
                return rejected
            why = ": too many open orders" if reason == "too_many_open_orders" else ""
            return blame("out_of_stock", ", ".join(skus) + why, rejected, at_ms)
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
            return blame("shipment_failed", reason, failed, at_ms)
        case shipping.ShipmentCancelled(cause=cause) if status in ("waiting", "created"):
            cancelled = replace(state, shipping=Mark(status="cancelled", at_ms=at_ms))
            order_cause: Cause = next(
                (one for one in get_args(Cause) if one == cause), "shipment_failed"
            )
            return blame(order_cause, "", cancelled, at_ms)
        case shipping.ShipmentDelivered() if state.delivery.status == "waiting":
            return replace(state, delivery=Mark(status="delivered", at_ms=at_ms))
        case _:
            return state
