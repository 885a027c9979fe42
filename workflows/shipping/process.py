"""Sending an order on its way, or stopping it: the one place that knows whether it still can be.

Nothing is booked before it is paid, reserved and judged clean; without a verdict nothing ships.
`workflows/shipping/state.py` keeps what is known of the parcel, here is what follows from it.
"""

from workflows.shared.message import Message
from workflows.shared.pending import settle
from workflows.shipping import carrier_messages as carrier
from workflows.shipping.messages import (
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentFailed,
)
from workflows.shipping.state import CARRIER_FAILED, INITIAL, Parcel, evolve

__all__ = ["INITIAL", "Parcel", "decide", "due", "evolve"]

# --- judgment ----------------------------------------------------------------


def decide(memory: Parcel, heard: Message, at_ms: int) -> tuple[Message, ...]:
    """Return what to ask the carrier and tell after `heard`; heard again, it owes nothing more."""
    return settle(heard, memory, at_ms, evolve=evolve, owed=_owed)


def due(memory: Parcel) -> int | None:
    """Return when to ask the carrier again (ms), or None."""
    return memory.wait.due_at_ms


def _owed(memory: Parcel) -> tuple[Message, ...]:
    if memory.status == "ended":
        return ()
    if memory.status == "waiting":
        return _start(memory)
    return _end(memory) or _course(memory)


def _start(memory: Parcel) -> tuple[Message, ...]:
    if memory.stop:
        return (ShipmentCancelled(order_id=memory.order_id, cause=memory.stop),)
    if memory.paid and memory.cleared and memory.units is not None:
        return (_book(memory, memory.units),)
    return ()


def _end(memory: Parcel) -> tuple[Message, ...]:
    order_id, shipment_id = memory.order_id, memory.shipment_id
    if memory.delivered:
        # Also when it was to be stopped: that came too late, and the order carries on.
        delivered = ShipmentDelivered(order_id=order_id, shipment_id=shipment_id)
        return (delivered,) if memory.created_told else (_created(memory), delivered)
    if memory.withdrawn and memory.created_told:
        return (ShipmentCancelled(order_id=order_id, cause=memory.stop, shipment_id=shipment_id),)
    if memory.withdrawn and memory.stop != CARRIER_FAILED:
        return (ShipmentCancelled(order_id=order_id, cause=memory.stop),)
    if memory.withdrawn or (memory.refused and not memory.stop):
        return (ShipmentFailed(order_id=order_id, reason=memory.reason),)
    return ()


def _course(memory: Parcel) -> tuple[Message, ...]:
    order_id, attempt = memory.order_id, memory.wait.tries
    if memory.stop and (memory.ask_again or memory.status != "stopping"):
        return (carrier.WithdrawShipment(order_id=order_id, attempt=attempt),)
    if memory.stop:
        return ()
    if memory.shipment_id and not memory.created_told:
        return (_created(memory),)
    if not memory.ask_again:
        return ()
    if memory.status == "booking" and memory.units is not None:
        return (_book(memory, memory.units),)
    return (carrier.InquireShipment(order_id=order_id, attempt=attempt),)


def _book(memory: Parcel, units: int) -> Message:
    return carrier.BookShipment(
        order_id=memory.order_id, country=memory.country, units=units, attempt=memory.wait.tries
    )


def _created(memory: Parcel) -> Message:
    return ShipmentCreated(
        order_id=memory.order_id, shipment_id=memory.shipment_id, tracking=memory.tracking
    )
