"""An event that cannot be handled now: a copy for a new try later, or a dead letter for ever."""

import hashlib
import traceback
from datetime import UTC, datetime

import msgspec

from app.wire.byte_limits import BODY_BYTES_MAX, DEAD_LETTER_BYTES_MAX
from app.wire.envelope import Headers
from app.wire.records import (
    DEAD_BYTES,
    DEAD_DIGEST,
    DEAD_TRUNCATED,
    ORIGIN,
    RETRY_ATTEMPT,
    RETRY_DUE_MS,
    RETRY_OVERDUE,
    Outgoing,
    Record,
    digest,
    header,
    size_of,
)
from app.wire.topics import RETRY_LEVELS_SECONDS, dead_topic, first_topic_of, retry_topics

KEPT_BYTES_MAX = BODY_BYTES_MAX
"""Of a record that is longer than a dead letter: the beginning of its key and of its body."""
KEPT_HEADERS_MAX, KEPT_HEADER_BYTES_MAX = 200, 2_000


def to_retry(  # noqa: PLR0913  a retry says when, why and where it belongs
    record: Record,
    service: str,
    attempt: int,
    now_ms: int,
    cause: str,
    first_topic: str = "",
    times_overdue: int = 0,
) -> Outgoing:
    """Return `record` on its way to try number `attempt` (1 is the first new try).

    `first_topic` is the topic it was first received on; empty: the one it was read from says it.
    `times_overdue`: how often in a row it has found the first of its key overdue.
    """
    level = min(max(attempt, 1), len(RETRY_LEVELS_SECONDS)) - 1
    due_ms = now_ms + RETRY_LEVELS_SECONDS[level] * 1_000
    added = [
        (RETRY_ATTEMPT, str(attempt).encode()),
        (RETRY_DUE_MS, str(due_ms).encode()),
        (ORIGIN, record.origin.encode()),
        ("x-retry-cause", cause.encode()[:500]),
    ]
    if times_overdue:
        added.append((RETRY_OVERDUE, str(times_overdue).encode()))
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
    dead_record = _truncate(record)
    added = [
        ("x-dead-cause", cause.encode()[:100]),
        ("x-dead-detail", detail.encode()[:1_000]),
        ("x-dead-stack", stack.encode()),
        (DEAD_BYTES, b"none" if record.value is None else str(len(record.value)).encode()),
        (DEAD_DIGEST, digest(record).hex().encode()),
        (DEAD_TRUNCATED, b"no" if dead_record is record else b"yes"),
        ("x-dead-service", service.encode()),
        ("x-dead-room", agent.encode()),
        ("x-dead-origin", record.origin.encode()),
        ("x-dead-time", datetime.fromtimestamp(now_ms / 1_000, UTC).isoformat().encode()),
        ("x-dead-attempts", (header(record, RETRY_ATTEMPT) or "0").encode()),
    ]
    return Outgoing(
        topic=dead_topic(first_topic or first_topic_of(record.topic, service), service),
        key=dead_record.key,
        value=dead_record.value,
        headers=_with(dead_record, added),
    )


def stack_fingerprint(error: BaseException) -> str:
    """Return a fingerprint of the place that raised `error`: equal errors share it."""
    frames = traceback.extract_tb(error.__traceback__)
    places = "|".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.name}" for frame in frames)
    return hashlib.sha256(f"{type(error).__name__}|{places}".encode()).hexdigest()[:12]


def _truncate(record: Record) -> Record:
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


def _with(record: Record, added: Headers) -> Headers:
    names = {name for name, _ in added} | {RETRY_OVERDUE}
    return [(name, value) for name, value in record.headers if name not in names] + added
