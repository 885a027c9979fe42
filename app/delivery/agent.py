"""An agent: one step of a workflow as a value. `app.delivery.processor` runs it.

Three kinds:

    Decider keeps a state for each key and decides purely; an informed one also reads rules
    Caller       asks an external system, the keys of a batch side by side
    Projection   counts, in rows whose keys are derived from the event
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Generic, Protocol, TypeGuard, TypeVar

import msgspec

from app.config import Config
from app.wire import records
from app.wire.envelope import Envelope
from app.wire.records import Record, is_redriven
from app.wire.topics import first_topic_of, timers_topic
from tables import Table
from workflows.shared.errors import DeclarationError, ErrorKind, PayflowError
from workflows.shared.message import Message
from workflows.shared.reaction import Reactions
from workflows.shared.topic import Topic

State = TypeVar("State")
Command = TypeVar("Command", bound=Message)
Knowledge = TypeVar("Knowledge")
Known = TypeVar("Known", covariant=True)  # noqa: PLC0105  the same noun, read only


class Transient(PayflowError):
    """The call may succeed later: the event goes to a retry topic, and its key is parked."""

    kind: ClassVar[ErrorKind] = "unavailable"


class FollowedKnowledge(Protocol[Known]):
    """Knowledge that changes while the agent runs, such as rules."""

    @property
    def task(self) -> asyncio.Task[None]:
        """Return the task that keeps it up to date; the agent cancels it when it stops."""
        ...

    def current(self) -> Known:
        """Return the knowledge of this moment: a value that never changes."""
        ...


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of every kind: name, the service it runs in, topics, and a table if any."""

    name: str
    service: str
    consumes: tuple[Topic, ...]
    produces: tuple[Topic, ...] = ()
    table: Table[object] | None


def _no_answer(_state: object, _received: Message, _at_ms: int) -> Sequence[Message]:
    return ()


def _nothing_pending(_state: object) -> Sequence[Message]:
    return ()


def _no_name(_received: Message) -> Sequence[str]:
    return ()


class Decider(Agent, Generic[State], frozen=True, kw_only=True):
    """Keeps a state for each key. All functions are pure; `at_ms` is the time of the event."""

    table: Table[State]
    evolve: Callable[[State, Message, int], State]
    """(state, received or emitted, at_ms) -> the next state."""
    decide: Callable[[State, Message, int], Sequence[Message]] = _no_answer
    """(state before, received, at_ms) -> the answer to this message."""
    pending: Callable[[State], Sequence[Message]] = _nothing_pending
    """(state) -> messages to emit now; `evolve` of an emitted message makes it pending no
    longer."""
    due: Callable[[State], int | None] | None = None
    """(state) -> when `DeadlineReached` is to wake the row (ms), or None."""
    reactions: Reactions = {}
    """Of a participant that workflows share: the reactions that they declare for it."""
    workflow: str = ""
    """The one workflow that it serves; events of other transactions change nothing. Empty: all."""
    once: Callable[[Message], Sequence[str]] = _no_name
    """(received) -> the name under which it is applied once, for ever, whatever its event id, then
    names that it had before; none where the row knows by itself what it has applied."""


class InformedDecider(Decider[State], Generic[State, Knowledge], frozen=True, kw_only=True):
    """Decides with knowledge from outside its row, such as rules and models, passed as input."""

    judge: Callable[[State, int, Knowledge], Sequence[Message]]
    """(state, at_ms, knowledge) -> what is pending, as `pending` says it."""
    open: Callable[[Config], Knowledge]
    """Return the knowledge at the start."""
    follow: Callable[[Config], Awaitable[FollowedKnowledge[Knowledge]]]
    """Read all knowledge there is before the first event, and follow it from then on."""
    observe: Callable[[Sequence[Message], Knowledge], None]
    """Count the emitted messages of a batch, after its commit."""


class Caller(Agent, Generic[Command], frozen=True, kw_only=True):
    """Asks an external system. Its table, if any, remembers what was asked and what is parked."""

    table: Table[object] | None = None
    call: Callable[[Command], Awaitable[Sequence[Message]]]
    """Ask; may raise Transient when `retries`. Must be safe to repeat."""
    prepare: Callable[[], object] | None = None
    """Load what `call` needs; runs in a thread while the group is joined."""
    give_up: Callable[[Command, str], Sequence[Message]] | None = None
    """(command, reason) -> what to emit when the last try has failed and it is dead-lettered."""
    retries: bool = False
    """Whether `call` may raise Transient: its topics get retry topics."""


class Projection(Agent, Generic[State], frozen=True, kw_only=True):
    """Counts what it consumes, an event in each of its rows once. All functions are pure."""

    table: Table[State]
    rows: Callable[[Message, Envelope], Sequence[str]]
    """(received, envelope) -> the keys of the rows in which it counts."""
    evolve: Callable[[State, Message, Envelope], State]
    """(state, received, envelope) -> the next state."""
    rollup: Callable[[str, State, int], Message] | None = None
    """(row key, state, partition) -> the one message emitted for a row that changed."""


def is_decider(agent: Agent) -> TypeGuard[Decider[object]]:
    """Return whether `agent` decides; delivery passes its state on without looking into it."""
    return isinstance(agent, Decider)


def is_informed(agent: Agent) -> TypeGuard[InformedDecider[object, object]]:
    """Return whether `agent` decides with knowledge; delivery passes that on like its state."""
    return isinstance(agent, InformedDecider)


def is_caller(agent: Agent) -> TypeGuard[Caller[Message]]:
    """Return whether `agent` calls; it consumes no other messages than its commands."""
    return isinstance(agent, Caller)


def is_projection(agent: Agent) -> TypeGuard[Projection[object]]:
    """Return whether `agent` counts; delivery passes its state on without looking into it."""
    return isinstance(agent, Projection)


def counts(agent: Agent) -> bool:
    """Return whether a row of `agent` counts the events of many keys."""
    return is_projection(agent) and agent.rollup is not None


def due_of(agent: Agent) -> Callable[[object], int | None] | None:
    """Return the function from a state to its deadline, of an agent that has deadlines."""
    return agent.due if is_decider(agent) else None


def initial_knowledge(agent: Agent, config: Config) -> object:
    """Return what an informed agent knows before it follows anything; None for all others."""
    return agent.open(config) if is_informed(agent) else None


def retries(agent: Agent) -> bool:
    """Return whether the topics of `agent` have retry topics."""
    return isinstance(agent, Caller) and agent.retries


def topic_received_on(agent: Agent, record: Record) -> str:
    """Return the topic `record` was first received on.

    A redriven record names it in a header; that counts only where the agent consumes that topic.
    """
    if not is_redriven(record):
        return first_topic_of(record.topic, agent.service)
    names = [topic.name for topic in agent.consumes] + [timers_topic(agent.name)]
    name = records.header(record, records.REDRIVE_TOPIC)
    return name if name in names else names[0]


registered: dict[str, Agent] = {}
"""Every agent by name."""

AnyAgent = TypeVar("AnyAgent", bound=Agent)


def register(agent: AnyAgent) -> AnyAgent:
    """Return `agent`, entered in Payflow's list; raises DeclarationError when the name is taken."""
    if agent.name in registered:
        raise DeclarationError(f"agent {agent.name} is registered twice")
    registered[agent.name] = agent
    return agent
