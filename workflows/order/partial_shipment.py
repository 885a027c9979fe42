"""What an order comes to when some of its lines cannot be had, by the policy of `docs/returns.md`.

Lines that do not ship are worth what they would be worth as the first return of the order: so what
ships, what does not, and every later return together are the total of the order.
"""

from collections.abc import Collection
from typing import Annotated

import msgspec

from workflows.order.messages import OrderPlaced
from workflows.order.return_amount import Sale, return_parts, sale_of, summed
from workflows.shared.limits import (
    LINES_MAX,
    MINOR_MAX,
    Currency,
    Minor,
    MinorDue,
    Name,
    Quantity,
)
from workflows.shared.money import money
from workflows.shared.provider_currencies import SMALLEST_MINOR, step_minor

LINES_IN_TEXT_MAX = 3
"""How many lines a message to the customer names."""


class UnavailableLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order that does not ship, and what is not charged for it."""

    line: Annotated[int, msgspec.Meta(ge=1, le=LINES_MAX)]
    """The number of the line in the order, from 1."""
    sku: Name
    quantity: Quantity
    amount_minor: MinorDue


class PartialShipment(msgspec.Struct, frozen=True, kw_only=True):
    """What of an order ships when not all of it can, in minor units."""

    unavailable: Annotated[tuple[UnavailableLine, ...], msgspec.Meta(max_length=LINES_MAX)]
    amount_minor: MinorDue
    """What is charged for the rest, which ships."""
    items_minor: MinorDue
    """The prices of the lines that ship."""
    charges_minor: Minor
    """What is charged beside them: postage and taxes, less discounts."""
    released_minor: MinorDue
    """What is not charged of the total of the order."""
    currency: Currency


class PricedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be known of an order to price a part of it."""

    sale: Sale
    total_minor: int
    currency: str
    least_minor: int = 1
    """What is charged at least for a part: the provider captures no less."""


def priced_order(placed: OrderPlaced) -> PricedOrder | None:
    """Return an order that may ship in part; None: all of it ships, or nothing.

    What does not add up is not priced: payment refuses it.
    """
    if not placed.partial_shipment or objection_to_sums(placed):
        return None
    return PricedOrder(
        sale=sale_of(placed),
        total_minor=placed.total_minor,
        currency=placed.currency,
        # What was taken at once goes back in part, and refunds have no such limit.
        least_minor=SMALLEST_MINOR.get(placed.currency, 1) if placed.capture != "automatic" else 1,
    )


def objection_to_sums(placed: OrderPlaced) -> str:
    """Return what is wrong with the sums of an order, or nothing. Orders may bypass the API."""
    items_minor = sum(line.amount_minor for line in placed.lines)
    charges_minor = sum(each.amount_minor for each in placed.charges)
    if items_minor + charges_minor != placed.total_minor:
        return "the total is not the sum of its lines and charges"
    if max(items_minor, abs(charges_minor)) > MINOR_MAX:
        return "its sums are larger than money may be"
    return ""


def partial_shipment(order: PricedOrder, missing: Collection[str]) -> PartialShipment | None:
    """Return what ships without the SKUs `missing`; None when too little would be left to pay.

    The provider moves some currencies in steps: what is charged is rounded down to one.
    """
    lines = order.sale.lines
    none, units = [0] * len(lines), [each.units * (each.sku in missing) for each in lines]
    *parts, _postage = whole = return_parts(order.sale, order.total_minor, before=none, after=units)
    amount_minor = order.total_minor - summed(whole).total_minor
    amount_minor -= amount_minor % step_minor(order.currency)
    if amount_minor < order.least_minor:
        return None
    items_minor = sum(each.amount_minor for each in lines if each.sku not in missing)
    return PartialShipment(
        unavailable=tuple(
            UnavailableLine(
                line=number, sku=each.sku, quantity=each.units, amount_minor=part.total_minor
            )
            for number, (each, part) in enumerate(zip(lines, parts, strict=True), start=1)
            if each.sku in missing
        ),
        amount_minor=amount_minor,
        items_minor=items_minor,
        charges_minor=amount_minor - items_minor,
        released_minor=order.total_minor - amount_minor,
        currency=order.currency,
    )


def unavailable_text(partial: PartialShipment) -> str:
    """Return for the customer what does not come, and what is charged for the rest."""
    units = [f"{each.quantity} x {each.sku}" for each in partial.unavailable[:LINES_IN_TEXT_MAX]]
    more = len(partial.unavailable) - LINES_IN_TEXT_MAX
    lines = ", ".join(units) + (f" and {more} lines more" if more > 0 else "")
    charged = money(partial.amount_minor, partial.currency)
    released = money(partial.released_minor, partial.currency)
    return (
        f"Out of stock, so they do not come: {lines}. You pay {charged}; "
        f"{released} of your order is not taken, or goes back."
    )
