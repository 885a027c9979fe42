"""What may come back of an ended order, and what it is worth: in the order of the requests.

Part of the order workflow. Items may come back while the payment is disputed: payment holds the
refund, and a bank that has given the money back settles it.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from workflows.order.messages import ReturnLine
from workflows.order.return_amount import ReturnAmount, return_parts, rounding_of, summed
from workflows.order.returns import Return, Returns, units_kept, units_unshipped
from workflows.order.saga_messages import ReturnAccepted, ReturnRefused
from workflows.shared.message import Message
from workflows.shared.provider_currencies import objection_to_step, step_minor


def pending(
    returns: Returns, order_id: str, *, cancelled: bool, paid_minor: int, currency: str
) -> tuple[Message, ...]:
    """Return the answer to the first return that waits, of an order that has ended."""
    waiting = ((key, each) for key, each in returns.by_id.items() if each.status == "waiting")
    return_id, open_return = next(waiting, ("", None))
    if open_return is None:
        return ()
    answer = (
        "the order was cancelled"
        if cancelled
        else open_return.reason or _answer(returns, open_return, paid_minor, currency)
    )
    if isinstance(answer, str):
        return (
            ReturnRefused(
                order_id=order_id,
                return_id=return_id,
                reason=answer,
                is_goodwill=open_return.is_goodwill,
            ),
        )
    lines, computed = answer
    due_minor = open_return.amount_minor if computed is None else computed.total_minor
    return (
        ReturnAccepted(
            order_id=order_id,
            return_id=return_id,
            lines=lines,
            amount_minor=due_minor,
            currency=currency,
            computed=computed,
        ),
    )


def _answer(
    returns: Returns, open_return: Return, paid_minor: int, currency: str
) -> str | tuple[tuple[ReturnLine, ...], ReturnAmount | None]:
    """Return what comes back of each line and how its amount is computed, or why nothing does."""
    left_minor = paid_minor - returns.amount_minor
    if objection := objection_to_step(open_return.amount_minor, currency):
        return objection
    if open_return.is_goodwill:
        return "more money than was paid" if open_return.amount_minor > left_minor else ((), None)
    units = chosen_units(returns, open_return.lines)
    if isinstance(units, str):
        return units
    before = units_kept(returns)
    after = [earlier + more for earlier, more in zip(before, units, strict=True)]
    # What did not ship counts as what is back: the rest is worth what is left of the whole order.
    whole_minor = paid_minor + returns.released_minor
    parts = return_parts(returns.sale, whole_minor, before=before, after=after)
    units_by_time = units_unshipped(returns), before, after
    rounding_minor = rounding_of(returns.sale, whole_minor, step_minor(currency), *units_by_time)
    whole = replace(summed(parts), rounding_minor=rounding_minor)
    due_minor = min(whole.total_minor, left_minor)
    if open_return.amount_minor > due_minor:
        return "more money than these items are worth"
    due_minor = open_return.amount_minor or due_minor
    lines = tuple(
        ReturnLine(sku=line.sku, quantity=more, amount_minor=part.total_minor, line=number)
        for number, (line, more, part) in enumerate(
            zip(returns.sale.lines, units, parts, strict=False), start=1
        )
        if more
    )
    return lines, replace(whole, withheld_minor=whole.total_minor - due_minor)


def chosen_units(returns: Returns, lines: Sequence[ReturnLine]) -> str | list[int]:
    """Return how many units of each line of the sale come back, or why they cannot.

    What names no line comes from the first that have units of the SKU left.
    """
    sold = returns.sale.lines
    if not sold:
        return "the prices of this order are not known here"
    left = [line.units - earlier for line, earlier in zip(sold, units_kept(returns), strict=True)]
    places: dict[str, list[int]] = {}
    for place, line in enumerate(sold):
        places.setdefault(line.sku, []).append(place)
    units_by_line = [0] * len(sold)
    # Those that name a line come first: what names none must not take their units.
    for line in sorted(lines, key=lambda line: not line.line):
        if not line.goods:
            return "money without items is an operator's to give"
        of_sku = places.get(line.sku, [])
        if line.line and line.line - 1 not in of_sku:
            return f"line {line.line} of the order is not {line.sku}"
        remaining = line.quantity
        for place in [line.line - 1] if line.line else of_sku:
            units = min(remaining, left[place] - units_by_line[place])
            units_by_line[place] += units
            remaining -= units
        if remaining:
            return f"more of {line.sku} than was shipped"
    return units_by_line
