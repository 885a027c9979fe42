"""Kafka records as plain values, and records for retry and dead topics made of them."""

import hashlib
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol, Self

import msgspec

from app.wire.byte_limits import BODY_BYTES_MAX, DEAD_LETTER_BYTES_MAX
from app.wire.envelope import Headers, whole
from app.wire.topics import (
    RETRY_LEVELS_SECONDS,
    dead_topic,
    first_topic_of,
    retry_topics,
    topic_name,
)

RETRY_ATTEMPT = "x-retry-attempt"
RETRY_DUE_MS = "x-retry-due-ms"
ORIGIN = "x-origin"
KEPT_BYTES_MAX = BODY_BYTES_MAX
"""Of a record that is longer than a dead letter: the beginning of its key and of its body."""
KEPT_HEADERS_MAX, KEPT_HEADER_BYTES_MAX = 200, 2_000
DEAD_BYTES = "x-dead-bytes"
"""How long the body was; `none`: there was none."""
DEAD_TRUNCATED = "x-dead-cut"
"""`yes` where only the beginning is kept."""
DEAD_DIGEST = "x-dead-digest"
"""The digest of key and body as they were, in hexadecimal."""
REDRIVE_ID = "x-redrive-id"
"""The id of one redrive of one dead letter: it stays with the record when it fails again."""
REDRIVE_OF = "x-redrive-of"
"""`topic/partition/offset` of the dead letter that was sent."""
REDRIVE_TOPIC = "x-redrive-topic"
"""The topic on which a redriven record was first received."""
UNREADABLE = "unreadable"
"""The cause of the dead letter of a batch that no reader understands."""
HISTORY = "x-dead-history"
"""JSON: the failures of earlier dead letters of the same event."""


class UnreadableBatch(bytes):
    """A batch of records that no reader understands, in the place of one record's body.

    Its bytes are those of the batch as far as it is known; `first` and `last` are its offsets.
    """

    first: int
    last: int
    reason: str

    def __new__(cls, body: bytes, *, first: int, last: int, reason: str) -> Self:
        """Return `body` with its offsets, and why it cannot be read."""
        made = super().__new__(cls, body)
        made.first, made.last, made.reason = first, last, reason
        return made


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it was read: bytes, untouched."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    at_ms: int = 0
    """When the broker took it (open topics) or its producer sent it (ms); 0: not known."""
    epoch: int = 0
    """When its log was adopted in the place of another (seconds since 1970); 0: never."""

    @property
    def source(self) -> str:
        """Return the name that applied offsets know its partition by."""
        return source_name(self.topic, self.partition, self.epoch)

    @property
    def origin(self) -> str:
        """Return `topic/partition/offset` of where it was first read."""
        here = f"{self.topic}/{self.partition}/{self.offset}"
        # In any other topic it is read for the first time, whatever its headers claim.
        return (header(self, ORIGIN) or here) if is_retry(self) or is_redriven(self) else here


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A record to be produced. `partition` None: the key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None


class Consumed(Protocol):
    """A record as an aiokafka consumer gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def source_name(topic: str, partition: int, epoch: int = 0) -> str:
    """Return `topic/partition`, with `~epoch` behind it for a log that was adopted."""
    return f"{topic}/{partition}~{epoch}" if epoch else f"{topic}/{partition}"


def read_source(source: str) -> tuple[str, int, int]:
    """Return topic, partition and epoch of the name of a source."""
    place, _, epoch = source.partition("~")
    topic, _, partition = place.rpartition("/")
    return topic, int(partition), int(epoch or 0)


def as_read(consumed: Consumed) -> Record:
    """Return what an aiokafka consumer gave, as a plain record."""
    return Record(
        topic=consumed.topic,
        partition=consumed.partition,
        offset=consumed.offset,
        key=consumed.key,
        value=consumed.value,
        headers=tuple(consumed.headers),
        at_ms=consumed.timestamp,
    )


def unreadable_text(record: "Record | Consumed", batch: UnreadableBatch) -> str:
    """Return where the unreadable `batch` lies that `record` stands for, and why it is unread."""
    place = f"{record.topic}/{record.partition}"
    return f"offsets {batch.first} to {batch.last} of {place} cannot be read: {batch.reason}"


def header(record: Record | Outgoing, name: str) -> str:
    """Return the header `name` as text, or the empty string."""
    for consumed, value in record.headers:
        if consumed == name:
            return (value or b"").decode(errors="replace")
    return ""


def event_id(sent: Outgoing) -> str:
    """Return the id of the event that `sent` carries, or nothing."""
    return next((value.decode() for name, value in sent.headers if name == "ce_id"), "")


def is_retry(record: Record) -> bool:
    """Return whether `record` was read from a retry topic."""
    return topic_name(record.topic).kind == "retry"


def is_redriven(record: Record) -> bool:
    """Return whether `record` was read from a redrive topic."""
    return topic_name(record.topic).kind == "redrive"


def to_retry(  # noqa: PLR0913  a retry says when, why and where it belongs
    record: Record, service: str, attempt: int, now_ms: int, cause: str, first_topic: str = ""
) -> Outgoing:
    """Return `record` on its way to try number `attempt` (1 is the first new try).

    `first_topic` is the topic it was first received on; empty: the one it was read from says it.
    """
    level = min(max(attempt, 1), len(RETRY_LEVELS_SECONDS)) - 1
    due_ms = now_ms + RETRY_LEVELS_SECONDS[level] * 1_000
    added = [
        (RETRY_ATTEMPT, str(attempt).encode()),
        (RETRY_DUE_MS, str(due_ms).encode()),
        (ORIGIN, record.origin.encode()),
        ("x-retry-cause", cause.encode()[:500]),
    ]
    return Outgoing(
        topic=retry_topics(first_topic or first_topic_of(record.topic, service), service)[level],
        key=record.key,
        value=record.value,
        headers=_with(record, added),
    )


def to_dead(  # noqa: PLR0913  a dead letter says who, why and where from
    record: Record,
    *,
    service: str,
    agent: str,
    cause: str,
    detail: str,
    stack: str,
    now_ms: int,
    first_topic: str = "",
) -> Outgoing:
    """Return `record` as a dead letter: its own bytes and headers, and the cause.

    `first_topic` is the topic it was first received on; empty: the one it was read from says it.
    """
    kept = _kept(record)
    added = [
        ("x-dead-cause", cause.encode()[:100]),
        ("x-dead-detail", detail.encode()[:1_000]),
        ("x-dead-stack", stack.encode()),
        (DEAD_BYTES, b"none" if record.value is None else str(len(record.value)).encode()),
        (DEAD_DIGEST, digest(record).hex().encode()),
        (DEAD_TRUNCATED, b"no" if kept is record else b"yes"),
        ("x-dead-service", service.encode()),
        ("x-dead-room", agent.encode()),
        ("x-dead-origin", record.origin.encode()),
        ("x-dead-time", datetime.fromtimestamp(now_ms / 1_000, UTC).isoformat().encode()),
        ("x-dead-attempts", (header(record, RETRY_ATTEMPT) or "0").encode()),
    ]
    return Outgoing(
        topic=dead_topic(first_topic or first_topic_of(record.topic, service), service),
        key=kept.key,
        value=kept.value,
        headers=_with(kept, added),
    )


def digest(record: Record) -> bytes:
    """Return a digest of the key and the body of `record`."""
    marked = b"".join(
        b"-" if part is None else b"+%d:%b" % (len(part), part)
        for part in (record.key, record.value)
    )
    return hashlib.blake2b(marked, digest_size=16).digest()


def digest_dead_lettered(dead_letter: Record) -> bytes:
    """Return the digest of the original record, also where the dead letter was truncated."""
    is_truncated = header(dead_letter, DEAD_TRUNCATED) == "yes"
    return bytes.fromhex(header(dead_letter, DEAD_DIGEST)) if is_truncated else digest(dead_letter)


def _kept(record: Record) -> Record:
    """Return `record`, truncated to what a dead topic accepts."""
    if size_of(record) <= DEAD_LETTER_BYTES_MAX:
        return record
    some = [
        (name[:KEPT_HEADER_BYTES_MAX], (value or b"")[:KEPT_HEADER_BYTES_MAX])
        for name, value in record.headers[:KEPT_HEADERS_MAX]
    ]
    key, value = (
        None if part is None else part[:KEPT_BYTES_MAX] for part in (record.key, record.value)
    )
    return msgspec.structs.replace(record, key=key, value=value, headers=tuple(some))


def size_of(record: Record | Outgoing) -> int:
    """Return how many bytes a batch of only `record` has at most, but for its own header."""
    parts = [record.key, record.value, *(value for _, value in record.headers)]
    names = sum(len(name.encode()) + 10 for name, _ in record.headers)
    return sum(len(part or b"") for part in parts) + names


def attempts(record: Record) -> int:
    """Return how many new tries this record has had: 0 for one read from its own topic."""
    return whole(header(record, RETRY_ATTEMPT))


def due_ms(record: Record | Outgoing) -> int:
    """Return when a record of a retry topic may be tried again; 0 for any other."""
    return whole(header(record, RETRY_DUE_MS))


def stack_fingerprint(error: BaseException) -> str:
    """Return a fingerprint of the place that raised `error`: equal errors share it."""
    frames = traceback.extract_tb(error.__traceback__)
    places = "|".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.name}" for frame in frames)
    return hashlib.sha256(f"{type(error).__name__}|{places}".encode()).hexdigest()[:12]


def _with(record: Record, added: Headers) -> Headers:
    names = {name for name, _ in added}
    return [(name, value) for name, value in record.headers if name not in names] + added
