"""One row of the Online Retail file: parsed strictly, or refused with the reason.

Part of reading the retail file.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import msgspec

from workflows.shared.limits import QUANTITY_MAX
from workflows.shared.personal import Personal

COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
CHARGES = frozenset(
    {"POST", "D", "M", "DOT", "C2", "BANK CHARGES", "S", "AMAZONFEE", "CRUK", "B", "ADJUST"}
)
"""Stock codes of the file that are not goods: postage, discount, manual, carriage, fees,
samples."""
DISCOUNT = "D"
WIDTH_MAX = 60
"""Most characters of a number, a code, a country: two of them form one id."""
DESCRIPTION_WIDTH_MAX = 500
AMOUNT_MINOR_MAX = 1_000_000_000_00
"""The highest amounts of one row and of one order."""
MOMENT_MS_MAX = 99_999_999_999_999
INVOICE = re.compile(r"C?[0-9]+")
NUMBER = re.compile(r"-?[0-9]{1,9}")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file that could be read."""

    invoice: str
    code: str
    description: str
    quantity: int
    at_ms: int
    price: Decimal
    customer_id: Personal[str]
    country: str

    @property
    def amount_minor(self) -> int:
        """Return quantity times price in pence, rounded half up."""
        return int((self.price * self.quantity * 100).to_integral_value(ROUND_HALF_UP))

    @property
    def goods(self) -> bool:
        """Return whether the code is that of goods in stock."""
        return self.code.upper() not in CHARGES and not self.code.lower().startswith("gift_")


def parse(record: Mapping[str, str | None]) -> Row | str:
    """Return the row, or the reason why it is refused."""
    text = {name: (record.get(name) or "").strip() for name in COLUMNS}
    price, at_ms = _price(text["UnitPrice"]), _moment(text["InvoiceDate"])
    wrong = _objection(text)
    if wrong:
        return wrong
    if price is None:
        return "UnitPrice is no amount"
    if at_ms is None:
        return "InvoiceDate is no date"
    row = Row(
        invoice=text["InvoiceNo"].upper(),
        code=text["StockCode"],
        description=text["Description"][:DESCRIPTION_WIDTH_MAX],
        quantity=int(text["Quantity"]),
        at_ms=at_ms,
        price=price,
        customer_id=text["CustomerID"].removesuffix(".0"),
        country=text["Country"],
    )
    return row if abs(row.amount_minor) <= AMOUNT_MINOR_MAX else "the amount is too large"


def _objection(text: dict[str, str]) -> str:
    """Return what is wrong with the names and the quantity, or nothing."""
    for name in ("InvoiceNo", "StockCode", "Country", "CustomerID"):
        if not text[name] and name != "CustomerID":
            return f"{name} is missing"
        if len(text[name]) > WIDTH_MAX:
            return f"{name} is too long"
    if not INVOICE.fullmatch(text["InvoiceNo"].upper()):
        return f"unknown kind of invoice: {text['InvoiceNo'][:1]}"
    if not NUMBER.fullmatch(text["Quantity"]):
        return "Quantity is no whole number"
    if not 0 < abs(int(text["Quantity"])) <= QUANTITY_MAX:
        return "Quantity is zero or above a million"
    return "a test of the shop's own" if text["StockCode"].upper().startswith("TEST") else ""


def _price(text: str) -> Decimal | None:
    try:
        price = Decimal(text)
    except InvalidOperation:
        return None
    plain = text.isascii() and "_" not in text
    return price if plain and price.is_finite() and 0 <= price <= QUANTITY_MAX else None


def _moment(text: str) -> int | None:
    """Return the moment in ms; a date that names no zone is in UTC."""
    moment = _dated(text)
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    at_ms = int(aware.timestamp()) * 1_000
    return at_ms if 0 <= at_ms <= MOMENT_MS_MAX else None


def _dated(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return _dated_as_in_the_original(text)


def _dated_as_in_the_original(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%m/%d/%Y %H:%M").replace(tzinfo=UTC)
    except ValueError:
        return None
