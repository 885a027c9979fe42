"""Reads the Online Retail file (UCI, doi 10.24432/C5BW33) as requests to Payflow.

Invoices become orders, `C` invoices returns of earlier sales, write-offs adjustments of stock, and
lines without items charges or discounts. Every row becomes part of one request or of one refusal.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from app.local.importers.columns import COLUMNS
from app.local.importers.retail_requests import Adjust, Ask, PlaceOrder, Refuse, ReturnItems
from app.local.importers.retail_returns import Sales, returned
from app.local.importers.retail_rows import Row
from app.local.importers.retail_sales import sold

__all__ = [
    "COLUMNS",
    "CURRENCY",
    "Adjust",
    "Ask",
    "PlaceOrder",
    "Plan",
    "Refuse",
    "ReturnItems",
    "plan",
    "summary",
]

CURRENCY = "GBP"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All requests of the file: unreadable rows first, then invoice by invoice."""

    rows_read: int
    asks: tuple[Ask, ...]
    sold_units: dict[str, int]
    """Units of each SKU that the orders want."""
    other_lines: dict[str, int] = {}
    """Physical lines that are not rows, by kind: header, blank, separator, preamble."""
    form: str = ""
    """How the file was read, for people: encoding, separator, order of dates, decimal mark."""


def plan(rows: Iterable[Row | Refuse]) -> Plan:
    """Return the requests of `rows`, invoice by invoice in the order of their first row."""
    invoices: dict[str, list[Row]] = {}
    asks: list[Ask] = []
    rows_read = 0
    for row in rows:
        rows_read += 1
        if isinstance(row, Refuse):
            asks.append(row)
        else:
            invoices.setdefault(row.invoice, []).append(row)
    sales = Sales()
    for invoice, members in invoices.items():
        take = returned if invoice.startswith("C") else sold
        asks += take(invoice, members, sales)
    sold_units: Counter[str] = Counter()
    for ask in asks:
        if isinstance(ask, PlaceOrder):
            sold_units.update({line.sku: line.quantity for line in ask.lines})
    return Plan(rows_read=rows_read, asks=tuple(asks), sold_units=dict(sold_units))


def summary(planned: Plan) -> dict[str, int]:
    """Return the number of rows, of requests by kind, and of refused rows by reason."""
    kinds = Counter(type(ask) for ask in planned.asks)
    refused: Counter[str] = Counter()
    for ask in planned.asks:
        if isinstance(ask, Refuse):
            refused[f"refused: {ask.reason}"] += ask.rows
    return {
        "rows": planned.rows_read,
        "orders": kinds[PlaceOrder],
        "returns": kinds[ReturnItems],
        "adjustments": kinds[Adjust],
        **dict(sorted(refused.items())),
    }
