"""One row of the Online Retail file: parsed strictly, or refused with the reason.

Part of reading the retail file.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import ClassVar

import msgspec

from app.local.importers.choice import Choice, Said
from app.local.importers.columns import COLUMNS, CURRENCY_COLUMN, ZONE_COLUMN
from app.local.importers.dates import EPOCH_1900, ORDER_NAMES, moment_ms, names_zone, said_in
from app.local.importers.numbers import (
    CURRENCY,
    MERGED,
    POUND_NAMES,
    is_nobody,
    is_nothing,
    mark_of,
    number,
    readings,
)
from app.local.importers.retail_requests import Refuse
from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.limits import QUANTITY_MAX
from workflows.shared.personal import Personal

CHARGES = frozenset(
    {"POST", "D", "M", "DOT", "C2", "BANK CHARGES", "S", "AMAZONFEE", "CRUK", "B", "ADJUST"}
)
"""Stock codes of the file that are not items: postage, discount, manual, carriage, fees,
samples."""
DISCOUNT = "D"
WIDTH_MAX = 60
"""Most characters of a number, a code, a country: two of them form one id."""
DESCRIPTION_WIDTH_MAX = 500
AMOUNT_MINOR_MAX = 1_000_000_000_00
"""The highest amounts of one row and of one order."""
VALUE_WIDTH_MAX = 60
"""Characters of a refused value that are shown."""
INVOICE = re.compile(r"C?[0-9]+")
WHOLE_AS_DECIMAL = re.compile(r"(?<=[0-9])[.,]0{1,2}$")
"""What data frames append to a number that stands beside blanks."""
POWER_OF_TEN = re.compile(r"[0-9](?:[.,][0-9]+E[+-]?|E[+-])[0-9]+", re.IGNORECASE)
"""`8.51E+04`: what a spreadsheet leaves of a long code; all that begin alike look the same."""
NO_NAME = re.compile(
    '[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ufffd"]'
    "|^'|^\\.{1,2}$"
)
"""What no name of the wire may hold, and quotes, lost and invisible characters, which no shop
means."""
FORMULA = re.compile(
    r"=.*|#+|#(?:REF|NAME|VALUE|NULL|NUM|DIV/0|SPILL|CALC|FIELD|BLOCKED)[!?]", re.DOTALL
)
"""A formula, an error, and a number in a column that is too narrow."""
DATE_OR_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?|[0-9]{2}:[0-9]{2}:[0-9]{2}"
)
"""What a spreadsheet makes of the code `10-12`."""
NO_NAMES = (
    (POWER_OF_TEN.fullmatch, "is a power of ten: a spreadsheet has made a number of it"),
    (DATE_OR_TIME.fullmatch, "is a date: a spreadsheet has made one of it"),
    (FORMULA.fullmatch, "is a formula or an error of a spreadsheet"),
    (NO_NAME.search, "holds a quote, a line break or another control character"),
)
UTC_NAMES = frozenset({"utc", "gmt", "z", "etc/utc", "utc+0", "+00:00", "+0000", "+00", "0"})
CONTROLS = re.compile("[\x01-\x1f\x7f-\x9f\u2028\u2029]+")


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """How the file writes dates and decimals."""

    dates: Choice = Choice()
    marks: Choice = Choice()
    epoch_days: int = EPOCH_1900
    """1970-01-01 in the serial days of the file."""
    has_serials: bool = False
    """Whether some of its dates are serial days."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the file that could be read, and its physical lines."""

    invoice: str
    code: str
    description: str
    quantity: int
    at_ms: int
    price: Decimal
    customer_id: Personal[str]
    country: str
    line: int = 0
    height: int = 1

    @property
    def file_lines(self) -> tuple[int, ...]:
        """Return the numbers of its physical lines; none where it was not read from a file."""
        return tuple(range(self.line, self.line + self.height)) if self.line else ()

    @property
    def amount_minor(self) -> int:
        """Return quantity times price in pence, rounded half up."""
        return int((self.price * self.quantity * 100).to_integral_value(ROUND_HALF_UP))

    @property
    def is_item(self) -> bool:
        """Return whether the code is that of items in stock."""
        return self.code.upper() not in CHARGES and not self.code.lower().startswith("gift_")


class Wrong(PayflowError):
    """Why a row is refused; `field` is the column of the cell that is wrong."""

    kind: ClassVar[ErrorKind] = "invalid"

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.field = field


def parse(
    cells: Mapping[str, str | None], style: Style, *, line: int = 0, height: int = 1
) -> Row | Refuse:
    """Return the row, or its refusal with the reason."""
    text = {name: _text(cells.get(name)) for name in (*COLUMNS, CURRENCY_COLUMN, ZONE_COLUMN)}
    try:
        return _row(text, style, line, height)
    except Wrong as wrong:
        cell_text = "" if wrong.field in {"", "CustomerID"} else text[wrong.field][:VALUE_WIDTH_MAX]
        return Refuse(
            rows=1,
            file_lines=tuple(range(line, line + height)) if line else (),
            reason=str(wrong),
            column=wrong.field,
            value=cell_text,
        )


def _text(cell: str | None) -> str:
    text = (cell or "").strip()
    return "" if is_nothing(text) else text


def _row(text: dict[str, str], style: Style, line: int, height: int) -> Row:
    """Return the row; raises Wrong."""
    if is_nobody(text["CustomerID"]):
        text["CustomerID"] = ""
    invoice = WHOLE_AS_DECIMAL.sub("", text["InvoiceNo"].upper())
    _check_names(text, invoice)
    if text[CURRENCY_COLUMN] and text[CURRENCY_COLUMN].casefold() not in POUND_NAMES:
        raise Wrong("the currency is not the pound", CURRENCY_COLUMN)
    if text[ZONE_COLUMN].casefold() not in {"", *UTC_NAMES} and not names_zone(text["InvoiceDate"]):
        raise Wrong("the time zone is not UTC; say it behind the date: 08:26:00+01:00", ZONE_COLUMN)
    quantity = _quantity(text["Quantity"], style)
    description = CONTROLS.sub(" ", text["Description"].replace("\0", ""))
    if text["StockCode"].upper().startswith("TEST"):
        raise Wrong("a test of the shop's own")
    row = Row(
        invoice=invoice,
        code=text["StockCode"],
        description=description[:DESCRIPTION_WIDTH_MAX],
        quantity=quantity,
        price=_price(text["UnitPrice"], style),
        at_ms=_at_ms(text["InvoiceDate"], style),
        customer_id=WHOLE_AS_DECIMAL.sub("", text["CustomerID"]),
        country=text["Country"],
        line=line,
        height=height,
    )
    if abs(row.amount_minor) > AMOUNT_MINOR_MAX:
        raise Wrong("the amount is too large")
    return row


def _check_names(text: dict[str, str], invoice: str) -> None:
    for name in COLUMNS:
        if text[name] == MERGED:
            raise Wrong(f"{name} is merged with the cell above; write it in each row", name)
    for name in ("InvoiceNo", "StockCode", "Country", "CustomerID"):
        if not text[name] and name != "CustomerID":
            raise Wrong(f"{name} is missing")
        if len(text[name]) > WIDTH_MAX:
            raise Wrong(f"{name} is too long", name)
    if not INVOICE.fullmatch(invoice):
        raise Wrong(f"unknown kind of invoice: {invoice[:1]}", "InvoiceNo")
    for name in ("StockCode", "Country", "CustomerID"):
        for is_so, reason in NO_NAMES:
            if is_so(text[name]):
                raise Wrong(f"{name} {reason}", name)


def _quantity(text: str, style: Style) -> int:
    quantity = None if CURRENCY.search(text) else _number("Quantity", text, style)
    if quantity is None or quantity != quantity.to_integral_value():
        raise Wrong("Quantity is not a whole number", "Quantity")
    if not 0 < abs(quantity) <= QUANTITY_MAX:
        raise Wrong("Quantity is zero or above a million", "Quantity")
    return int(quantity)


def _price(text: str, style: Style) -> Decimal:
    price = _number("UnitPrice", text, style)
    if price is None or not 0 <= price <= QUANTITY_MAX:
        raise Wrong("UnitPrice is not an amount", "UnitPrice")
    return price


def order_names(orders: Said) -> str:
    """Return the orders that a date can have, as people say them: `day first or year first`."""
    return " or ".join(name for order, name in ORDER_NAMES.items() if order in orders)


def _number(column: str, text: str, style: Style) -> Decimal | None:
    value = number(text, style.marks)
    if value is None and readings(text):
        if len(mark_of(text)) > 1:
            raise Wrong(f"{column} can hold thousands or decimals; say --decimal", column)
        raise Wrong(f"{column} has another decimal mark than the file", column)
    return value


def _at_ms(text: str, style: Style) -> int:
    at_ms = moment_ms(text, style.dates, style.epoch_days)
    if at_ms is None:
        orders = said_in(text, style.dates)
        if len(orders) > 1 and style.dates.value in {"", *orders}:
            raise Wrong(f"InvoiceDate can be {order_names(orders)}; say --dates", "InvoiceDate")
        if not style.dates.allows(orders):
            raise Wrong("InvoiceDate contradicts the other dates of the file", "InvoiceDate")
        raise Wrong("InvoiceDate is not a date", "InvoiceDate")
    return at_ms
