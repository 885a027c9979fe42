"""A row of a table: what the business remembers, and what delivery remembers about it.

The two are written in one put, so they can never disagree.
"""

from functools import cache
from typing import Any, Generic, TypeVar

import msgspec

from app.wire.envelope import Envelope
from app.wire.records import Record, is_retry
from tables import Table

Memory = TypeVar("Memory")

SEEN_MAX = 32
"""Event ids remembered by a row of one key. An order is told some twenty events in its life."""
SEEN_COUNTING_MAX = 1_024
"""Event ids remembered by a row that counts: more than one batch can repeat."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What travels with the transaction, kept so that a deadline can pass it on."""

    correlation_id: str = ""
    traceparent: str = ""
    baggage: dict[str, str] = {}


class Saying(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided to be told because of one event: enough to tell it again, the same."""

    cause: str = msgspec.field(name="i")
    """The id of the event heard; the ids of what is told are derived from it."""
    source: str = msgspec.field(name="s")
    """The `topic/partition` it was read from, and where: once committed, it has been told."""
    offset: int = msgspec.field(name="o")
    at_ms: int = msgspec.field(name="t")
    heard_ms: int = msgspec.field(name="h", default=0)
    """When the batch was taken up in which the cause lay."""
    correlation_id: str = msgspec.field(name="c")
    traceparent: str = msgspec.field(name="p", default="")
    baggage: dict[str, str] = msgspec.field(name="b", default_factory=dict)
    bodies: tuple[msgspec.Raw, ...] = msgspec.field(name="w")
    """Each word told, as JSON."""


class Row(msgspec.Struct, Generic[Memory], frozen=True, kw_only=True):
    """One key's row. Short names on disk: every byte is written at every event."""

    memory: Memory = msgspec.field(name="m")
    fence: dict[str, int] = msgspec.field(name="f", default_factory=dict)
    """Source `topic/partition` → highest offset applied."""
    seen: tuple[str, ...] = msgspec.field(name="e", default=())
    """The latest event ids applied, newest last: a producer may repeat itself at a new offset."""
    parked: tuple[str, ...] = msgspec.field(name="p", default=())
    """Event ids of this key that wait in a retry topic, in order."""
    context: Context = msgspec.field(name="c", default=Context())
    outbox: tuple[Saying, ...] = msgspec.field(name="o", default=())
    """What was decided in the same put as `memory`, and may not have been told yet."""


def fresh(table: Table) -> Row[Any]:
    """Return the row of a key nobody has heard of."""
    return Row(memory=table.initial)


def decode_row(table: Table, body: bytes) -> Row[Any]:
    """Return the row in `body`; raises msgspec.ValidationError when its shape has changed."""
    return _decoder(table.name, table.shape).decode(body)


def encode_row(row: Row[Any]) -> bytes:
    """Return `row` as JSON; equal rows give equal bytes."""
    return _encode(row)


def applied(row: Row[Any], given: Record, event_id: str) -> bool:
    """Return whether `given` is behind the fence, or its event was applied from elsewhere."""
    return behind(row, given) or event_id in row.seen


def behind(row: Row[Any], given: Record) -> bool:
    """Return whether `given` was read before, from the same place."""
    return given.offset <= row.fence.get(given.source, -1)


def remember(
    row: Row[Any], memory: Any, given: Record, envelope: Envelope, seen_max: int
) -> Row[Any]:
    """Return `row` with `memory`, its fence moved and the event's id noted."""
    context = row.context
    if not context.correlation_id or (envelope.baggage and not context.baggage):
        context = Context(
            correlation_id=envelope.correlation_id,
            traceparent=envelope.traceparent,
            baggage=envelope.baggage,
        )
    return msgspec.structs.replace(
        fenced(row, given),
        memory=memory,
        seen=(*row.seen, envelope.id)[-seen_max:],
        context=context,
    )


def fenced(row: Row[Any], given: Record) -> Row[Any]:
    """Return `row` with only its fence moved past `given`.

    Retry topics have no fence: they are read in the order things are due, which a clock that steps
    back makes another than that of their offsets. There the memory of ids has to do.
    """
    if is_retry(given):
        return row
    highest = max(given.offset, row.fence.get(given.source, -1))
    return msgspec.structs.replace(row, fence={**row.fence, given.source: highest})


_encode = msgspec.json.Encoder(order="deterministic").encode


@cache
def _decoder(_name: str, shape: Any) -> msgspec.json.Decoder[Row[Any]]:
    return msgspec.json.Decoder(Row[shape])
