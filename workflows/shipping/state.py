"""What is known of the one parcel of an order, and how that changes.

Part of the shipping workflow.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.fraud.messages import FraudCleared, FraudConfirmed, FraudDetected
from workflows.inventory.messages import InventoryRejected, InventoryReserved
from workflows.order.messages import OrderCancelRequested, OrderPlaced
from workflows.order.saga_messages import StepOverdue
from workflows.payment.messages import PaymentCompleted, PaymentFailed
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message
from workflows.shared.retry import Wait, backoff_ms, reached, rest, wait_until, wake
from workflows.shipping import carrier_messages as carrier
from workflows.shipping.messages import (
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentFailed,
)

ANSWER_MS = 30_000
"""How long an answer of the carrier may take before it is asked again."""
UNKNOWN_MS = 60_000
"""How long a booking may stay unknown before it is withdrawn."""
BACKOFF_FIRST_MS = 1_000
BACKOFF_MS_MAX = 30_000
CALL_BACK_MS = 5_000
"""How long the call-back of a delivery may take before the carrier is asked."""
CALL_BACK_MS_MAX = 60_000

CARRIER_FAILED = "shipment_failed"
"""Why a parcel is stopped that nobody asked to stop."""

# --- memory ------------------------------------------------------------------

Status = Literal["waiting", "booking", "travelling", "stopping", "ended"]


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """What the shipping of one order remembers."""

    status: Status = "waiting"
    order_id: str = ""
    country: str = ""
    paid: bool = False
    units: int | None = None
    """What is reserved; None until it is."""
    cleared: bool = False
    stop: str = ""
    """Why the parcel is to be stopped; empty while it is not."""
    reason: str = ""
    """What the carrier said, when it will not ship."""
    refused: bool = False
    withdrawn: bool = False
    delivered: bool = False
    shipment_id: str = ""
    tracking: str = ""
    created_told: bool = False
    ask_again: bool = False
    unknown_since_ms: int | None = None
    wait: Wait = Wait()


INITIAL = Parcel()

# --- fold --------------------------------------------------------------------


def evolve(memory: Parcel, word: Message, at_ms: int) -> Parcel:  # noqa: C901, PLR0911  one match
    """Return `memory` after `word`, heard or told."""
    match word:
        case OrderPlaced(country=country):
            # Told again as another order, it does not go elsewhere.
            return memory if memory.country else replace(memory, country=country)
        case PaymentCompleted(order_id=order_id, country=country):
            return replace(memory, order_id=order_id, country=country, paid=True)
        case InventoryReserved(units=units):
            return replace(memory, units=units)
        case FraudCleared():
            return replace(memory, cleared=True)
        case PaymentFailed() | InventoryRejected() | FraudDetected():
            # Those who told it take back what they did; once booked, none of them can be heard.
            return replace(memory, status="ended") if memory.status == "waiting" else memory
        case FraudConfirmed(order_id=order_id):
            # Judged clean first: what can still be stopped is known here alone (ADR 3).
            return _stopped(memory, order_id, "fraud")
        case OrderCancelRequested(order_id=order_id):
            return _stopped(memory, order_id, "cancelled_by_customer")
        case StepOverdue(order_id=order_id, step=step):
            return _stopped(memory, order_id, "overdue") if _is_missing(memory, step) else memory
        case DeadlineReached():
            return _woken(memory, word, at_ms)
        case ShipmentCreated():
            wait = wait_until(rest(memory.wait), at_ms + CALL_BACK_MS)
            return replace(memory, created_told=True, status="travelling", wait=wait)
        case ShipmentFailed() | ShipmentCancelled() | ShipmentDelivered():
            return replace(memory, status="ended", wait=rest(memory.wait))
        case _:
            return _asked(_answered(memory, word, at_ms), word, at_ms)


def _stopped(memory: Parcel, order_id: str, cause: str) -> Parcel:
    if memory.stop or memory.status == "ended":
        return memory
    return replace(memory, order_id=order_id, stop=cause)


def _is_missing(memory: Parcel, step: str) -> bool:
    # An overdue step may have happened all the same; what is known here to have happened is not
    # undone for being late. A late delivery is for people to look into, not to withdraw.
    match step:
        case "payment":
            return not memory.paid
        case "inventory":
            return memory.units is None
        case "fraud":
            return not memory.cleared
        case "shipping":
            return not memory.created_told
        case _:
            return False


def _asked(memory: Parcel, word: Message, at_ms: int) -> Parcel:
    tries = memory.wait.tries
    match word:
        case carrier.BookShipment():
            status, due_at_ms = "booking", at_ms + ANSWER_MS
        case carrier.WithdrawShipment():
            status, due_at_ms = "stopping", at_ms + ANSWER_MS
        case carrier.InquireShipment():
            pause_ms = backoff_ms(tries, first_ms=CALL_BACK_MS, most_ms=CALL_BACK_MS_MAX)
            status, due_at_ms = "travelling", at_ms + pause_ms
        case _:
            return memory
    wait = wait_until(memory.wait, due_at_ms)
    return replace(memory, status=status, ask_again=False, wait=wait)


def _answered(memory: Parcel, word: Message, at_ms: int) -> Parcel:  # noqa: PLR0911  one match
    if memory.status in ("waiting", "ended"):
        return memory
    match word:
        case carrier.ShipmentBooked(shipment_id=shipment_id, tracking=tracking):
            return replace(memory, shipment_id=shipment_id, tracking=tracking)
        case carrier.ShipmentRefused(reason=reason) if memory.status == "booking":
            return replace(memory, refused=True, reason=reason)
        case carrier.ShipmentWithdrawn() if memory.stop:
            return replace(memory, withdrawn=True)
        case carrier.ShipmentWithdrawn():
            reason = "withdrawn by the carrier"
            return replace(memory, withdrawn=True, stop=CARRIER_FAILED, reason=reason)
        case carrier.ShipmentTracked() | carrier.CarrierNotified():
            delivered = memory.delivered or word.status == "delivered"
            return replace(memory, shipment_id=word.shipment_id, delivered=delivered)
        case carrier.ShipmentUnknown() if memory.status != "travelling":
            pause_ms = backoff_ms(
                memory.wait.tries, first_ms=BACKOFF_FIRST_MS, most_ms=BACKOFF_MS_MAX
            )
            since_ms = at_ms if memory.unknown_since_ms is None else memory.unknown_since_ms
            wait = wait_until(memory.wait, at_ms + pause_ms)
            return replace(memory, unknown_since_ms=since_ms, wait=wait)
        case _:
            return memory


def _woken(memory: Parcel, heard: DeadlineReached, at_ms: int) -> Parcel:
    woken = replace(memory, wait=wake(memory.wait, heard))
    if not reached(memory.wait.due_at_ms, heard):
        return woken
    since_ms = at_ms if memory.unknown_since_ms is None else memory.unknown_since_ms
    if memory.status == "booking" and at_ms - since_ms >= UNKNOWN_MS:
        return replace(woken, stop=CARRIER_FAILED, reason="carrier unavailable")
    return replace(woken, ask_again=True, unknown_since_ms=since_ms)
