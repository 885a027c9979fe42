"""A row of a table: the state of the workflow, and what delivery notes about it.

The two are written in one put, so they can never disagree.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import blake2b
from typing import Any, Generic, TypeVar, cast

import msgspec

from app.wire.envelope import Envelope
from app.wire.records import Record, due_ms, is_redriven, is_retry, source_name
from tables import Table

State = TypeVar("State", covariant=True)  # noqa: PLC0105  a row never changes
Stored = TypeVar("Stored")

PROCESSED_IDS_MAX = 32
"""Event ids in the row of one key. An order receives some twenty events in its life."""
PROCESSED_IDS_COUNTING_MAX = 4_096
"""Event ids in a row that counts, each as its digest. What a producer repeats after more events
than that of the same row is counted again."""
DIGEST_BYTES = 6
"""Of an event id in a row that counts, which is written at every batch. An event that is taken for
one of 4,096 others by mistake is one in 70 thousand million."""
DIGEST_CHARS = DIGEST_BYTES * 4 // 3

KEYS_FEW = 200
"""Keys of a dict that the encoder may put in order by itself: in a quarter of a millisecond."""
EXHAUSTED = -1

LOGS_KEY = b"__payflow\0logs__"
"""The key of the row of each partition that says which logs its rows have applied (ADR 19)."""


ONCE_PREFIX = b"__payflow\0once\0"
"""What the keys of marks begin with; names of messages have no such characters."""
MARK_BYTES = 16


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The trace and baggage of the transaction, kept so that a deadline can pass them on."""

    correlation_id: str = ""
    traceparent: str = ""
    baggage: dict[str, str] = {}


class OutboxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The messages to produce because of one event: enough to produce exactly them again."""

    cause: str = msgspec.field(name="i")
    """The id of the event received; the ids of what is emitted are derived from it."""
    source: str = msgspec.field(name="s")
    """The `topic/partition` and offset of the cause: once committed, the messages were produced."""
    offset: int = msgspec.field(name="o")
    at_ms: int = msgspec.field(name="t")
    received_ms: int = msgspec.field(name="h", default=0)
    """When the batch with the cause began (ms)."""
    correlation_id: str = msgspec.field(name="c")
    traceparent: str = msgspec.field(name="p", default="")
    baggage: dict[str, str] = msgspec.field(name="b", default_factory=dict[str, str])
    bodies: tuple[msgspec.Raw, ...] = msgspec.field(name="w")
    """Each message emitted, as JSON."""


class Row(msgspec.Struct, Generic[State], frozen=True, kw_only=True):
    """One key's row. Short names on disk: every byte is written at every event."""

    state: State = msgspec.field(name="m")
    applied_offsets: dict[str, int] = msgspec.field(name="f", default_factory=dict[str, int])
    """Source `topic/partition` → highest offset applied."""
    processed_ids: tuple[str, ...] = msgspec.field(name="e", default=())
    """The latest event ids applied, newest last: a producer may repeat itself at a new offset.
    In a row that counts, their digests."""
    parked: tuple[str, ...] = msgspec.field(name="p", default=())
    """Event ids of this key that wait in a retry topic, in order."""
    due_ms: dict[str, int] | msgspec.UnsetType = msgspec.field(name="d", default=msgspec.UNSET)
    """Parked event id → when its latest copy is due: any other copy of it is superseded.
    `EXHAUSTED`: the event is dead-lettered, and only a redrive has it tried again."""
    context: Context = msgspec.field(name="c", default=Context())
    outbox: tuple[OutboxEntry, ...] = msgspec.field(name="o", default=())
    """Messages decided in the same put as `state`, which may not have been produced yet."""


def with_digests(row: Row[object]) -> Row[object]:
    """Return `row`, which counts, with digests alone: older rows remember whole ids."""
    digests = (each if len(each) == DIGEST_CHARS else digest_of(each) for each in row.processed_ids)
    return msgspec.structs.replace(row, processed_ids=tuple(digests))


def is_row(key: bytes | None) -> bool:
    """Return whether a record of a changelog is a row of its table, not of delivery's own."""
    return key != LOGS_KEY and not (key or b"").startswith(ONCE_PREFIX)


def mark_of(record: Record) -> bytes:
    """Return the body of a mark: which record has applied it. Marks of before are `{}`.

    A row and its mark are two records of a changelog. After a kill both may be on disk, and an
    older record of the row is read over it: the mark of what the row has not applied is left.
    The record is read again then, and its own mark does not keep it from being applied.
    """
    return msgspec.json.encode({"source": record.source, "offset": record.offset})


def mark_key(key: bytes, name: str) -> bytes:
    """Return the key that says for ever that what is called `name` was applied to the row `key`.

    A row of its own: the row that it speaks for stays as short as it is, however many there are.
    """
    content = b"%d:%b%b" % (len(key), key, name.encode())
    return ONCE_PREFIX + blake2b(content, digest_size=MARK_BYTES).hexdigest().encode()


def fresh(table: Table[object]) -> Row[object]:
    """Return the row of a key without a stored row."""
    return Row(state=table.initial)


def decode_row(table: Table[object], body: bytes) -> Row[object]:
    """Return the row in `body`; raises msgspec.DecodeError, also when its shape has changed."""
    return _read(_decoder(table.name, table.shape).decode, body)


def row_type(table: Table[object]) -> object:
    """Return the type of the rows of `table`."""
    return _decoder(table.name, table.shape).type


def encode_row(row: Row[object]) -> bytes:
    """Return `row` as JSON; equal rows give equal bytes."""
    return _encode(_in_order_of_keys(row))


def _in_order_of_keys(row: Row[object]) -> Row[object]:
    """Return `row` with the keys of long dicts of its state in their order.

    The encoder orders them too, in a time that grows with their square where the keys are in order
    but for a few: so they are in every row that was read and changed. Python's sort likes that.
    """
    state = row.state
    if not isinstance(state, msgspec.Struct):
        return row
    ordered: dict[str, object] = {}
    for name in state.__struct_fields__:
        value = getattr(state, name)
        if isinstance(value, dict):
            entries = cast("dict[str, object]", value)
            if len(entries) > KEYS_FEW:
                ordered[name] = {key: entries[key] for key in sorted(entries)}
    if not ordered:
        return row
    return msgspec.structs.replace(row, state=msgspec.structs.replace(state, **ordered))


def applied(row: Row[object], record: Record, event_id: str) -> bool:
    """Return whether the event of `record` was applied, from this place or another."""
    processed_ids = row.processed_ids
    return behind(row, record) or event_id in processed_ids or digest_of(event_id) in processed_ids


def superseded(row: Row[object], record: Record, event_id: str) -> bool:
    """Return whether `record` is an older copy of an event that was parked again or given up since.

    A copy is acknowledged before the row names it, so the one that is dropped is never the last.
    """
    latest_ms = due_of_copies(row).get(event_id)
    if latest_ms == EXHAUSTED:
        return not is_redriven(record)
    return latest_ms is not None and is_retry(record) and latest_ms != due_ms(record)


def park(row: Row[object], event_id: str, copy_due_ms: int) -> Row[object]:
    """Return `row` with the event behind those that wait, and when its latest copy is due."""
    waiting = row.parked if event_id in row.parked else (*row.parked, event_id)
    due = {**due_of_copies(row), event_id: copy_due_ms}
    return msgspec.structs.replace(row, parked=waiting, due_ms=due)


def unpark(row: Row[object], event_id: str) -> Row[object]:
    """Return `row` without the event among those that wait."""
    waiting = tuple(parked for parked in row.parked if parked != event_id)
    due = {each: at_ms for each, at_ms in due_of_copies(row).items() if each != event_id}
    return msgspec.structs.replace(row, parked=waiting, due_ms=due or msgspec.UNSET)


def give_up(row: Row[object], event_id: str) -> Row[object]:
    """Return `row` after the last try of the event: no copy of it is tried again."""
    due = {**due_of_copies(row), event_id: EXHAUSTED}
    return msgspec.structs.replace(unpark(row, event_id), due_ms=due)


def due_of_copies(row: Row[object]) -> dict[str, int]:
    """Return by id of a parked event when its latest copy is due."""
    return {} if row.due_ms is msgspec.UNSET else row.due_ms


def behind(row: Row[object], record: Record) -> bool:
    """Return whether `record` was read before, from the same place."""
    return record.offset <= row.applied_offsets.get(record.source, -1)


def store(
    row: Row[object], state: object, record: Record, envelope: Envelope, *, counting: bool
) -> Row[object]:
    """Return `row` with `state`, its applied offsets moved and the event's id noted.

    `counting` says that the row counts events of many keys.
    """
    noted = digest_of(envelope.id) if counting else envelope.id
    noted_max = PROCESSED_IDS_COUNTING_MAX if counting else PROCESSED_IDS_MAX
    context = row.context
    if not context.correlation_id or (envelope.baggage and not context.baggage):
        context = Context(
            correlation_id=envelope.correlation_id,
            traceparent=envelope.traceparent,
            baggage=envelope.baggage,
        )
    return msgspec.structs.replace(
        advanced(row, record),
        state=state,
        processed_ids=(*row.processed_ids, noted)[-noted_max:],
        context=context,
    )


def await_production(row: Row[object], entry: OutboxEntry | None) -> Row[object]:
    """Return `row` with `entry`, if any, in its outbox."""
    if entry is None:
        return row
    return msgspec.structs.replace(row, outbox=(*row.outbox, entry))


def advanced(row: Row[object], record: Record) -> Row[object]:
    """Return `row` with only its applied offsets moved past `record`.

    Retry topics have no applied offsets: they are read in the order things are due, which a clock
    that steps back makes another than that of their offsets. There the processed ids have to
    suffice.
    """
    if is_retry(record):
        return row
    highest = max(record.offset, row.applied_offsets.get(record.source, -1))
    before = row.applied_offsets
    if record.epoch and record.source not in before:
        # Offsets of the log before the adopted one count no more.
        place = source_name(record.topic, record.partition)
        before = {name: at for name, at in before.items() if name.partition("~")[0] != place}
    return msgspec.structs.replace(row, applied_offsets={**before, record.source: highest})


def offsets_of(body: bytes) -> Mapping[str, int]:
    """Return the applied offsets of a stored row. Raises msgspec.DecodeError."""
    return _read(_decode_offsets, body).applied_offsets


def outbox_of(body: bytes) -> tuple[OutboxEntry, ...]:
    """Return the outbox of a stored row. Raises msgspec.DecodeError."""
    return _read(_decode_outbox, body).outbox


def _read(decode: Callable[[bytes], Stored], body: bytes) -> Stored:
    try:
        return decode(body)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(f"nested too deeply, or no text: {error}") from error


def digest_of(event_id: str) -> str:
    """Return what a row that counts remembers of `event_id`."""
    return b64encode(blake2b(event_id.encode(), digest_size=DIGEST_BYTES).digest()).decode()


class _Offsets(msgspec.Struct):
    """Of a stored row, the applied offsets alone."""

    applied_offsets: dict[str, int] = msgspec.field(name="f", default_factory=dict[str, int])


class _Outbox(msgspec.Struct):
    """Of a stored row, the outbox alone."""

    outbox: tuple[OutboxEntry, ...] = msgspec.field(name="o", default=())


_decode_offsets = msgspec.json.Decoder(_Offsets).decode
_decode_outbox = msgspec.json.Decoder(_Outbox).decode
_encode = msgspec.json.Encoder(order="deterministic").encode


@cache
def _decoder(_name: str, shape: Any) -> msgspec.json.Decoder[Row[object]]:
    return msgspec.json.Decoder(Row[shape])
