"""Dates as people write them, in UTC unless they name a zone; which part is first is chosen.

`01/12/2010` has two readings, `13/12/2010` and `13/12/10` one. `13-12-10` has two and `10-12-01`
three: behind a hyphen, as in the ISO 8601 of 1988, a year of two digits may be first. Such years
are those of POSIX: 69 to 99 lie in the last century.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from app.local.importers.choice import Choice, Said

DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "dmy", "mdy", "ymd"
ORDER_NAMES = {DAY_FIRST: "day first", MONTH_FIRST: "month first", YEAR_FIRST: "year first"}
MOMENT_MS_MAX = 99_999_999_999_999
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
CENTURY_PIVOT = 69
EPOCH_1900, EPOCH_1904 = 25_569, 24_107
"""1970-01-01 in the serial days of Excel, which count from 1900, or from 1904 in some workbooks."""
SERIAL_DAYS_MAX = 47_481
"""Days from 1970-01-01 to 2099-12-31."""
SECONDS_A_DAY = 86_400
NOON = 12

_TIME = (
    r"(?:(?:T|,?\s+)(?P<hour>[0-9]{1,2})(?P<clock>[:.])(?P<minute>[0-9]{2})"
    r"(?:(?P=clock)(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?(?P<hours>[+-][0-9]{2})?)?"
    r"(?:\s*(?P<half>[AP])\.?M\.?)?\s*(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_ORDERED = re.compile(
    r"(?P<a>[0-9]{1,2})(?P<mark>[/.-])(?P<b>[0-9]{1,2})(?P=mark)(?P<c>[0-9]{4}|[0-9]{1,2})" + _TIME,
    re.IGNORECASE,
)
_YEAR_FIRST = re.compile(
    r"(?P<year>[0-9]{4})(?P<mark>[/.-]?)(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})" + _TIME,
    re.IGNORECASE,
)
_DAY_NAME_YEAR = re.compile(
    r"(?P<day>[0-9]{1,2})[-/. ]+(?P<name>[A-Z]{3,9})\.?[-/., ]+(?P<year>[0-9]{4}|[0-9]{2})" + _TIME,
    re.IGNORECASE,
)
_NAME_FIRST = re.compile(
    r"(?P<name>[A-Z]{3,9})\.? +(?P<day>[0-9]{1,2}),? +(?P<year>[0-9]{4})" + _TIME, re.IGNORECASE
)
_SERIAL = re.compile(r"(?P<days>[0-9]{5}(?:[.,][0-9]{1,15})?)")


@lru_cache(maxsize=8_192)
def order_of(text: str) -> Said:
    """Return the orders that `text` can have, or none where all of them mean the same."""
    return _differing(text, ORDER_NAMES)


def evidence_of(text: str) -> Said:
    """Return the orders that `text` speaks for: the year first only with hyphens, or alone."""
    orders, parts = order_of(text), _ORDERED.fullmatch(text)
    if len(orders) <= 1 or parts is None or parts["mark"] == "-":
        return orders
    return _differing(text, orders - {YEAR_FIRST})


def said_in(text: str, order: Choice) -> Said:
    """Return the orders that `text` can have in a file of that `order`."""
    return order_of(text) if order.is_asked else evidence_of(text)


def _differing(text: str, orders: Iterable[str]) -> Said:
    """Return those of `orders` in which `text` is a date, or none where all mean the same."""
    if _ORDERED.fullmatch(text) is None:
        return frozenset()
    read = ((order, _read(text, order, EPOCH_1900)) for order in orders)
    moments = {order: at_ms for order, at_ms in read if at_ms is not None}
    differs = len(moments) == 1 or len(set(moments.values())) > 1
    return frozenset(moments) if differs else frozenset()


def month_and_day(text: str) -> tuple[int, int] | None:
    """Return the month and the day that `text` says behind a year; None where it has no such form.

    As of `2010-12-01`, and so of each cell of a workbook that is a date.
    """
    parts = _YEAR_FIRST.fullmatch(text)
    return parts and (int(parts["month"]), int(parts["day"]))


def names_zone(text: str) -> bool:
    """Return whether `text` says its own zone."""
    forms = (_ORDERED, _YEAR_FIRST, _DAY_NAME_YEAR, _NAME_FIRST)
    parts = next((parts for form in forms if (parts := form.fullmatch(text))), None)
    return parts is not None and bool(parts["zone"] or parts["hours"])


def is_serial(text: str) -> bool:
    """Return whether `text` is a date as a number of days, whose first day it does not say."""
    return _SERIAL.fullmatch(text) is not None


def moment_ms(text: str, order: Choice, epoch_days: int = EPOCH_1900) -> int | None:
    """Return the moment in ms since 1970, or None: no date, or not in the order of its file.

    `epoch_days` is 1970-01-01 in the serial days of the file.
    """
    orders = said_in(text, order)
    if not order.allows(orders):
        return None
    # Of `05/05/10` in a file of `99-12-31`, no year is first: day and month are one.
    return _read(text, order.value if orders or order.is_asked else "", epoch_days)


@lru_cache(maxsize=8_192)
def _read(text: str, order: str, epoch_days: int) -> int | None:
    try:
        moment = _serial(text, epoch_days) or _dated(text, order)
    except (ValueError, OverflowError):
        return None
    if moment is None:
        return None
    at_ms = int(moment.timestamp()) * 1_000
    return at_ms if 0 <= at_ms <= MOMENT_MS_MAX else None


def _serial(text: str, epoch_days: int) -> datetime | None:
    number = _SERIAL.fullmatch(text)
    if number is None:
        return None
    days = float(number["days"].replace(",", ".")) - epoch_days
    if not 0 <= days <= SERIAL_DAYS_MAX:
        return None
    return datetime.fromtimestamp(round(days * SECONDS_A_DAY), UTC)


def _dated(text: str, order: str) -> datetime | None:
    if parts := _ORDERED.fullmatch(text):
        a, b, c = parts["a"], parts["b"], parts["c"]
        year, month, day = {MONTH_FIRST: (c, a, b), YEAR_FIRST: (a, b, c)}.get(order, (c, b, a))
        # No year has one digit, and no day has four.
        if len(year) == 1 or len(day) == len("2010"):
            return None
        return _moment(parts, year, int(month), int(day))
    if parts := _YEAR_FIRST.fullmatch(text):
        if not parts["mark"] and len(parts["month"] + parts["day"]) < len("1201"):
            return None
        return _moment(parts, parts["year"], int(parts["month"]), int(parts["day"]))
    if parts := _DAY_NAME_YEAR.fullmatch(text) or _NAME_FIRST.fullmatch(text):
        return _moment(parts, parts["year"], _month(parts["name"]), int(parts["day"]))
    return None


def _month(name: str) -> int:
    """Return the month of an English name or its beginning; raises ValueError."""
    begins = [month.startswith(name.lower()) for month in MONTHS]
    return begins.index(True) + 1


def _moment(parts: re.Match[str], digits: str, month: int, day: int) -> datetime:
    """Return the moment; raises ValueError where the calendar or the clock has none."""
    year = int(digits)
    if len(digits) < len("2010"):
        year += 1900 if year >= CENTURY_PIVOT else 2000
    hour = int(parts["hour"] or 0)
    if parts["half"]:
        if not 1 <= hour <= NOON:
            raise ValueError(hour)
        hour = hour % NOON + NOON * (parts["half"].upper() == "P")
    minute, second = int(parts["minute"] or 0), int(parts["second"] or 0)
    # PostgreSQL writes whole hours alone, and always behind seconds: `08:26:00+00`.
    zone = parts["zone"] or parts["hours"] or "Z"
    return datetime(year, month, day, hour, minute, second, tzinfo=_zone(zone))


def _zone(text: str) -> timezone:
    if text[0] not in "+-":
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:].removeprefix(":") or 0)
    if minutes >= 60:  # noqa: PLR2004
        raise ValueError(text)
    return timezone(timedelta(hours=hours, minutes=minutes) * (-1 if text[0] == "-" else 1))
