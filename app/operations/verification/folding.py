"""How facts are gathered: event by event, in any order between topics, once or more. Pure."""

from collections import Counter
from collections.abc import Callable
from sys import intern
from typing import Any
from uuid import UUID

from app.operations.verification.facts import Delivery, Facts, OrderFacts, ReturnFacts
from app.wire.envelope import Envelope
from workflows.fraud import messages as fraud
from workflows.inventory import messages as inventory
from workflows.inventory import stock_messages as stock
from workflows.ledger import messages as ledger
from workflows.order import messages as order
from workflows.order import saga_messages as saga
from workflows.payment import messages as payment
from workflows.payment.refund import COMPENSATION
from workflows.shared.message import Message
from workflows.shared.topic import topic_of
from workflows.shipping import messages as shipping


def fold(facts: Facts, message: Any, envelope: Envelope) -> None:
    """Add `message` to `facts`; an event whose id was seen before changes nothing."""
    short = _short(envelope.id)
    if short in facts.seen:
        facts.duplicates += 1
        return
    facts.seen.add(short)
    match message:
        case (
            stock.ReceiveStock()
            | stock.AdjustStock()
            | stock.StockReceived()
            | stock.StockAdjusted()
        ):
            _fold_stock(facts, message, envelope)
        case _:
            known = facts.order(topic_of(message).key(message))
            known.last_ms = max(known.last_ms, envelope.time_ms)
            add = _OF_ORDERS.get(type(message))
            if add is not None:
                add(facts, known, message, envelope)


def _placed(
    _facts: Facts, known: OrderFacts, message: order.OrderPlaced, envelope: Envelope
) -> None:
    if known.placed_ms:
        # Somebody has emitted it again, otherwise: every agent keeps to the first.
        return
    known.placed_ms = envelope.time_ms
    known.total_minor = message.total_minor
    known.lines = _merged(message.lines)


def _completed(_facts: Facts, known: OrderFacts, _message: Message, _envelope: Envelope) -> None:
    known.completed += 1


def _cancelled(
    _facts: Facts, known: OrderFacts, message: saga.OrderCancelled, envelope: Envelope
) -> None:
    known.cancelled += 1
    known.cause = intern(message.cause)
    known.end_ms = _earlier(known.end_ms, envelope.time_ms)


def _paid(
    _facts: Facts, known: OrderFacts, message: payment.PaymentCompleted, _envelope: Envelope
) -> None:
    known.payments += 1
    known.paid_minor += message.amount_minor


def _refunded(
    _facts: Facts, known: OrderFacts, message: payment.PaymentRefunded, _envelope: Envelope
) -> None:
    known.refunded_minor += message.amount_minor
    known.refunds_overdue.discard(message.return_id or COMPENSATION)
    if message.kind == "return":
        returned = _return_of(known, message.return_id)
        returned.refunds += 1
        returned.refunded_minor += message.amount_minor


def _overdue(
    _facts: Facts, known: OrderFacts, message: payment.RefundOverdue, _envelope: Envelope
) -> None:
    known.refunds_overdue.add(intern(message.refund_key))


def _stocked(_facts: Facts, known: OrderFacts, message: Message, _envelope: Envelope) -> None:
    known.reserved = known.reserved or isinstance(message, inventory.InventoryReserved)
    known.released = known.released or isinstance(message, inventory.InventoryReleased)


def _judged(_facts: Facts, known: OrderFacts, _message: Message, _envelope: Envelope) -> None:
    known.cleared = True


def _created(_facts: Facts, known: OrderFacts, _message: Message, envelope: Envelope) -> None:
    known.created = True
    known.end_ms = _earlier(known.end_ms, envelope.time_ms)


def _stopped(
    _facts: Facts, known: OrderFacts, message: shipping.ShipmentCancelled, _envelope: Envelope
) -> None:
    known.stopped = known.stopped or bool(message.shipment_id)


def _entered(
    facts: Facts, known: OrderFacts, message: ledger.EntryPosted, _envelope: Envelope
) -> None:
    total = 0
    for posting in message.postings:
        account = intern(f"{message.currency}/{posting.account}")
        amount = posting.debit_minor - posting.credit_minor
        known.accounts[account] = known.accounts.get(account, 0) + amount
        total += amount
    if total:
        facts.unbalanced.append(message.entry_id)


def _came_back(_facts: Facts, known: OrderFacts, message: Any, envelope: Envelope) -> None:
    returned = _return_of(known, message.return_id)
    match message:
        case order.ReturnRequested():
            returned.requested_ms = _earlier(returned.requested_ms, envelope.time_ms)
        case saga.ReturnAccepted():
            returned.accepted_ms = envelope.time_ms
            returned.amount_minor = message.amount_minor
            returned.goods = _merged(tuple(line for line in message.lines if line.goods))
        case saga.ReturnRefused():
            returned.refused = message.reason
        case inventory.InventoryReturned():
            returned.restocked += 1


_OF_ORDERS: dict[type[Message], Callable[[Facts, OrderFacts, Any, Envelope], None]] = {
    order.OrderPlaced: _placed,
    order.ReturnRequested: _came_back,
    saga.OrderCompleted: _completed,
    saga.OrderCancelled: _cancelled,
    saga.ReturnAccepted: _came_back,
    saga.ReturnRefused: _came_back,
    payment.PaymentCompleted: _paid,
    payment.PaymentRefunded: _refunded,
    payment.RefundOverdue: _overdue,
    inventory.InventoryReserved: _stocked,
    inventory.InventoryReleased: _stocked,
    inventory.InventoryReturned: _came_back,
    fraud.FraudCleared: _judged,
    shipping.ShipmentCreated: _created,
    shipping.ShipmentCancelled: _stopped,
    ledger.EntryPosted: _entered,
}
"""What only asks or announces is not here: it leaves its trace in the time of the latest event."""


def _return_of(known: OrderFacts, return_id: str) -> ReturnFacts:
    return known.returns.setdefault(return_id, ReturnFacts())


def _fold_stock(
    facts: Facts,
    message: stock.ReceiveStock | stock.AdjustStock | stock.StockReceived | stock.StockAdjusted,
    envelope: Envelope,
) -> None:
    match message:
        case stock.ReceiveStock():
            _asked(facts, message.receipt_id, message.sku, message.quantity, envelope)
        case stock.AdjustStock():
            _asked(facts, message.adjustment_id, message.sku, message.delta, envelope)
        case stock.StockReceived():
            _answered(facts, message.receipt_id, message.sku, message.quantity, envelope)
        case stock.StockAdjusted():
            _answered(facts, message.adjustment_id, message.sku, message.delta, envelope)


def _asked(facts: Facts, ask_id: str, sku: str, units: int, envelope: Envelope) -> None:
    delivery = _delivery(facts, ask_id, sku, envelope)
    delivery.asks += 1
    delivery.units = abs(units)


def _answered(facts: Facts, ask_id: str, sku: str, units: int, envelope: Envelope) -> None:
    _delivery(facts, ask_id, sku, envelope).answers += 1
    facts.received[intern(sku)] += units


def _delivery(facts: Facts, ask_id: str, sku: str, envelope: Envelope) -> Delivery:
    delivery = facts.deliveries.setdefault(f"{sku}/{ask_id}", Delivery(sku=intern(sku)))
    delivery.last_ms = max(delivery.last_ms, envelope.time_ms)
    return delivery


def _merged(lines: tuple[order.Line, ...] | tuple[order.ReturnLine, ...]) -> tuple:
    units: Counter[str] = Counter()
    for line in lines:
        units[intern(line.sku)] += line.quantity
    return tuple(units.items())


def _earlier(known_ms: int, at_ms: int) -> int:
    return min(known_ms, at_ms) if known_ms else at_ms


def _short(event_id: str) -> int:
    """Return eight bytes of the id: enough to tell a million events apart, a third the state."""
    try:
        return UUID(event_id).int >> 64
    except ValueError:
        return hash(event_id)
