"""What one shelf remembers, and how a command changes it.

At every step on hand + held + shipped = received, where received counts adjustments too. A command
says what happens, so the row moves with the command; the answer only reports it.
"""

import msgspec
from msgspec.structs import replace

from workflows.inventory import stock_messages as stock
from workflows.inventory.forgotten import Forgotten, note
from workflows.shared.message import Message

REMEMBERED_MAX = 256
"""How many orders and how many receipts and returns a shelf remembers after they are over."""


OPEN_ORDERS_MAX = 20_000
"""Orders for which a shelf holds units at one time. Of the longest ids they take 10.5 MB of a row,
of the ids that the API makes 0.9 MB. More are refused, and are not out of stock."""


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one SKU, in units."""

    received: int = 0
    on_hand: int = 0
    held: dict[str, int] = {}
    """By order id."""
    shipped: int = 0
    """Units that were shipped and have not come back."""
    sent: dict[str, int] = {}
    """Units shipped for each of the latest orders."""
    closed: tuple[str, ...] = ()
    """The latest orders that were released or refused: they get no units any more."""
    counted: tuple[str, ...] = ()
    """The latest receipts, adjustments and returns: each counts once."""
    sent_order: tuple[str, ...] = ()
    """The orders in `sent`, the oldest first: a stored row has the keys of an object sorted."""
    sent_forgotten: Forgotten = Forgotten()
    closed_forgotten: Forgotten = Forgotten()
    counted_forgotten: Forgotten = Forgotten()


INITIAL = Stock()

# --- what it knows ----------------------------------------------------------


def knows(state: Stock, order_id: str) -> bool:
    """Return whether the shelf remembers the order."""
    return order_id in state.held or order_id in state.sent or order_id in state.closed


def grants(state: Stock, command: stock.ReserveStock) -> bool:
    """Return whether the units can be held for an order that is new to the shelf."""
    if knows(state, command.order_id) or len(state.held) >= OPEN_ORDERS_MAX:
        return False
    return command.quantity <= state.on_hand


def is_late(state: Stock, order_id: str, at_ms: int) -> bool:
    """Return whether this may be an order that was served before, and is forgotten since."""
    until_ms = max(state.sent_forgotten.until_ms, state.closed_forgotten.until_ms)
    return not knows(state, order_id) and at_ms <= until_ms


def applied(state: Stock, command: stock.AdjustStock) -> int:
    """Return the units that a count adds or takes: on hand never falls below zero."""
    return max(command.delta, -state.on_hand)


def is_counted(state: Stock, message: stock.Counted) -> bool:
    """Return whether the row still knows that a receipt, a count or a return was counted."""
    return not set(state.counted).isdisjoint(stock.count_ids(message))


# --- evolve ------------------------------------------------------------------


def evolve(state: Stock, message: Message, at_ms: int) -> Stock:  # noqa: PLR0911  one match
    """Return `state` after `message`; answers change nothing, the commands did."""
    match message:
        case stock.ReceiveStock(quantity=quantity):
            return _counted(state, message, quantity, at_ms)
        case stock.AdjustStock():
            return _counted(state, message, applied(state, message), at_ms)
        case stock.RestockStock(quantity=quantity):
            return _counted(state, message, quantity, at_ms)
        case stock.ReserveStock() if is_late(state, message.order_id, at_ms):
            return state
        case stock.ReserveStock(order_id=order_id, quantity=quantity):
            if not grants(state, message):
                has = order_id in state.held or order_id in state.sent
                return state if has else _close(state, order_id, at_ms)
            held = {**state.held, order_id: quantity}
            return replace(state, on_hand=state.on_hand - quantity, held=held)
        case stock.ReleaseStock(order_id=order_id):
            return _released(state, order_id, at_ms)
        case stock.ShipStock(order_id=order_id):
            return _sent(state, order_id, at_ms)
        case stock.UnshipStock(order_id=order_id, quantity=quantity):
            return _unsent(state, order_id, quantity, at_ms)
        case _:
            return state


def _counted(state: Stock, message: stock.Counted, units: int, at_ms: int) -> Stock:
    if is_counted(state, message):
        return state
    shipped = -units if isinstance(message, stock.RestockStock) else 0
    return replace(
        state,
        on_hand=state.on_hand + units,
        received=state.received + units + shipped,
        shipped=state.shipped + shipped,
        counted=(*state.counted, stock.count_id(message))[-REMEMBERED_MAX:],
        counted_forgotten=_noted(state.counted_forgotten, at_ms, len(state.counted)),
    )


def _released(state: Stock, order_id: str, at_ms: int) -> Stock:
    if is_late(state, order_id, at_ms):
        # A request of that order would be late as well. Noted, a producer that repeats its past
        # would look like a clock that was set back.
        return state
    held = {other: units for other, units in state.held.items() if other != order_id}
    on_hand = state.on_hand + state.held.get(order_id, 0)
    return _close(replace(state, held=held, on_hand=on_hand), order_id, at_ms)


def _sent(state: Stock, order_id: str, at_ms: int) -> Stock:
    units = state.held.get(order_id, 0)
    if not units:
        return state
    held = {other: units for other, units in state.held.items() if other != order_id}
    order = (*_sent_order(state), order_id)[-REMEMBERED_MAX:]
    every = {**state.sent, order_id: units}
    return replace(
        state,
        held=held,
        sent={name: every[name] for name in order},
        sent_order=order,
        shipped=state.shipped + units,
        sent_forgotten=_noted(state.sent_forgotten, at_ms, len(state.sent)),
    )


def _unsent(state: Stock, order_id: str, quantity: int, at_ms: int) -> Stock:
    if order_id in state.held:
        return _released(state, order_id, at_ms)
    forgotten = order_id not in state.sent and order_id not in state.closed
    units = quantity if forgotten else state.sent.get(order_id, 0)
    order = tuple(other for other in _sent_order(state) if other != order_id)
    sent = {other: state.sent[other] for other in order}
    back = replace(state, sent=sent, sent_order=order)
    return _close(
        replace(back, on_hand=state.on_hand + units, shipped=state.shipped - units),
        order_id,
        at_ms,
    )


def _sent_order(state: Stock) -> tuple[str, ...]:
    """Return the orders in `sent`; of a row of before their order was noted, in any."""
    return state.sent_order or tuple(state.sent)


def _close(state: Stock, order_id: str, at_ms: int) -> Stock:
    if order_id in state.closed:
        return state
    return replace(
        state,
        closed=(*state.closed, order_id)[-REMEMBERED_MAX:],
        closed_forgotten=_noted(state.closed_forgotten, at_ms, len(state.closed)),
    )


def _noted(forgotten: Forgotten, at_ms: int, names: int) -> Forgotten:
    return note(forgotten, at_ms, names=names, names_max=REMEMBERED_MAX)
