"""A room: one step of the workflow as a value. What runs it is `app.delivery.processor`.

Three kinds, told apart by what they are given:

    answer   keeps a row a key, decides purely                 `keeps`, `decide`, `evolve`
    call     asks someone outside, concurrently in the batch   `call`
    fold     counts, under keys derived from the event         `keeps`, `rows`, `evolve`, `rollup`
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from app.config import Config
from app.wire import records as record
from app.wire.envelope import Envelope
from app.wire.records import Record, is_redriven
from app.wire.topics import Topic, timers_of
from tables import Table
from workflows.shared.message import Message

Decide = Callable[[Any, Any, int], Sequence[Message]]
"""(memory, heard, at_ms) -> what to tell. Pure."""
Evolve = Callable[[Any, Any, int], Any]
"""(memory, heard or told, at_ms) -> memory. Pure."""


class Transient(Exception):
    """It may work later: the event goes to the retry topics, its key parked behind it."""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the workflow. `at_ms` is the time of the event heard, never the clock."""

    name: str
    service: str
    hears: tuple[Topic, ...]
    tells: tuple[Topic, ...] = ()
    keeps: Table | None = None
    decide: Decide | None = None
    evolve: Evolve | None = None
    due: Callable[[Any], int | None] | None = None
    """When the row wants to be woken (ms), or None. Wakes it with `DeadlineReached`."""
    call: Callable[[Any], Awaitable[Sequence[Message]]] | None = None
    """Ask outside; may raise Transient. Must be safe to repeat."""
    warm: Callable[[], object] | None = None
    """What `call` needs loaded; run in a thread while the group is joined."""
    rows: Callable[[Message, Envelope], Sequence[str]] | None = None
    """The rows a heard word counts in; None: the one row of its key."""
    fold: Callable[[Any, Message, Envelope], Any] | None = None
    """(memory, heard, envelope) -> memory, for rooms that count. Pure."""
    rollup: Callable[[str, Any, int], Message] | None = None
    """(row key, memory, partition) -> the one word told for a touched row. Pure."""
    give_up: Callable[[Any, str], Sequence[Message]] | None = None
    """(heard, reason) -> what to tell when the last try has failed and the event is laid aside."""
    knows: Callable[[Config], Awaitable[asyncio.Task[None]]] | None = None
    """Read what every worker of the room must know before its first event; the task follows it."""
    watch: Callable[[Sequence[Message]], None] | None = None
    """Hears what was told, to count it: once a batch, after the commit."""
    retries: bool = False
    """Whether `call` may raise Transient: its topics get retry topics."""


def home_topic(room: Room, given: Record) -> str:
    """Return the topic `given` was first heard on.

    A redriven record says so itself; what it says counts only where the room hears that topic.
    """
    if not is_redriven(given):
        return record.home_topic(given.topic, room.service)
    names = [topic.name for topic in room.hears] + [timers_of(room.name)]
    said = record.header(given, record.REDRIVE_TOPIC)
    return said if said in names else names[0]


opened: dict[str, Room] = {}
"""Every open room by name."""


def open_room(**facts: Any) -> Room:
    """Return the room, entered in the house's list; raises ValueError when the name is taken."""
    room = Room(**facts)
    if room.name in opened:
        raise ValueError(f"room {room.name} is opened twice")
    opened[room.name] = room
    return room
