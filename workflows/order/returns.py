"""Whether goods of an ended order may come back: decided once, in the order of the requests.

Part of the order workflow.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.inventory.messages import InventoryReturned
from workflows.order.messages import ReturnLine, ReturnRequested
from workflows.order.saga_messages import ReturnAccepted, ReturnRefused
from workflows.payment.messages import PaymentRefunded, PaymentRefundFailed
from workflows.payment.refund import COMPENSATION
from workflows.shared.limits import LINES_MAX
from workflows.shared.message import Message

RETURNS_MAX = 100
"""Returns of one order: the provider lists no more refunds in one page."""
LINES_WAITING_MAX = 2 * LINES_MAX
"""Lines of those that wait for the end of their order, or for their goods to be back: the rows of
order and inventory hold them, and a changelog takes no longer row."""

# --- state ------------------------------------------------------------------


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """One return. It waits until the order has ended, and has its lines until they are back.

    One that waits with a reason is going to be refused for that.
    """

    status: Literal["waiting", "accepted", "refused"] = "waiting"
    amount_minor: int
    lines: tuple[ReturnLine, ...] = ()
    reason: str = ""
    refunded: bool = False
    restocked: bool = False


class Returns(msgspec.Struct, frozen=True, kw_only=True):
    """All returns of an order, and the units accepted back so far."""

    by_id: dict[str, Return] = {}
    amount_minor: int = 0
    units: dict[str, int] = {}
    """Units accepted back, by SKU."""


# --- decide ----------------------------------------------------------------


def pending(  # noqa: PLR0913  the facts of an order
    returns: Returns,
    order_id: str,
    *,
    cancelled: bool,
    paid_minor: int,
    currency: str,
    bought: dict[str, int],
) -> tuple[Message, ...]:
    """Return the answer to the first return that waits; `bought` is in units by SKU."""
    for return_id, asked in returns.by_id.items():
        if asked.status != "waiting":
            continue
        reason = (
            "the order was cancelled"
            if cancelled
            else asked.reason or _objection(returns, asked, paid_minor, bought)
        )
        if reason:
            return (ReturnRefused(order_id=order_id, return_id=return_id, reason=reason),)
        return (
            ReturnAccepted(
                order_id=order_id,
                return_id=return_id,
                lines=asked.lines,
                amount_minor=asked.amount_minor,
                currency=currency,
            ),
        )
    return ()


def refusal(returns: Returns, asked: ReturnRequested) -> str:
    """Return why `asked` is not stored, or nothing. The same request gets the same answer."""
    if asked.return_id in returns.by_id:
        return ""
    if asked.return_id == COMPENSATION:
        return "a return cannot have the name of what goes back when an order is cancelled"
    if len(returns.by_id) >= RETURNS_MAX:
        return f"an order has at most {RETURNS_MAX} returns"
    return ""


def _objection(returns: Returns, asked: Return, paid_minor: int, bought: dict[str, int]) -> str:
    for sku, units in _with(returns.units, asked.lines).items():
        if units > bought.get(sku, 0):
            return f"more of {sku} than was bought"
    if returns.amount_minor + asked.amount_minor > paid_minor:
        return "more money than was paid"
    return ""


def _with(units: dict[str, int], lines: tuple[ReturnLine, ...]) -> dict[str, int]:
    more = dict(units)
    for line in lines:
        if line.goods:
            more[line.sku] = more.get(line.sku, 0) + line.quantity
    return more


# --- evolve --------------------------------------------------------------------


def evolve(returns: Returns, message: Message) -> Returns:
    """Return `returns` after `message`, received or emitted."""
    match message:
        case ReturnRequested(return_id=key) if key not in returns.by_id:
            return (
                returns
                if refusal(returns, message)
                else _put(returns, key, _asked(returns, message))
            )
        case ReturnAccepted(return_id=key) if key in returns.by_id:
            accepted = replace(returns.by_id[key], status="accepted")
            return replace(
                _put(returns, key, accepted),
                amount_minor=returns.amount_minor + message.amount_minor,
                units=_with(returns.units, message.lines),
            )
        case ReturnRefused(return_id=key, reason=reason) if key in returns.by_id:
            refused = replace(returns.by_id[key], status="refused", lines=(), reason=reason)
            return _put(returns, key, refused)
        case PaymentRefunded(return_id=key) | PaymentRefundFailed(return_id=key) if (
            key in returns.by_id
        ):
            refunded = isinstance(message, PaymentRefunded)
            return _put(returns, key, replace(returns.by_id[key], refunded=refunded))
        case InventoryReturned(return_id=key) if key in returns.by_id:
            return _put(returns, key, replace(returns.by_id[key], restocked=True, lines=()))
        case _:
            return returns


def _asked(returns: Returns, message: ReturnRequested) -> Return:
    asked = Return(amount_minor=message.amount_minor, lines=message.lines)
    free = LINES_WAITING_MAX - len(message.lines)
    waiting = [each for each in returns.by_id.values() if each.status == "waiting"]
    if sum(len(each.lines) for each in waiting) > free:
        return replace(asked, lines=(), reason="too much waits to be judged already")
    if sum(len(each.lines) for each in returns.by_id.values()) > free:
        return replace(asked, lines=(), reason="too much is on its way back already")
    return asked


def _put(returns: Returns, key: str, changed: Return) -> Returns:
    return replace(returns, by_id={**returns.by_id, key: changed})
