"""Topics as declared values: messages, key, the one writing service, retention.

A message belongs to exactly one topic, so its type says where it goes.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from types import UnionType
from typing import Any, Literal, get_args

import msgspec

from workflows.shared.deadline import DeadlineReached
from workflows.shared.errors import DeclarationError
from workflows.shared.message import Message, type_name

DAY_MS = 86_400_000
KEPT_MS = 31 * DAY_MS
"""How long a topic keeps what only has to reach its readers: a service that was away for that long
loses nothing."""

Key = Callable[[Any], str]


def by(field: str) -> Key:
    """Return a key function that reads the field `name` of a message."""
    return attrgetter(field)


EventKind = Literal["step", "compensation", "retry", "failure"]
"""What an event is to its transaction. A compensation gives something back; a retry asks again, or
says that nobody knows yet."""


class MessageCounter(msgspec.Struct, frozen=True, kw_only=True):
    """A metric that counts one message whenever it is emitted."""

    message: type[Message]
    metric: str
    help: str
    label: str = ""
    """The field of the message that is the label of the metric, which has few values; or none."""


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One Kafka topic, declared before it is used and never created by accident."""

    name: str
    messages: tuple[type[Message], ...]
    key: Key
    writer: str
    """The one service that produces it."""
    retention_ms: int = KEPT_MS
    """How long records stay; -1 keeps them for ever."""
    cleanup: Literal["delete", "compact"] = "delete"
    open: bool = False
    """Whether producers other than Payflow may write here, without a signature."""
    said_times: dict[type[Message], str] = {}
    """Of an open topic: the field (ms) in which a message says when something began. Of a message
    that others produced it holds when the message arrived."""
    partitions: int | None = None
    """None: as many as every topic that meets in a row (`PAYFLOW_PARTITIONS`); see
    `app.wire.topics.partitions_of`."""
    traced: bool = False
    """Whether its events belong to the timeline of their transaction."""
    kinds: dict[type[Message], EventKind] = {}
    """The kind of each message that is not a plain step."""
    counters: tuple[MessageCounter, ...] = ()


def declare(  # noqa: PLR0913  a topic has these facts and no defaults that matter
    name: str,
    messages: Any,
    *,
    key: Key,
    writer: str,
    retention_ms: int = KEPT_MS,
    cleanup: Literal["delete", "compact"] = "delete",
    open: bool = False,  # noqa: A002  what it is
    partitions: int | None = None,
    traced: bool = False,
    kinds: Mapping[EventKind, Sequence[type[Message]]] | None = None,
    counters: tuple[MessageCounter, ...] = (),
    said_times: Mapping[type[Message], str] | None = None,
) -> Topic:
    """Return the topic `name` carrying `messages` (one message or a union of them).

    `kinds`: the messages that are not plain steps of their transaction. Raises DeclarationError
    when the name is taken, or a message belongs to another topic.
    """
    if name in declared:
        raise DeclarationError(f"topic {name} is declared twice")
    members = get_args(messages) if isinstance(messages, UnionType) else (messages,)
    topic = Topic(
        name=name,
        messages=members,
        key=key,
        writer=writer,
        retention_ms=retention_ms,
        cleanup=cleanup,
        open=open,
        partitions=partitions,
        traced=traced,
        kinds={message: kind for kind, those in (kinds or {}).items() for message in those},
        counters=counters,
        said_times=dict(said_times or {}),
    )
    _enter(topic)
    declared[name] = topic
    return topic


def _enter(topic: Topic) -> None:
    for message in topic.messages:
        other = _by_type.setdefault(type_name(message), topic)
        if other.name != topic.name:
            raise DeclarationError(
                f"message {type_name(message)} belongs to both topics {other.name} and {topic.name}"
            )
        _message_by_type[type_name(message)] = message


declared: dict[str, Topic] = {}
"""Every declared topic by name."""
_by_type: dict[str, Topic] = {}
_message_by_type: dict[str, type[Message]] = {}

TIMERS = Topic(
    name="<agent>.timers", messages=(DeadlineReached,), key=attrgetter("key"), writer="<agent>"
)
"""Every agent with deadlines has a topic of this form (`app.wire.topics.timers_topic`)."""
_enter(TIMERS)


def topic_of(message: Message) -> Topic:
    """Return the topic that carries `message`."""
    return topic_of_type(type(message))


def topic_of_type(message: type[Message]) -> Topic:
    """Return the topic that carries messages of the type `message`. Raises KeyError."""
    return _by_type[type_name(message)]


def message_type_of(name: str) -> type[Message] | None:
    """Return the message of the wire name `name`, or None when nobody declared it."""
    return _message_by_type.get(name)


def kind_of_type(name: str) -> EventKind:
    """Return what an event of the wire name `name` is to its transaction."""
    message = message_type_of(name)
    return "step" if message is None else topic_of_type(message).kinds.get(message, "step")
