"""Projects events onto the facts of orders, one by one, in any order between topics."""

from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from workflows.fraud import messages as fraud
from workflows.inventory import invariants as stock
from workflows.inventory import messages as inventory
from workflows.ledger import messages as ledger
from workflows.order import messages as order
from workflows.order import saga_messages as saga
from workflows.order.facts import Facts, OrderFacts
from workflows.order.payment_facts import OF_PAYMENTS
from workflows.order.process import overdue_at_ms
from workflows.order.return_amount import sale_of
from workflows.order.state import Order
from workflows.shared.message import Message
from workflows.shared.topic import topic_of
from workflows.shipping import messages as shipping


def project(facts: Facts, message: Any, at_ms: int) -> None:
    """Add `message`, emitted at `at_ms`, to `facts`."""
    kind = cast("type[Message]", type(message))
    if isinstance(message, stock.MESSAGES):
        stock.project(facts, message, at_ms)
        return
    order_facts = facts.order(topic_of(message).key(message))
    order_facts.last_ms = max(order_facts.last_ms, at_ms)
    add = _OF_ORDERS.get(kind)
    if add is not None:
        add(facts, order_facts, message, at_ms)


def _placed(facts: Facts, order_facts: OrderFacts, message: order.OrderPlaced, at_ms: int) -> None:
    if order_facts.placed_ms:
        # The order was produced again with other content: every agent uses the first.
        return
    order_facts.placed_ms = at_ms
    order_facts.total_minor = message.total_minor
    order_facts.currency = order_facts.currency or facts.interned(message.currency)
    order_facts.lines = _merged(facts, message.lines)
    order_facts.sale = sale_of(message)
    order_facts.may_ship_in_part = message.partial_shipment


def _completed(_facts: Facts, order_facts: OrderFacts, _message: Message, _at_ms: int) -> None:
    order_facts.completed += 1


def _cancelled(
    facts: Facts, order_facts: OrderFacts, message: saga.OrderCancelled, at_ms: int
) -> None:
    order_facts.cancelled += 1
    # Nothing is to be captured for it any more, and no operator can decide about it.
    order_facts.capture_case = False
    order_facts.cause = facts.interned(message.cause)
    order_facts.end_ms = _earlier(order_facts.end_ms, at_ms)


def _stocked(_facts: Facts, order_facts: OrderFacts, message: Message, _at_ms: int) -> None:
    if isinstance(message, inventory.InventoryReserved):
        order_facts.reserved, order_facts.partial = True, message.partial
    order_facts.released = order_facts.released or isinstance(message, inventory.InventoryReleased)


def _judged(_facts: Facts, order_facts: OrderFacts, _message: Message, _at_ms: int) -> None:
    order_facts.cleared = True


def _created(_facts: Facts, order_facts: OrderFacts, _message: Message, at_ms: int) -> None:
    order_facts.created = True
    order_facts.end_ms = _earlier(order_facts.end_ms, at_ms)


def _stopped(
    _facts: Facts, order_facts: OrderFacts, message: shipping.ShipmentCancelled, _at_ms: int
) -> None:
    order_facts.stopped = order_facts.stopped or bool(message.shipment_id)


def _entered(
    facts: Facts, order_facts: OrderFacts, message: ledger.EntryPosted, _at_ms: int
) -> None:
    total = 0
    for posting in message.postings:
        account = facts.interned(f"{message.currency}/{posting.account}")
        amount = posting.debit_minor - posting.credit_minor
        order_facts.accounts[account] = order_facts.accounts.get(account, 0) + amount
        total += amount
    if total:
        facts.unbalanced.append(message.entry_id)


def _came_back(facts: Facts, order_facts: OrderFacts, message: Any, at_ms: int) -> None:
    returned = order_facts.returned(message.return_id)
    match message:
        case order.ReturnRequested() | order.GoodwillGranted():
            returned.requested_ms = _earlier(returned.requested_ms, at_ms)
        case saga.ReturnAccepted():
            returned.accepted_ms = at_ms
            returned.amount_minor = message.amount_minor
            returned.units = _merged(facts, tuple(line for line in message.lines if line.goods))
            if message.computed is not None:
                returned.units_by_line = tuple((each.line, each.quantity) for each in message.lines)
        case saga.ReturnRefused():
            returned.refused = message.reason
        case inventory.InventoryReturned():
            returned.restocked += 1
        case _:
            pass


_OF_ORDERS: dict[type[Message], Callable[[Facts, OrderFacts, Any, int], None]] = {
    order.OrderPlaced: _placed,
    order.ReturnRequested: _came_back,
    order.GoodwillGranted: _came_back,
    saga.OrderCompleted: _completed,
    saga.OrderCancelled: _cancelled,
    saga.ReturnAccepted: _came_back,
    saga.ReturnRefused: _came_back,
    **OF_PAYMENTS,
    inventory.InventoryReserved: _stocked,
    inventory.InventoryReleased: _stocked,
    inventory.InventoryReturned: _came_back,
    fraud.FraudCleared: _judged,
    shipping.ShipmentCreated: _created,
    shipping.ShipmentCancelled: _stopped,
    ledger.EntryPosted: _entered,
}
"""Messages that only request or announce are missing: they count in the time of the latest
event."""


def _merged(
    facts: Facts, lines: tuple[order.Line, ...] | tuple[order.ReturnLine, ...]
) -> tuple[tuple[str, int], ...]:
    units: Counter[str] = Counter()
    for line in lines:
        units[facts.interned(line.sku)] += line.quantity
    return tuple(units.items())


def _earlier(known_ms: int, at_ms: int) -> int:
    return min(known_ms, at_ms) if known_ms else at_ms


def project_row(facts: Facts, order_id: str, state: Order | None) -> None:
    """Note when an order counts as stuck, by its row."""
    facts.overdue_at_ms.pop(order_id, None)
    due_ms = None if state is None else overdue_at_ms(state)
    if due_ms is not None:
        facts.overdue_at_ms[order_id] = due_ms
