"""Which log was applied: what a commit's metadata and a row of each table partition say of it."""

from collections.abc import Collection, Iterable, Mapping

import msgspec
from aiokafka import TopicPartition

from app.kafka.logs import LogIdentity, PlaceFacts


class AppliedLog(msgspec.Struct, frozen=True, kw_only=True):
    """The log of a topic that rows have applied, or that an offset was committed in."""

    identity: LogIdentity = msgspec.field(name="l")
    epoch: int = msgspec.field(name="e", default=0)
    """When an operator last adopted it (seconds since 1970); 0: never. Applied offsets of another
    epoch do not count."""
    adopted: bool = msgspec.field(name="a", default=False)
    """On a commit: the rows need not know this log, they are to take it."""
    before: int = msgspec.field(name="b", default=0)
    """On a commit that is adopted: the epoch before."""
    produced: int | None = msgspec.field(name="p", default=None)
    """On a commit that is adopted: the offset before which all was produced in the epoch before;
    None: nothing says it, or it goes on where it was."""
    stored: int | None = msgspec.field(name="s", default=None)
    """On a commit: the offset of the changelog before which the rows of the partition are stored.
    Once adopted it says that there are rows somewhere; None: nothing says it, or it goes on without
    them."""
    joined: bool = msgspec.field(name="j", default=False)
    """On a commit: the service had never run before. Others of its workers may say it by that."""


AppliedLogs = dict[str, AppliedLog]
"""By topic: what the rows of one partition have applied, and their changelog."""


def mark_of(log: AppliedLog) -> str:
    """Return the metadata of a commit in `log`."""
    return msgspec.json.encode(log).decode()


def log_of_mark(metadata: str) -> AppliedLog | None:
    """Return the log that a commit's metadata names; None: Payflow did not commit it."""
    try:
        return msgspec.json.decode(metadata, type=AppliedLog)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def marks_of(facts: Mapping[TopicPartition, PlaceFacts]) -> dict[tuple[str, int], AppliedLog]:
    """Return what Payflow has committed of each of `facts`, by topic and partition."""
    marks = ((place, log_of_mark(each.metadata)) for place, each in facts.items())
    return {(at.topic, at.partition): mark for at, mark in marks if mark is not None}


def has_run(metadata: Collection[str], ends: Iterable[int], rows: Iterable[AppliedLogs]) -> bool:
    """Return whether a service has run before this start.

    `metadata` is that of every commit of its group, `ends` are those of all topics that only it
    writes, `rows` say which logs its tables remember. The offsets of a group expire together, and
    leave no trace; the end of a topic never falls.
    """
    marks = [log_of_mark(each) for each in metadata]
    if marks:
        # Another worker of this start may have committed, and even produced, a moment ago.
        return not any(mark is not None and mark.joined for mark in marks)
    return any(ends) or any(rows)


def encode_logs(logs: AppliedLogs) -> bytes:
    """Return the row of a table partition that says which logs its rows have applied."""
    return msgspec.json.encode(dict(sorted(logs.items())))


def decode_logs(body: bytes | None) -> AppliedLogs:
    """Return what such a row says; nothing when there is none."""
    return msgspec.json.decode(body, type=AppliedLogs) if body else {}


def vouches(facts: PlaceFacts) -> bool:
    """Return whether Payflow has committed in just this log, at an offset that is still there."""
    mark = log_of_mark(facts.metadata)
    return (
        facts.committed is not None
        and mark is not None
        and mark.identity.is_same(facts.log.identity)
        and facts.begin <= facts.committed <= facts.end
    )
