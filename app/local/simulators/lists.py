"""Pages of lists, newest first: docs.stripe.com/api/pagination.

`starting_after` goes to what is older, `ending_before` to what is newer; `created[gte]` and its
like are seconds since 1970.
"""

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from app.host.parameters import whole_number
from app.local.simulators.provider_shapes import invalid, missing
from app.local.simulators.sqlite_file import Books

PAGE_MAX = 100
PAGE_DEFAULT = "10"
SECONDS_MAX = 253_402_300_799
"""The end of the year 9999."""
TIME_RANGES = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
Condition = tuple[str, object]
"""SQL with one `?`, and its value; a tuple of values for as many."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list is asked for."""

    limit: int
    after: str = ""
    before: str = ""
    ranges: tuple[Condition, ...] = ()


def window_of(query: Mapping[str, str], times: Sequence[str] = ("created",)) -> Window:
    """Return what part of a list is asked for; `times` may have ranges. Raises StripeError."""
    text = query.get("limit", PAGE_DEFAULT)
    limit = whole_number(text, 1, PAGE_MAX)
    if limit is None:
        raise invalid(f"Invalid limit: {text[:20]}", "limit")
    ranges: list[Condition] = []
    for name in times:
        column = {"created": "created_ms", "arrival_date": "arrival_ms"}[name]
        if name in query:
            # One second: the times of the list are in milliseconds.
            ranges.append((f"{column} / 1000 = ?", _seconds(query[name], name)))
        ranges += [
            (f"{column} / 1000 {sign} ?", _seconds(query[f"{name}[{suffix}]"], name))
            for suffix, sign in TIME_RANGES.items()
            if f"{name}[{suffix}]" in query
        ]
    return Window(
        limit=limit,
        after=query.get("starting_after", ""),
        before=query.get("ending_before", ""),
        ranges=tuple(ranges),
    )


def _seconds(text: str, name: str) -> int:
    seconds = whole_number(text, 0, SECONDS_MAX)
    if seconds is None:
        raise invalid(f"Invalid timestamp: {text[:20]}", name)
    return seconds


def matches(column: str, values: Sequence[str]) -> Condition:
    """Return the condition that `column` is one of `values`."""
    return f"{column} IN ({', '.join('?' * len(values))})", tuple(values)


def select(
    books: Books, table: str, conditions: Sequence[Condition], window: Window
) -> tuple[list[sqlite3.Row], bool]:
    """Return rows, newest first, and whether there are more in the direction that is asked for.

    Raises StripeError when the page is to begin at a row that does not exist.
    """
    every = [*conditions, *window.ranges]
    order = "DESC"
    for cursor, sign in ((window.after, "<"), (window.before, ">")):
        if cursor:
            place = books.one(f"SELECT seq FROM {table} WHERE id = ?", cursor)  # noqa: S608  ours
            if place is None:
                raise missing(table.removesuffix("s"), cursor, "starting_after")
            every.append((f"seq {sign} ?", place["seq"]))
            order = "ASC" if sign == ">" else order
    where = " AND ".join(text for text, _ in every) or "TRUE"
    values = [v for _, value in every for v in (value if isinstance(value, tuple) else (value,))]
    rows = books.all(
        f"SELECT * FROM {table} WHERE {where} ORDER BY seq {order} LIMIT ?",  # noqa: S608  ours
        *values,
        window.limit + 1,
    )
    page = rows[: window.limit]
    return (page[::-1] if order == "ASC" else page), len(rows) > window.limit
