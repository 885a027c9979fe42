"""Kafka records as plain values, and what their headers say of retries, redrives and failures."""

import hashlib
from collections.abc import Sequence
from typing import Protocol, Self

import msgspec

from app.wire.envelope import Headers, whole
from app.wire.topics import topic_name

RETRY_ATTEMPT = "x-retry-attempt"
RETRY_DUE_MS = "x-retry-due-ms"
RETRY_OVERDUE = "x-retry-overdue"
"""How often in a row a copy came back while the first of its key was long overdue."""
ORIGIN = "x-origin"
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
        batch = super().__new__(cls, body)
        batch.first, batch.last, batch.reason = first, last, reason
        return batch


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


def size_of(record: Record | Outgoing) -> int:
    """Return how many bytes a batch of only `record` has at most, but for its own header."""
    parts = [record.key, record.value, *(value for _, value in record.headers)]
    names = sum(len(name.encode()) + 10 for name, _ in record.headers)
    return sum(len(part or b"") for part in parts) + names


def attempts(record: Record) -> int:
    """Return how many new tries this record has had: 0 for one read from its own topic."""
    return whole(header(record, RETRY_ATTEMPT))


def times_overdue(record: Record) -> int:
    """Return how often in a row this copy came back while the first of its key was overdue."""
    # In any other topic it has not come back, whatever its headers claim.
    return whole(header(record, RETRY_OVERDUE)) if is_retry(record) else 0


def due_ms(record: Record | Outgoing) -> int:
    """Return when a record of a retry topic may be tried again; 0 for any other."""
    return whole(header(record, RETRY_DUE_MS))
