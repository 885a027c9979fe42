"""Which cell of a row is which column of ours: both published headers, any case, and `--map`."""

import csv
import re
from collections.abc import Mapping, Sequence
from unicodedata import category

import msgspec

from app.local.importers.file_content import LoadError

COLUMNS: tuple[str, ...] = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
"""The columns of Online Retail; those of Online Retail II are the same by other names."""
OTHER_NAMES = {"invoice": "InvoiceNo", "price": "UnitPrice"}
CURRENCY_COLUMN = "Currency"
"""A column that a file may have besides: a row in another currency than the shop's is refused."""
CURRENCY_NAMES = ("currency", "currencycode", "ccy")
ZONE_COLUMN = "TimeZone"
"""Another one: a row whose date is in another zone than UTC, and does not say so, is refused."""
ZONE_NAMES = ("timezone", "tz", "utcoffset", "timezoneoffset")
PRICE_SIGN = "£"
MARKS = re.compile(r"[\W_]+")
EDGES = "\0\ufeff\u200b\u200e\u200f\x1a"
"""Padding, marks of joined files and of directions, and the end mark of DOS: around a cell they
mean nothing."""


class ForeignPrice(LoadError):
    """A header says that its prices are in another currency: none of its rows can be read."""


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """The cells of a row by column, and how many the header has."""

    at: dict[str, int]
    width: int


def clean(cell: str) -> str:
    """Return the cell without blanks and padding around it."""
    text = cell.strip()
    return text.strip(EDGES).strip() if text and (text[0] in EDGES or text[-1] in EDGES) else text


def filled_width(cells: Sequence[str]) -> int:
    """Return how many cells there are up to the last that is not blank."""
    count = len(cells)
    while count and not clean(cells[count - 1]):
        count -= 1
    return count


def columns_of(cells: Sequence[str], renamed: Mapping[str, str]) -> Columns | set[str]:
    """Return the columns of a header, or those it lacks.

    Raises LoadError on two for one, and ForeignPrice.
    """
    at: dict[str, int] = {}
    mapped = set(renamed.values())
    for number, cell in enumerate(cells):
        name = key_of(cell)
        column = renamed.get(name) or _OURS.get(name, "")
        if not column or (name not in renamed and column in mapped):
            continue
        if column in at:
            raise LoadError(
                f"two columns are {column}: {cells[at[column]]!r} and {cell!r}; "
                f'say which with --map "their column={column}"'
            )
        at[column] = number
    missing: set[str] = set(COLUMNS).difference(at)
    if missing:
        return missing
    price = cells[at["UnitPrice"]]
    if _is_foreign(price) and "UnitPrice" not in mapped:
        raise ForeignPrice(
            f"the column {price!r} is not in pounds, and orders are placed in pounds; convert its "
            f'amounts, and say so with --map "{key_of(price)}=UnitPrice"'
        )
    return Columns(at=at, width=filled_width(cells))


def parse_map(text: str) -> dict[str, str]:
    """Return our column by the key of theirs; raises LoadError. `text` is `theirs=ours,...`."""
    renamed: dict[str, str] = {}
    try:
        pairs = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error as error:
        raise LoadError(f"--map {text[:80]!r}: {error}") from error
    for each in pairs:
        theirs, equals, ours = each.rpartition("=")
        column = _OURS.get(key_of(ours), "")
        if not equals or not key_of(theirs) or not column:
            raise LoadError(
                f"--map {each!r}: say it as their column=ours, where ours is one of "
                f"{', '.join((*COLUMNS, CURRENCY_COLUMN, ZONE_COLUMN))}"
            )
        if column in renamed.values() or key_of(theirs) in renamed:
            raise LoadError(f"--map {each!r}: a column is mapped once")
        renamed[key_of(theirs)] = column
    return renamed


def key_of(name: str) -> str:
    """Return the name without case, blanks and marks: `Customer ID` is `customer_id`."""
    return MARKS.sub("", name).casefold()


def _is_foreign(cell: str) -> bool:
    """Return whether a header names the sign of another currency: `Price (€)`."""
    return any(category(sign) == "Sc" and sign != PRICE_SIGN for sign in cell)


_OURS = (
    {column.casefold(): column for column in COLUMNS}
    | OTHER_NAMES
    | dict.fromkeys(CURRENCY_NAMES, CURRENCY_COLUMN)
    | dict.fromkeys(ZONE_NAMES, ZONE_COLUMN)
)
