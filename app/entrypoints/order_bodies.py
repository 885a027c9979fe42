"""The bodies of the requests about orders."""

from typing import Annotated

import msgspec
from msgspec import Meta

from workflows.order.messages import Charge
from workflows.payment.capture_messages import CaptureKind
from workflows.payment.origin import UNKNOWN, Origin
from workflows.shared.currencies import EXPONENTS
from workflows.shared.limits import (
    LINES_MAX,
    Currency,
    Milliseconds,
    MinorDue,
    Name,
    NameIfAny,
    Quantity,
    Text,
)
from workflows.shared.personal import Personal
from workflows.shared.provider_currencies import CURRENCIES

ORDERED_AT = (
    "When the customer ordered, in ms since 1970. It counts for clients with the scope "
    "orders:backdate, such as an import of past orders; later than in five minutes is refused. "
    "Of anybody else it is taken and not used: the order was placed when it was received, "
    "and fraud counts by that."
)


SOLD_IN = sorted(EXPONENTS.keys() & CURRENCIES)
"""Currencies of today that the payment provider takes as well."""
DISCOUNT = "orders:discount"
"""The scope of clients who may charge less than items cost, or nothing for a line."""
COUNTRY = (
    "A country of ISO 3166-1 by its alpha-2 code, such as GB; its alpha-3 code and its English "
    "name are taken for it. XK is Kosovo, ZZ a country that is not known."
)
NO_COUNTRY = (
    "country is not in ISO 3166-1: send its alpha-2 code, such as GB, or ZZ where it is not known"
)
CAPTURE = (
    "When the money is taken: with the order, or when the order leaves us. Until then it is held "
    "on the card, and voided when the order is cancelled: nothing has to be refunded."
)
PARTIAL = (
    "Whether the rest ships when some lines are out of stock. They are not charged: less is taken "
    "of what is held, or what was taken for them goes back. Otherwise the order is cancelled."
)
LINE = "The number of the line in the order, from 1, where several lines have this SKU."
NO_AMOUNT = (
    "Not accepted: the amount is computed from the prices of the order (docs/returns.md). "
    "Send sku and quantity alone."
)

NotTaken = Annotated[object, Meta(description=NO_AMOUNT, extra_json_schema={"not": {}})]
"""Versions before took it; an unknown field would be refused without a reason."""


class LineAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Items wanted: a price for each unit, or an amount for the whole line."""

    sku: Name
    quantity: Quantity
    unit_price_minor: MinorDue | None = None
    amount_minor: MinorDue | None = None
    description: Text = ""


class OrderAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /orders`."""

    country: Annotated[
        Name, Meta(description=COUNTRY, extra_json_schema={"examples": ["GB", "FRA", "Germany"]})
    ]
    currency: Annotated[Currency, Meta(extra_json_schema={"enum": SOLD_IN})]
    lines: Annotated[tuple[LineAsked, ...], Meta(max_length=LINES_MAX)]
    payment_method: Personal[Name]
    charges: Annotated[tuple[Charge, ...], Meta(max_length=LINES_MAX)] = ()
    customer_id: Personal[NameIfAny] = ""
    ordered_at_ms: Annotated[Milliseconds, Meta(description=ORDERED_AT)] | None = None
    reference: Annotated[str, Meta(max_length=128)] = ""
    capture: Annotated[CaptureKind, Meta(description=CAPTURE)] = "automatic"
    partial_shipment: Annotated[bool, Meta(description=PARTIAL)] = False
    origin: Origin = UNKNOWN
    """Where and with what it is paid, as far as known, for the fraud check."""


class CancelAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /orders/{id}/cancel`."""

    reason: Text = ""


class ReturnLineAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of one SKU to return, of a line of the order or of whichever has any left."""

    sku: Name
    quantity: Quantity
    line: Annotated[int, Meta(ge=1, le=LINES_MAX, description=LINE)] | None = None
    amount_minor: NotTaken = msgspec.UNSET


class ReturnAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /orders/{id}/returns`; what it is worth is computed."""

    return_id: Name
    lines: Annotated[tuple[ReturnLineAsked, ...], Meta(min_length=1, max_length=LINES_MAX)]
    reason: Text = ""
    amount_minor: NotTaken = msgspec.UNSET


def discounts(body: OrderAsked) -> dict[str, str]:
    """Return DISCOUNT and the field for which it is needed, where the order has one."""
    for number, line in enumerate(body.lines):
        if 0 in (line.unit_price_minor, line.amount_minor):
            return {DISCOUNT: f"lines[{number}]"}
    for number, charge in enumerate(body.charges):
        if charge.amount_minor < 0:
            return {DISCOUNT: f"charges[{number}].amount_minor"}
    return {}
