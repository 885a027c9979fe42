"""Shipping an order, or stopping it: only this row knows whether it can still be stopped.

Nothing is booked before the order is paid, reserved and cleared; without a verdict nothing ships.
`workflows/shipping/state.py` has the state of the shipment; here is what to emit.
"""

from workflows.shared.message import Message
from workflows.shipping import carrier_messages as carrier
from workflows.shipping.messages import (
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentFailed,
)
from workflows.shipping.state import CARRIER_FAILED, INITIAL, Shipment, evolve

__all__ = ["INITIAL", "Shipment", "due", "evolve", "pending"]

# --- decide ----------------------------------------------------------------


def due(state: Shipment) -> int | None:
    """Return when to ask the carrier again (ms), or None."""
    return state.wait.due_at_ms


def pending(state: Shipment) -> tuple[Message, ...]:
    """Return what to ask the carrier, and what to emit of the shipment."""
    if state.status == "ended":
        return ()
    if state.status == "waiting":
        return _start(state)
    return _end(state) or _course(state)


def _start(state: Shipment) -> tuple[Message, ...]:
    if state.stop:
        return (ShipmentCancelled(order_id=state.order_id, cause=state.stop),)
    if state.paid and state.cleared and state.units is not None:
        return (_book(state, state.units),)
    return ()


def _end(state: Shipment) -> tuple[Message, ...]:
    order_id, shipment_id = state.order_id, state.shipment_id
    if state.delivered:
        # Also when it was to be stopped: the request came too late, and the order goes on.
        delivered = ShipmentDelivered(order_id=order_id, shipment_id=shipment_id)
        return (delivered,) if state.created_emitted else (_created(state), delivered)
    if state.withdrawn and state.created_emitted:
        return (ShipmentCancelled(order_id=order_id, cause=state.stop, shipment_id=shipment_id),)
    if state.withdrawn and state.stop != CARRIER_FAILED:
        return (ShipmentCancelled(order_id=order_id, cause=state.stop),)
    if state.withdrawn or (state.refused and not state.stop):
        return (ShipmentFailed(order_id=order_id, reason=state.reason),)
    return ()


def _course(state: Shipment) -> tuple[Message, ...]:
    order_id, attempt = state.order_id, state.wait.tries
    if state.stop and (state.ask_again or state.status != "stopping"):
        return (carrier.WithdrawShipment(order_id=order_id, attempt=attempt),)
    if state.stop:
        return ()
    if state.shipment_id and not state.created_emitted:
        return (_created(state),)
    if not state.ask_again:
        return ()
    if state.status == "booking" and state.units is not None:
        return (_book(state, state.units),)
    return (carrier.InquireShipment(order_id=order_id, attempt=attempt),)


def _book(state: Shipment, units: int) -> Message:
    return carrier.BookShipment(
        order_id=state.order_id, country=state.country, units=units, attempt=state.wait.tries
    )


def _created(state: Shipment) -> Message:
    return ShipmentCreated(
        order_id=state.order_id,
        shipment_id=state.shipment_id,
        tracking=state.tracking,
        partial=state.partial,
    )
