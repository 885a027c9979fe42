"""Stock: every unit received is on hand, held or shipped, by the rows and by the topics."""

from collections import Counter

from workflows.inventory.stock import Stock
from workflows.inventory.stock_messages import (
    AdjustStock,
    ReceiveStock,
    StockAdjusted,
    StockReceived,
)
from workflows.order.facts import Delivery, Facts, Shelf
from workflows.order.snapshot import Snapshot
from workflows.shared.invariants import Check, as_check

MESSAGES = (ReceiveStock, AdjustStock, StockReceived, StockAdjusted)
"""The messages about items that come in."""

# --- facts ------------------------------------------------------------------


def project(
    facts: Facts,
    message: ReceiveStock | AdjustStock | StockReceived | StockAdjusted,
    at_ms: int,
) -> None:
    """Add `message`, emitted at `at_ms`, to `facts`."""
    match message:
        case ReceiveStock():
            _add_command(facts, message, message.receipt_id, message.quantity, at_ms)
        case AdjustStock():
            _add_command(facts, message, message.adjustment_id, message.delta, at_ms)
        case StockReceived():
            _answered(facts, message.receipt_id, message.sku, message.quantity, at_ms)
        case StockAdjusted():
            _answered(facts, message.adjustment_id, message.sku, message.delta, at_ms)


def _add_command(
    facts: Facts, command: ReceiveStock | AdjustStock, ask_id: str, units: int, at_ms: int
) -> None:
    delivery = _delivery(facts, ask_id, command.sku, at_ms)
    delivery.before = command.reference and f"{command.sku}/{command.reference}"
    delivery.asks += 1
    delivery.units = abs(units)


def _answered(facts: Facts, ask_id: str, sku: str, units: int, at_ms: int) -> None:
    _delivery(facts, ask_id, sku, at_ms).answers += 1
    facts.received[facts.interned(sku)] += units


def _delivery(facts: Facts, ask_id: str, sku: str, at_ms: int) -> Delivery:
    delivery = facts.deliveries.setdefault(f"{sku}/{ask_id}", Delivery(sku=facts.interned(sku)))
    delivery.last_ms = max(delivery.last_ms, at_ms)
    return delivery


def project_row(facts: Facts, sku: str, state: Stock | None) -> None:
    """Note the numbers of a shelf, by its row."""
    facts.shelves.pop(sku, None)
    if state is not None:
        facts.shelves[sku] = Shelf(
            received=state.received,
            on_hand=state.on_hand,
            held=sum(state.held.values()),
            shipped=state.shipped,
        )


# --- checks -----------------------------------------------------------------


def receipts_are_booked(snapshot: Snapshot) -> Check:
    """Every receipt and adjustment of the warehouse is booked exactly once."""
    facts = snapshot.facts
    deliveries = facts.deliveries
    wrong = [
        key
        for key, delivery in deliveries.items()
        # An answer without a request would be stock out of nowhere.
        if delivery.answers > 1
        or not delivery.asks
        or not (delivery.answers or _under_way(snapshot, delivery) or _was_booked(facts, delivery))
    ]
    return as_check("receipts_are_booked", len(deliveries), wrong)


def shelves_add_up(snapshot: Snapshot) -> Check:
    """On hand and held and shipped is what was received, in every stock row."""
    shelves = snapshot.facts.shelves
    wrong = [
        sku
        for sku, shelf in shelves.items()
        if shelf.on_hand + shelf.held + shelf.shipped != shelf.received or shelf.on_hand < 0
    ]
    return as_check("shelves_add_up", len(shelves), wrong)


def stock_agrees(snapshot: Snapshot) -> Check:
    """Stock rows hold what the topics add up to, per SKU."""
    drifts = stock_drift(snapshot)
    count = len(snapshot.facts.shelves.keys() | snapshot.facts.received.keys())
    wrong = [f"{sku} ({units:+d})" for sku, units in sorted(drifts.items())]
    return as_check("stock_agrees", count, wrong)


def stock_drift(snapshot: Snapshot) -> dict[str, int]:
    """Return the units by which rows and topics differ, for each SKU where they do.

    Units of orders in motion are allowed for.
    """
    due = _shelves_due(snapshot)
    slack = _units_moving(snapshot)
    drifts: dict[str, int] = {}
    for sku in due.keys() | snapshot.facts.shelves.keys():
        row, emitted = snapshot.facts.shelves.get(sku, Shelf()), due.get(sku, Shelf())
        differences = (
            row.received - emitted.received,
            row.held - emitted.held,
            row.shipped - emitted.shipped,
        )
        worst = max(differences, key=abs)
        excess = abs(worst) - slack[sku]
        if excess > 0:
            drifts[sku] = excess if worst > 0 else -excess
    return drifts


def _shelves_due(snapshot: Snapshot) -> dict[str, Shelf]:
    """Return what every shelf should hold according to the topics."""
    due: dict[str, Shelf] = {
        sku: Shelf(received=units) for sku, units in snapshot.facts.received.items()
    }
    for order in snapshot.facts.orders.values():
        held = order.reserved and not order.released and not order.created
        for sku, units in order.shipping_lines if held or order.shipped else ():
            shelf = due.setdefault(sku, Shelf())
            shelf.held += units if held else 0
            shelf.shipped += units if order.shipped else 0
        for returned in order.returns.values():
            for sku, units in returned.units if returned.accepted_ms else ():
                due.setdefault(sku, Shelf()).shipped -= units
    return due


def _units_moving(snapshot: Snapshot) -> Counter[str]:
    """Return the units by SKU that may be on their way between two places."""
    moving: Counter[str] = Counter()
    for key, order in snapshot.facts.orders.items():
        if snapshot.moving(key, order):
            moving.update(dict(order.lines))
            for returned in order.returns.values():
                moving.update(dict(returned.units) if not returned.is_over else {})
    for delivery in snapshot.facts.deliveries.values():
        if _under_way(snapshot, delivery):
            moving[delivery.sku] += delivery.units
    return moving


def _was_booked(facts: Facts, delivery: Delivery) -> bool:
    """Return whether it repeats what was booked when its name was not that of a client."""
    return delivery.before in facts.deliveries and facts.deliveries[delivery.before].answers == 1


def _under_way(snapshot: Snapshot, delivery: Delivery) -> bool:
    return delivery.sku in snapshot.moment.pending or snapshot.moment.fresh(delivery.last_ms)
