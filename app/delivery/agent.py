"""An agent: one step of the workflow as a value. What runs it is `app.delivery.processor`.

Three kinds, emitted apart by what they are given:

    answer   keeps a row a key, decides purely                 `keeps`, `decide`, `evolve`
    call     asks someone outside, concurrently in the batch   `call`
    fold     counts, under keys derived from the event         `keeps`, `rows`, `evolve`, `rollup`
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from app.config import Config
from app.wire import records
from app.wire.envelope import Envelope
from app.wire.records import Record, is_redriven
from app.wire.topics import first_topic_of, timers_topic
from tables import Table
from workflows.shared.message import Message
from workflows.shared.topic import Topic

Decide = Callable[[Any, Any, int], Sequence[Message]]
"""(state, received, at_ms) -> what to tell. Pure."""
Evolve = Callable[[Any, Any, int], Any]
"""(state, received or emitted, at_ms) -> state. Pure."""


class Transient(Exception):
    """It may work later: the event goes to the retry topics, its key parked behind it."""


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the workflow. `at_ms` is the time of the event received, never the clock."""

    name: str
    service: str
    consumes: tuple[Topic, ...]
    produces: tuple[Topic, ...] = ()
    table: Table | None = None
    decide: Decide | None = None
    evolve: Evolve | None = None
    due: Callable[[Any], int | None] | None = None
    """When the row wants to be woken (ms), or None. Wakes it with `DeadlineReached`."""
    call: Callable[[Any], Awaitable[Sequence[Message]]] | None = None
    """Ask outside; may raise Transient. Must be safe to repeat."""
    warm: Callable[[], object] | None = None
    """What `call` needs loaded; run in a thread while the group is joined."""
    rows: Callable[[Message, Envelope], Sequence[str]] | None = None
    """The rows a received message counts in; None: the one row of its key."""
    fold: Callable[[Any, Message, Envelope], Any] | None = None
    """(state, received, envelope) -> state, for agents that count. Pure."""
    rollup: Callable[[str, Any, int], Message] | None = None
    """(row key, state, partition) -> the one message emitted for a touched row. Pure."""
    give_up: Callable[[Any, str], Sequence[Message]] | None = None
    """(received, reason) -> what to tell when the last try has failed and the event is
    dead-lettered.
    """
    knows: Callable[[Config], Awaitable[asyncio.Task[None]]] | None = None
    """Read what every worker of the agent must know before its first event; the task follows it."""
    watch: Callable[[Sequence[Message]], None] | None = None
    """Consumes what was emitted, to count it: once a batch, after the commit."""
    retries: bool = False
    """Whether `call` may raise Transient: its topics get retry topics."""


def topic_received_on(agent: Agent, record: Record) -> str:
    """Return the topic `record` was first received on.

    A redriven record says so itself; what it says counts only where the agent consumes that topic.
    """
    if not is_redriven(record):
        return first_topic_of(record.topic, agent.service)
    names = [topic.name for topic in agent.consumes] + [timers_topic(agent.name)]
    said = records.header(record, records.REDRIVE_TOPIC)
    return said if said in names else names[0]


registered: dict[str, Agent] = {}
"""Every open agent by name."""


def register(**facts: Any) -> Agent:
    """Return the agent, entered in Payflow's list; raises ValueError when the name is taken."""
    agent = Agent(**facts)
    if agent.name in registered:
        raise ValueError(f"room {agent.name} is opened twice")
    registered[agent.name] = agent
    return agent
