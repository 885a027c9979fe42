"""How `payflow dead` shows dead letters and groups of them to people."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from rich.table import Column, Table
from rich.text import Text

from app.cli.instance import ApiError, ask
from app.config import Config
from app.operations.dead_letters.dead_letter import DeadLetter
from app.operations.dead_letters.status import STATES, Group, State

COLUMN_MAX = 60
"""Characters of a key or a type that a table shows."""


def as_shown(dead_letter: DeadLetter, state: State) -> dict[str, object]:
    """Return the fields of one dead letter in a list; none of its body."""
    return {
        "topic": dead_letter.record.topic,
        "offset": dead_letter.record.offset,
        "state": state,
        "service": dead_letter.service,
        "agent": dead_letter.agent,
        "cause": dead_letter.cause,
        "stack": dead_letter.stack,
        "type": dead_letter.shown_type,
        "key": dead_letter.shown_key,
        "correlation_id": dead_letter.shown_correlation_id,
        "origin": dead_letter.record.origin,
        "failures": len(dead_letter.history) + 1,
        "at_ms": dead_letter.at_ms,
    }


def dead_letters_table(rows: Sequence[Mapping[str, object]]) -> Table:
    """Return dead letters, as `as_shown` gives them, as a table."""
    names = ("topic", "offset", "state", "cause", "agent", "type", "key", "failures")
    table = Table(*names, box=None)
    for name in ("topic", "offset"):
        _keep_whole(table.columns[names.index(name)], (str(each[name]) for each in rows))
    for dead_letter in rows:
        table.add_row(*(Text(str(dead_letter[name])[:COLUMN_MAX]) for name in names))
    return table


def groups_table(groups: Sequence[Group]) -> Table:
    """Return groups of dead letters as a table: how many have which status, and since when."""
    table = Table("service", "cause", "stack", "how many", "latest", "example", box=None)
    _keep_whole(table.columns[-1], map(_example, groups))
    for each in groups:
        counts = (f"{each.states[state]} {state}" for state in STATES if each.states.get(state))
        cells = (each.service, each.cause, each.stack, ", ".join(counts), _time(each.latest_ms))
        table.add_row(*(Text(part, overflow="fold") for part in (*cells, _example(each))))
    return table


def _example(group: Group) -> str:
    """Return a dead letter as the other commands want it: its topic, and its offset."""
    topic, _, offset = group.example.rsplit("/", 2)
    return f"{topic} {offset}"


def _keep_whole(column: Column, texts: Iterable[str]) -> None:
    """Let a narrow terminal cut the other columns: this one is copied into other commands."""
    column.no_wrap = True
    column.min_width = max(map(len, texts), default=0)


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def transaction_around(config: Config, correlation_id: str) -> object:
    """Return the events of the transaction of a dead letter, or why there are none."""
    if not correlation_id:
        return "it belongs to no transaction"
    try:
        path = f"/transactions/{quote(correlation_id, safe='')}"
        events = asyncio.run(ask(config, path))["events"]
    except ApiError as error:
        return f"not shown: {error}"
    return [f"{event['type']} {event['id']}" for event in events]
