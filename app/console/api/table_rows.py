"""Rows as workers answer them, and the answers of several as one page."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict, cast

from app.worker.http import RowPage

LAST = "\U0010ffff"
"""No character comes behind it."""
KEY_CHARS_ASKED_MAX = 500
"""Of a key that a worker is asked for; a path has 8,190 bytes, and a character up to twelve."""


class RowContext(TypedDict):
    """The trace and baggage of the event behind a row."""

    baggage: dict[str, str]


class TableRow(TypedDict):
    """One row as the worker that holds it answers, in plain values."""

    key: str
    partition: int
    context: RowContext
    state: dict[str, Any]


class TablePage(NamedTuple):
    """Rows of all workers in key order."""

    rows: list[TableRow]
    next: str | None
    """The last key, where the page has ended for its bytes: there may be more."""
    partial: bool
    """Whether some partitions did not answer."""


def asked_after(key: str) -> str:
    """Return `key` as a path takes it: of a long one, what lies behind all that begins so."""
    return key if len(key) <= KEY_CHARS_ASKED_MAX else key[:KEY_CHARS_ASKED_MAX] + LAST


def merged(answers: Sequence[RowPage], limit: int, *, partial: bool) -> TablePage:
    """Return the first rows of all `answers`, as far as each of them goes."""
    ends = [answer.next for answer in answers if answer.next is not None]
    # Behind the end of the shortest answer, rows of its worker are missing.
    end = min(ends) if ends else None
    rows = [
        cast("TableRow", row)
        for answer in answers
        for row in answer.rows
        if end is None or str(row["key"]) <= end
    ]
    rows.sort(key=lambda row: (row["key"], row["partition"]))
    return TablePage(rows[:limit], end if len(rows) <= limit else None, partial)
