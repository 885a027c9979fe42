"""The returns of an order: what is known of each, and how that changes.

Part of the order workflow. `workflows/order/return_decision.py` decides what may come back.
"""

from operator import add
from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.inventory.messages import InventoryReturned
from workflows.order.messages import GoodwillGranted, OrderPlaced, ReturnLine, ReturnRequested
from workflows.order.partial_shipment import PartialShipment
from workflows.order.return_amount import ReturnAmount, Sale, sale_of
from workflows.order.saga_messages import TOO_MANY_ASKED, ReturnAccepted, ReturnRefused
from workflows.payment.dispute_messages import PaymentRefundHeld, RefundCoveredByDispute
from workflows.payment.messages import PaymentRefunded, PaymentRefundFailed
from workflows.payment.refund import KINDS
from workflows.shared.limits import LINES_MAX, RETURNS_ASKED_MAX, RETURNS_MAX
from workflows.shared.message import Message

LINES_WAITING_MAX = 2 * LINES_MAX
"""Lines of those that wait for an end or for items: no changelog takes a longer row of an order."""

OPERATORS_PREFIXES = ("operator-", "goodwill-")
"""How the ids of refunds and goodwill of operators begin: no customer's return has such an id."""

# --- state ------------------------------------------------------------------


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """One return. It waits until the order has ended, and has its lines until they are back.

    One that waits with a reason is going to be refused for that.
    """

    status: Literal["waiting", "accepted", "refused"] = "waiting"
    amount_minor: int = 0
    """What goes back; while it waits the most that may, or 0 when that is to be computed."""
    is_goodwill: bool = False
    """Money without items, which an operator gives."""
    computed: ReturnAmount | None = None
    """How the amount comes about, once a return of items is accepted."""
    lines: tuple[ReturnLine, ...] = ()
    reason: str = ""
    refunded: bool = False
    held: bool = False
    """Its refund waits for a dispute about the payment."""
    by_bank: bool = False
    """The customer's bank has given it back, so that we do not."""
    restocked: bool = False


class Returns(msgspec.Struct, frozen=True, kw_only=True):
    """What an order has sold, all its returns, and what was accepted back so far."""

    sale: Sale = Sale()
    by_id: dict[str, Return] = {}
    amount_minor: int = 0
    """Of all accepted returns, goodwill among them."""
    units: dict[str, int] = {}
    """Units accepted back, by SKU."""
    units_by_line: tuple[int, ...] = ()
    """And by line of the sale; empty while there are none."""
    partial: PartialShipment | None = None
    """What ships, where not all lines do."""

    @property
    def released_minor(self) -> int:
        """Return what is not charged for lines that do not ship."""
        return self.partial.released_minor if self.partial else 0


# --- evolve --------------------------------------------------------------------


def placed(returns: Returns, order: OrderPlaced) -> Returns:
    """Return `returns` with what the order sells."""
    return replace(returns, sale=sale_of(order))


def units_back(returns: Returns) -> tuple[int, ...]:
    """Return the units accepted back, line by line of the sale."""
    return returns.units_by_line or (0,) * len(returns.sale.lines)


def units_kept(returns: Returns) -> tuple[int, ...]:
    """Return the units that the customer does not have, line by line: unshipped, or back."""
    return tuple(map(add, units_unshipped(returns), units_back(returns)))


def units_unshipped(returns: Returns) -> tuple[int, ...]:
    """Return the units that do not ship although the order does, line by line of the sale."""
    unavailable = returns.partial.unavailable if returns.partial else ()
    units = {each.line: each.quantity for each in unavailable}
    return tuple(units.get(number, 0) for number, _ in enumerate(returns.sale.lines, start=1))


def evolve(returns: Returns, message: Message) -> Returns:
    """Return `returns` after `message`, received or emitted."""
    match message:
        case ReturnRequested() | GoodwillGranted() if is_stored(returns, message):
            is_gift = isinstance(message, GoodwillGranted)
            new_return = _granted(returns, message) if is_gift else _requested(returns, message)
            return _put(returns, message.return_id, new_return)
        case ReturnAccepted(return_id=key) if key in returns.by_id:
            return _accepted(returns, message)
        case ReturnRefused(return_id=key, reason=reason) if key in returns.by_id:
            refused = replace(returns.by_id[key], status="refused", lines=(), reason=reason)
            return _put(returns, key, refused)
        case InventoryReturned(return_id=key) if key in returns.by_id:
            return _put(returns, key, replace(returns.by_id[key], restocked=True, lines=()))
        case _:
            return _refunded(returns, message)


def _refunded(returns: Returns, message: Message) -> Returns:
    """Return `returns` after `message` about the money of one of them."""
    key = str(getattr(message, "return_id", ""))
    if key not in returns.by_id:
        return returns
    back = returns.by_id[key]
    match message:
        case PaymentRefunded() | PaymentRefundFailed():
            refunded = isinstance(message, PaymentRefunded) and not message.left_minor
            return _put(returns, key, replace(back, refunded=refunded, held=False))
        case PaymentRefundHeld():
            return _put(returns, key, replace(back, held=True))
        case RefundCoveredByDispute(left_minor=0):
            return _put(returns, key, replace(back, refunded=True, by_bank=True, held=False))
        case _:
            return returns


def is_stored(returns: Returns, message: ReturnRequested | GoodwillGranted) -> bool:
    """Return whether the order stores a return that it does not know yet."""
    return message.return_id not in returns.by_id and not refusal(returns, message)


def refusal(returns: Returns, message: ReturnRequested | GoodwillGranted) -> str:
    """Return why `message` is not stored, or nothing. The same request gets the same answer."""
    if message.return_id in returns.by_id:
        return ""
    if message.return_id in KINDS:
        return "a return cannot have the name of what goes back when an order is cancelled"
    if isinstance(message, ReturnRequested) and message.return_id.startswith(OPERATORS_PREFIXES):
        return "a return cannot have the name of what an operator gives"
    of_customer = sum(not each.is_goodwill for each in returns.by_id.values())
    if isinstance(message, ReturnRequested) and of_customer >= RETURNS_ASKED_MAX:
        return TOO_MANY_ASKED
    if len(returns.by_id) >= RETURNS_MAX:
        return f"an order has at most {RETURNS_MAX} returns"
    return ""


def _accepted(returns: Returns, accepted: ReturnAccepted) -> Returns:
    back = replace(
        returns.by_id[accepted.return_id],
        status="accepted",
        amount_minor=accepted.amount_minor,
        computed=accepted.computed,
        # What costs nothing is not refunded: payment says nothing of it.
        refunded=not accepted.amount_minor,
        lines=accepted.lines,
    )
    units, by_line = dict(returns.units), list(units_back(returns))
    for line in accepted.lines:
        units[line.sku] = units.get(line.sku, 0) + line.quantity
        by_line[line.line - 1] += line.quantity
    return replace(
        _put(returns, accepted.return_id, back),
        amount_minor=returns.amount_minor + accepted.amount_minor,
        units=units,
        units_by_line=tuple(by_line) if any(by_line) else (),
    )


def _granted(returns: Returns, message: GoodwillGranted) -> Return:
    goodwill = Return(amount_minor=message.amount_minor, is_goodwill=True)
    others = (each.amount_minor for each in returns.by_id.values() if each.status != "refused")
    limit = message.alone_max_minor
    if limit is not None and sum(others) + message.amount_minor > limit:
        return replace(goodwill, reason="more than one person may refund: two have to agree")
    return goodwill


def _requested(returns: Returns, message: ReturnRequested) -> Return:
    new_return = Return(amount_minor=message.amount_minor, lines=message.lines)
    free = LINES_WAITING_MAX - len(message.lines)
    waiting = [each for each in returns.by_id.values() if each.status == "waiting"]
    if sum(len(each.lines) for each in waiting) > free:
        return replace(new_return, lines=(), reason="too much waits to be judged already")
    if sum(len(each.lines) for each in returns.by_id.values()) > free:
        return replace(new_return, lines=(), reason="too much is on its way back already")
    return new_return


def _put(returns: Returns, key: str, changed: Return) -> Returns:
    return replace(returns, by_id={**returns.by_id, key: changed})
