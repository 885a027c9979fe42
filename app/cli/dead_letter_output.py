"""How `payflow dead` shows letters and groups of them to people."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from app.operations.dead_letters.dead_letter import Letter
from app.operations.dead_letters.status import STATES, Group, State

COLUMN_MAX = 60
"""Characters of a key or a type that a table shows."""


def as_shown(letter: Letter, state: State) -> dict[str, Any]:
    """Return what a list says of one letter; nothing of its body."""
    return {
        "topic": letter.given.topic,
        "offset": letter.given.offset,
        "state": state,
        "service": letter.service,
        "room": letter.room,
        "cause": letter.cause,
        "stack": letter.stack,
        "type": letter.type,
        "key": (letter.given.key or b"").decode(errors="replace"),
        "correlation_id": letter.correlation_id,
        "origin": letter.given.origin,
        "failures": len(letter.history) + 1,
        "at_ms": letter.at_ms,
    }


def letters_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """Return letters, as `as_shown` gives them, as a table."""
    names = ("topic", "offset", "state", "cause", "room", "type", "key", "failures")
    table = Table(*names, box=None)
    for letter in found:
        table.add_row(*(Text(str(letter[name])[:COLUMN_MAX]) for name in names))
    return table


def groups_table(found: Sequence[Group]) -> Table:
    """Return groups of letters as a table: how many stand where, and since when."""
    names = ("service", "cause", "stack", "letters", *STATES, "first", "latest", "example")
    table = Table(*names, box=None)
    for each in found:
        counts = (str(each.states.get(state, 0)) for state in STATES)
        times = (_time(each.first_ms), _time(each.latest_ms))
        said = (each.service, each.cause, each.stack, str(each.letters))
        table.add_row(*(Text(part) for part in (*said, *counts, *times, each.example)))
    return table


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
