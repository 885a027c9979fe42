"""One shelf: the units of one SKU, who holds them, what has left.

At every step on hand + held + shipped = received, where received counts adjustments too. A command
says what happens, so the row moves with the command; the answer only reports it.
"""

import msgspec
from msgspec.structs import replace

from workflows.inventory import stock_messages as stock
from workflows.shared.message import Message

REMEMBERED_MAX = 256
"""How many orders and how many receipts and returns a shelf remembers after they are over."""

# --- state ------------------------------------------------------------------


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """What one SKU remembers, in units."""

    received: int = 0
    on_hand: int = 0
    held: dict[str, int] = {}
    """By order id."""
    shipped: int = 0
    """What has left and has not come back."""
    sent: dict[str, int] = {}
    """What left for each of the latest orders."""
    closed: tuple[str, ...] = ()
    """The latest orders that were let go or refused: they get nothing any more."""
    counted: tuple[str, ...] = ()
    """The latest receipts, adjustments and returns: each counts once."""


INITIAL = Stock()

# --- decide ----------------------------------------------------------------


def decide(state: Stock, received: Message, _at_ms: int) -> tuple[Message, ...]:
    """Return the answer to `received`; a known receipt or count gets no second answer."""
    match received:
        case stock.ReserveStock(order_id=order_id, sku=sku):
            return (_reservation(state, received),)
        case (
            stock.ReleaseStock(order_id=order_id, sku=sku)
            | stock.UnshipStock(order_id=order_id, sku=sku)
        ):
            return (stock.StockReleased(order_id=order_id, sku=sku),)
        case stock.RestockStock(order_id=order_id, return_id=return_id, sku=sku):
            return (stock.StockRestocked(order_id=order_id, return_id=return_id, sku=sku),)
        case stock.ReceiveStock() if _count_id(received) not in state.counted:
            return (
                stock.StockReceived(
                    receipt_id=received.receipt_id, sku=received.sku, quantity=received.quantity
                ),
            )
        case stock.AdjustStock() if _count_id(received) not in state.counted:
            return (
                stock.StockAdjusted(
                    adjustment_id=received.adjustment_id,
                    sku=received.sku,
                    delta=_applied(state, received),
                    delta_asked=received.delta,
                ),
            )
        case _:
            return ()


def _reservation(state: Stock, asked: stock.ReserveStock) -> Message:
    order_id, sku = asked.order_id, asked.sku
    has = state.held.get(order_id) or state.sent.get(order_id)
    if has or _grants(state, asked):
        return stock.StockReserved(order_id=order_id, sku=sku, quantity=has or asked.quantity)
    return stock.StockRefused(
        order_id=order_id, sku=sku, quantity=asked.quantity, on_hand=state.on_hand
    )


def _grants(state: Stock, asked: stock.ReserveStock) -> bool:
    known = asked.order_id in state.closed or asked.order_id in state.held
    return not known and asked.order_id not in state.sent and asked.quantity <= state.on_hand


def _applied(state: Stock, asked: stock.AdjustStock) -> int:
    return max(asked.delta, -state.on_hand)


def _count_id(message: stock.ReceiveStock | stock.AdjustStock | stock.RestockStock) -> str:
    match message:
        case stock.ReceiveStock(receipt_id=receipt_id):
            return f"receipt/{receipt_id}"
        case stock.AdjustStock(adjustment_id=adjustment_id):
            return f"adjustment/{adjustment_id}"
        case stock.RestockStock(order_id=order_id, return_id=return_id):
            # Customers name their returns; only within an order is that a name.
            return f"return/{order_id}/{return_id}"


# --- evolve --------------------------------------------------------------------


def evolve(state: Stock, message: Message, _at_ms: int) -> Stock:  # noqa: PLR0911  one match
    """Return `state` after `message`; answers change nothing, the commands did."""
    match message:
        case stock.ReceiveStock(quantity=quantity):
            return _counted(state, message, quantity, received=quantity)
        case stock.AdjustStock():
            delta = _applied(state, message)
            return _counted(state, message, delta, received=delta)
        case stock.RestockStock(quantity=quantity):
            return _counted(state, message, quantity, shipped=-quantity)
        case stock.ReserveStock(order_id=order_id, quantity=quantity):
            if not _grants(state, message):
                has = order_id in state.held or order_id in state.sent
                return state if has else _close(state, order_id)
            held = {**state.held, order_id: quantity}
            return replace(state, on_hand=state.on_hand - quantity, held=held)
        case stock.ReleaseStock(order_id=order_id):
            return _released(state, order_id)
        case stock.ShipStock(order_id=order_id):
            return _sent(state, order_id)
        case stock.UnshipStock(order_id=order_id, quantity=quantity):
            return _unsent(state, order_id, quantity)
        case _:
            return state


def _counted(
    state: Stock,
    message: stock.ReceiveStock | stock.AdjustStock | stock.RestockStock,
    units: int,
    *,
    received: int = 0,
    shipped: int = 0,
) -> Stock:
    if _count_id(message) in state.counted:
        return state
    return replace(
        state,
        on_hand=state.on_hand + units,
        received=state.received + received,
        shipped=state.shipped + shipped,
        counted=(*state.counted, _count_id(message))[-REMEMBERED_MAX:],
    )


def _released(state: Stock, order_id: str) -> Stock:
    held = {other: units for other, units in state.held.items() if other != order_id}
    on_hand = state.on_hand + state.held.get(order_id, 0)
    return _close(replace(state, held=held, on_hand=on_hand), order_id)


def _sent(state: Stock, order_id: str) -> Stock:
    units = state.held.get(order_id, 0)
    if not units:
        return state
    held = {other: units for other, units in state.held.items() if other != order_id}
    sent = dict([*state.sent.items(), (order_id, units)][-REMEMBERED_MAX:])
    return replace(state, held=held, sent=sent, shipped=state.shipped + units)


def _unsent(state: Stock, order_id: str, quantity: int) -> Stock:
    if order_id in state.held:
        return _released(state, order_id)
    forgotten = order_id not in state.sent and order_id not in state.closed
    units = quantity if forgotten else state.sent.get(order_id, 0)
    sent = {other: units for other, units in state.sent.items() if other != order_id}
    return _close(
        replace(state, sent=sent, on_hand=state.on_hand + units, shipped=state.shipped - units),
        order_id,
    )


def _close(state: Stock, order_id: str) -> Stock:
    if order_id in state.closed:
        return state
    return replace(state, closed=(*state.closed, order_id)[-REMEMBERED_MAX:])
