"""What is known of the one shipment of an order, and how that changes.

Part of the shipping workflow.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.fraud.messages import FraudCleared, FraudConfirmed, FraudDetected
from workflows.inventory.messages import InventoryRejected, InventoryReserved
from workflows.order.messages import OrderCancelRequested, OrderPlaced
from workflows.order.partial_shipment import PartialShipment
from workflows.order.saga_messages import StepOverdue
from workflows.payment.capture_messages import (
    AuthorizationExpiring,
    PaymentAuthorized,
    PaymentVoided,
)
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
"""How long the webhook of a delivery may take before the carrier is asked."""
CALL_BACK_MS_MAX = 60_000

CARRIER_FAILED = "shipment_failed"
"""Why a shipment is stopped although nobody asked to stop it."""

# --- state ------------------------------------------------------------------

Status = Literal["waiting", "booking", "travelling", "stopping", "ended"]


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """What the shipping of one order remembers."""

    status: Status = "waiting"
    order_id: str = ""
    country: str = ""
    paid: bool = False
    units: int | None = None
    """What is reserved; None until it is."""
    partial: PartialShipment | None = None
    """What is reserved, where not all of the order is; None: all of it."""
    cleared: bool = False
    stop: str = ""
    """Why the shipment is to be stopped; empty while it is not."""
    reason: str = ""
    """What the carrier said, when it will not ship."""
    refused: bool = False
    withdrawn: bool = False
    delivered: bool = False
    shipment_id: str = ""
    tracking: str = ""
    created_emitted: bool = msgspec.field(name="created_told", default=False)
    ask_again: bool = False
    unknown_since_ms: int | None = None
    wait: Wait = Wait()


INITIAL = Shipment()

# --- evolve --------------------------------------------------------------------


def evolve(state: Shipment, message: Message, at_ms: int) -> Shipment:  # noqa: C901, PLR0911, PLR0912  one match
    """Return `state` after `message`, received or emitted."""
    match message:
        case OrderPlaced(country=country):
            # An order placed again with other content does not change the address.
            return state if state.country else replace(state, country=country)
        case PaymentAuthorized() | PaymentCompleted():
            order_id, country = message.transaction_id, message.country
            return replace(state, order_id=order_id, country=country, paid=True)
        case InventoryReserved(units=units, partial=partial):
            return replace(state, units=units, partial=partial)
        case FraudCleared():
            return replace(state, cleared=True)
        case PaymentFailed() | InventoryRejected() | FraudDetected():
            # The emitting service compensates by itself. It cannot come after the booking, which
            # needs the opposite of each.
            return replace(state, status="ended") if state.status == "waiting" else state
        case FraudConfirmed(transaction_id=order_id):
            # It was cleared before: only shipping knows whether it can still be stopped (ADR 3).
            return _stopped(state, order_id, "fraud")
        case AuthorizationExpiring() | PaymentVoided(reason="expired"):
            # What has left is not called back: payment takes it up with the customer.
            order_id = message.transaction_id
            return state if state.created_emitted else _stopped(state, order_id, "payment_expired")
        case OrderCancelRequested(order_id=order_id):
            return _stopped(state, order_id, "cancelled_by_customer")
        case StepOverdue(order_id=order_id, step=step):
            return _stopped(state, order_id, "overdue") if _is_missing(state, step) else state
        case DeadlineReached():
            return _woken(state, message, at_ms)
        case ShipmentCreated():
            wait = wait_until(rest(state.wait), at_ms + CALL_BACK_MS)
            return replace(state, created_emitted=True, status="travelling", wait=wait)
        case ShipmentFailed() | ShipmentCancelled() | ShipmentDelivered():
            return replace(state, status="ended", wait=rest(state.wait))
        case _:
            return _await_answer(_answered(state, message, at_ms), message, at_ms)


def _stopped(state: Shipment, order_id: str, cause: str) -> Shipment:
    if state.stop or state.status == "ended":
        return state
    return replace(state, order_id=order_id, stop=cause)


def _is_missing(state: Shipment, step: str) -> bool:
    # An overdue step may have happened all the same; what is known here to have happened is not
    # undone for being late. A late delivery is for people to look into, not to withdraw.
    match step:
        case "payment":
            return not state.paid
        case "inventory":
            return state.units is None
        case "fraud":
            return not state.cleared
        case "shipping":
            return not state.created_emitted
        case _:
            return False


def _await_answer(state: Shipment, message: Message, at_ms: int) -> Shipment:
    tries = state.wait.tries
    match message:
        case carrier.BookShipment():
            status, due_at_ms = "booking", at_ms + ANSWER_MS
        case carrier.WithdrawShipment():
            status, due_at_ms = "stopping", at_ms + ANSWER_MS
        case carrier.InquireShipment():
            pause_ms = backoff_ms(tries, first_ms=CALL_BACK_MS, most_ms=CALL_BACK_MS_MAX)
            status, due_at_ms = "travelling", at_ms + pause_ms
        case _:
            return state
    wait = wait_until(state.wait, due_at_ms)
    return replace(state, status=status, ask_again=False, wait=wait)


def _answered(state: Shipment, message: Message, at_ms: int) -> Shipment:  # noqa: PLR0911  one match
    if state.status in ("waiting", "ended"):
        return state
    match message:
        case carrier.ShipmentBooked(shipment_id=shipment_id, tracking=tracking):
            return replace(state, shipment_id=shipment_id, tracking=tracking)
        case carrier.ShipmentRefused(reason=reason) if state.status == "booking":
            return replace(state, refused=True, reason=reason)
        case carrier.ShipmentWithdrawn() if state.stop:
            return replace(state, withdrawn=True)
        case carrier.ShipmentWithdrawn():
            reason = "withdrawn by the carrier"
            return replace(state, withdrawn=True, stop=CARRIER_FAILED, reason=reason)
        case carrier.ShipmentTracked() | carrier.CarrierNotified():
            delivered = state.delivered or message.status == "delivered"
            return replace(state, shipment_id=message.shipment_id, delivered=delivered)
        case carrier.ShipmentUnknown() if state.status != "travelling":
            pause_ms = backoff_ms(
                state.wait.tries, first_ms=BACKOFF_FIRST_MS, most_ms=BACKOFF_MS_MAX
            )
            since_ms = at_ms if state.unknown_since_ms is None else state.unknown_since_ms
            wait = wait_until(state.wait, at_ms + pause_ms)
            return replace(state, unknown_since_ms=since_ms, wait=wait)
        case _:
            return state


def _woken(state: Shipment, received: DeadlineReached, at_ms: int) -> Shipment:
    woken = replace(state, wait=wake(state.wait, received))
    if not reached(state.wait.due_at_ms, received):
        return woken
    since_ms = at_ms if state.unknown_since_ms is None else state.unknown_since_ms
    if state.status == "booking" and at_ms - since_ms >= UNKNOWN_MS:
        return replace(woken, stop=CARRIER_FAILED, reason="carrier unavailable")
    return replace(woken, ask_again=True, unknown_since_ms=since_ms)
