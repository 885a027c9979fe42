"""What rows hold to be produced: as records, and what adopting a log would leave there for ever."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import dropwhile

import msgspec

from app.delivery.agent import Agent, is_caller
from app.delivery.row import OutboxEntry, outbox_of
from app.wire import codecs
from app.wire.envelope import Envelope, child_traceparent, derive_id, to_headers
from app.wire.records import Outgoing, read_source
from workflows.shared.message import Message, type_name
from workflows.shared.topic import topic_of


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """A source whose log an operator has adopted."""

    before: int
    """The epoch before."""
    produced: int
    """The offset of that epoch before which everything was stored and produced."""


def outgoing_of(
    agent: Agent, outbox_entry: OutboxEntry, messages: Sequence[Message]
) -> list[Outgoing]:
    """Return `outbox_entry` as records: the same each time it is produced."""
    records: list[Outgoing] = []
    cause = _identity(agent, outbox_entry)
    for ordinal, (message, body) in enumerate(zip(messages, outbox_entry.bodies, strict=True)):
        event_id = derive_id(cause, agent.name, ordinal)
        topic = topic_of(message)
        key = topic.key(message)
        emitted = Envelope(
            id=event_id,
            type=type_name(type(message)),
            source=f"/payflow/{agent.service}",
            time_ms=outbox_entry.at_ms,
            subject=key,
            correlation_id=outbox_entry.correlation_id,
            causation_id=outbox_entry.cause,
            traceparent=child_traceparent(outbox_entry.traceparent, event_id),
            baggage=outbox_entry.baggage,
            received_ms=outbox_entry.received_ms,
        )
        headers = to_headers(emitted)
        value = bytes(body)
        records.append(Outgoing(topic=topic.name, key=key.encode(), value=value, headers=headers))
    return records


def left_behind(
    agent: Agent, body: bytes, adopted: Mapping[tuple[str, int], Adopted]
) -> list[Outgoing]:
    """Return what a row may not have produced of events that adopting their log has passed by.

    After a crash an event is read again, and has its row's outbox produced. These events are read
    no more, and a row whose transaction waits for just this may never be read again. What the row
    holds behind the first of them keeps its place. Raises Poison, msgspec.DecodeError.
    """
    left = dropwhile(lambda entry: not _is_left(entry, adopted), outbox_of(body))
    return [
        record
        for entry in left
        for record in outgoing_of(agent, entry, [codecs.decode_emitted(b) for b in entry.bodies])
    ]


def _is_left(entry: OutboxEntry, adopted: Mapping[tuple[str, int], Adopted]) -> bool:
    topic, partition, epoch = read_source(entry.source)
    adoption = adopted.get((topic, partition))
    return adoption is not None and epoch == adoption.before and entry.offset >= adoption.produced


def _identity(agent: Agent, outbox_entry: OutboxEntry) -> str:
    """Return what the ids of the messages of `outbox_entry` are derived from.

    Asked again after a crash, an external system may answer otherwise. Another answer is another
    event, so its id depends on the body.
    """
    if not is_caller(agent):
        return outbox_entry.cause
    content = hashlib.sha256(b"\0".join(bytes(body) for body in outbox_entry.bodies))
    return derive_id(outbox_entry.cause, content.hexdigest())
