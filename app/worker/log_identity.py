"""Whether the log that is read is the one that the rows have applied: pure, without a broker.

Rows drop what lies at or below their applied offsets. That is right in one log alone: in a topic
that was made again, or on another cluster, new events lie at old offsets (ADR 19). Two records say
which log it was: each table partition has a row of its own for it, which is in the changelog too,
and each commit carries it as its metadata.
"""

from collections.abc import Callable, Collection
from typing import ClassVar

import msgspec

from app.kafka.applied_logs import AppliedLog, AppliedLogs, log_of_mark
from app.kafka.logs import LogIdentity, PlaceFacts
from workflows.shared.errors import ErrorKind, PayflowError


class LogRefused(PayflowError):
    """The log is not the one that was applied, or not all of it; the message says what to do."""

    kind: ClassVar[ErrorKind] = "conflict"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One partition of a topic that an agent reads, and who reads it."""

    service: str
    topic: str
    partition: int
    partitions: int
    """How many partitions the topic is declared with."""


class RowsView(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of one partition say about one of its sources."""

    log: AppliedLog | None
    """None: they have not noted it yet."""
    highest: Callable[[int], int | None]
    """Returns the highest offset applied in an epoch, -1 for none; None: they cannot say."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where the reading of a source begins, and in which log and epoch."""

    log: AppliedLog
    offset: int
    is_committed: bool
    """Whether the group has committed just this already, as Payflow."""


def judge(
    source: Source, facts: PlaceFacts | None, rows: RowsView | None, *, has_run: bool = True
) -> Position:
    """Return where to go on in `source`. `rows` None: its agent keeps no rows.

    `has_run`: whether its service has run before. Raises LogRefused where going on would lose
    events or do them twice.
    """
    if facts is None:
        raise missing_topic(source)
    check_partitions(source, facts.log.partitions)
    mark = log_of_mark(facts.metadata) if facts.committed is not None else None
    log = _log(source, facts.log.identity, mark, rows)
    if facts.committed is None and not has_run:
        log = msgspec.structs.replace(log, joined=True)
    offset = _offset(source, facts, mark, log, rows)
    committed_log = msgspec.structs.replace(mark, stored=None) if mark is not None else None
    is_committed = facts.committed == offset and committed_log == log
    return Position(log=log, offset=offset, is_committed=is_committed)


def check_partitions(source: Source, partitions: int) -> None:
    """Raise LogRefused when the topic has another number of partitions than it is declared with."""
    if partitions != source.partitions:
        raise LogRefused(
            f"topic {source.topic} has {partitions} partitions, {source.service} was started with "
            f"{source.partitions}: keys lie in other partitions now than their rows. Operator: "
            f"stop Payflow, make the topic again with {source.partitions} partitions (what lies in "
            "it has to be put back by its key), or begin on a new cluster."
        )


def check_identity(source: Source, before: LogIdentity, now: LogIdentity) -> None:
    """Raise LogRefused when the topic is another log than it was."""
    if not before.is_same(now):
        raise _replaced(source, before, now)


def check_begin(source: Source, through: int, begin: int) -> None:
    """Raise LogRefused when what lies at `through`, the next to be read, was deleted."""
    if through < begin:
        raise _deleted(source, through, begin)


def check_end(source: Source, through: int, end: int) -> None:
    """Raise LogRefused when the log ends before `through`, which was read."""
    if through > end:
        raise _truncated(source, through, end)


def check_changelog(
    source: Source, before: AppliedLog | None, now: LogIdentity | None, *, is_adopted: bool
) -> bool:
    """Return whether a changelog is to be filled from its table on disk.

    `before` is what the table has noted of it. Raises LogRefused where nobody has adopted it.
    """
    if now is None:
        raise missing_topic(source)
    if before is None or before.identity.is_same(now):
        return False
    if not is_adopted:
        raise _replaced(source, before.identity, now)
    return True


def is_to_be_filled(
    source: Source, was: AppliedLogs, now: PlaceFacts | None, marks: Collection[AppliedLog]
) -> bool:
    """Return the same for a changelog `source` and the rows that a recovery has brought.

    `was` is what the rows have noted, `marks` what is committed of all that they are made of.
    Raises LogRefused also where rows that the group has stored are neither here nor in it.
    """
    is_taken = any(mark.adopted for mark in marks)
    identity = now.log.identity if now is not None else None
    if check_changelog(source, was.get(source.topic), identity, is_adopted=is_taken):
        return True
    stored = stored_of(marks)
    applied_log = was.get(source.topic)
    # What the rows have noted was stored in the changelog before, and is filled into this one.
    if stored is None or now is None or (applied_log is not None and applied_log.stored == stored):
        return False
    if is_taken and not was:
        raise _rows_elsewhere(source)
    if stored > now.end:
        raise _changelog_truncated(source, stored, now.end)
    return False


def check_stored(source: Source, stored: int, held: int) -> None:
    """Raise LogRefused when a table on disk was left behind where its partition was before."""
    if held < stored:
        raise _refused(
            source,
            f"had stored rows in it up to {stored}, and the table on this disk holds them up to "
            f"{held}: a newer one is on the disk of another machine",
            "Operator: start the worker that has it, or put its folder here. This one is taken by "
            "`--without-rows`: ",
        )


def stored_of(marks: Collection[AppliedLog]) -> int | None:
    """Return how far the rows are stored by what is committed of all that they are made of."""
    return max((mark.stored for mark in marks if mark.stored is not None), default=None)


def missing_topic(source: Source) -> LogRefused:
    """Return the refusal of a topic that the broker does not have."""
    return _refused(source, "is gone from the broker", "")


def raise_first(refused: Collection[LogRefused]) -> None:
    """Raise the first of `refused`, if there is one, with how many there are."""
    first, *others = [*refused] or [None]
    if first is not None:
        raise LogRefused(f"{first}{f' {len(others)} more are refused.' if others else ''}")


def _log(
    source: Source, identity: LogIdentity, mark: AppliedLog | None, rows: RowsView | None
) -> AppliedLog:
    """Return the log to go on in; raises LogRefused when it is not the one that was applied."""
    applied_log = rows.log if rows is not None else None
    if mark is not None:
        check_identity(source, mark.identity, identity)
        if mark.adopted:
            return AppliedLog(identity=identity, epoch=mark.epoch)
        if rows is not None and (applied_log is None or applied_log.epoch != mark.epoch):
            raise _refused(
                source,
                f"was read up to an offset that is committed, but the rows of {source.service} do "
                "not know it: their changelog has been lost or put back",
                "",
            )
    if applied_log is not None:
        check_identity(source, applied_log.identity, identity)
    before = applied_log or mark
    return AppliedLog(identity=identity, epoch=before.epoch if before is not None else 0)


def _offset(
    source: Source,
    facts: PlaceFacts,
    mark: AppliedLog | None,
    log: AppliedLog,
    rows: RowsView | None,
) -> int:
    """Return where to go on; raises LogRefused when something between was cut off or skipped."""
    committed, begin, end = facts.committed, facts.begin, facts.end
    if committed is None:
        if rows is None and begin and not log.joined:
            raise _expired(source, begin)
        highest = rows.highest(log.epoch) if rows is not None else None
        if highest is None or highest < 0:
            return begin
        check_end(source, highest + 1, end)
        check_begin(source, highest + 1, begin)
        return begin
    check_end(source, committed, end)
    check_begin(source, committed, begin)
    if mark is None and rows is not None and rows.log is not None:
        # Another client has set this offset. An earlier one is harmless: what rows have applied,
        # they drop.
        highest = rows.highest(log.epoch)
        if highest is not None:
            check_end(source, highest + 1, end)
        if highest is not None and committed > highest + 1:
            raise _refused(
                source,
                f"was set to offset {committed} by somebody else, and the rows of {source.service} "
                f"have applied it up to {highest}: what lies between may be skipped",
                f"Operator: set it back to {highest + 1}, or skip it: ",
            )
    return committed


def _replaced(source: Source, before: LogIdentity, now: LogIdentity) -> LogRefused:
    return _refused(
        source,
        f"is another log than the one that {source.service} has applied: it was {before}, it is "
        f"{now}. The topic was made again, or this is another cluster",
        "",
    )


def _truncated(source: Source, through: int, end: int) -> LogRefused:
    return _refused(
        source,
        f"ends at offset {end}, and {source.service} was through to {through}: it has been cut "
        "off, and new events would lie at offsets that count as applied",
        "",
    )


def _changelog_truncated(source: Source, stored: int, end: int) -> LogRefused:
    return _refused(
        source,
        f"ends at offset {end}, and {source.service} had stored rows in it up to {stored}: it has "
        "been cut off, and the table on this disk lacks them too",
        _advice(source),
    )


def _rows_elsewhere(source: Source) -> LogRefused:
    return _refused(
        source,
        f"holds no whole table, nor does this disk, and {source.service} has applied events: their "
        "rows are on the disk of another machine",
        _advice(source),
    )


def _advice(source: Source) -> str:
    return (
        "Operator: start the worker whose data folder has this partition of the table, alone until "
        f"it has logged `changelog filled from disk`. Is there none, `payflow adopt "
        f"{source.service} --without-rows` goes on with what the changelog holds, by event ids "
        "alone: "
    )


def _deleted(source: Source, first: int, begin: int) -> LogRefused:
    return _refused(
        source,
        f"begins at offset {begin}, and {source.service} was through to {first}: the events from "
        f"{first} to {begin - 1} were deleted before they were read",
        "Operator: put them back, or go on without them: ",
    )


def _expired(source: Source, begin: int) -> LogRefused:
    return _refused(
        source,
        f"begins at offset {begin}, and {source.service}, which has run before, has committed "
        "nothing of it: it was away for longer than its offsets are kept, and the events from 0 to "
        f"{begin - 1} are gone",
        "Operator: put them back, or go on without them: ",
    )


def _refused(source: Source, what: str, advice: str) -> LogRefused:
    return LogRefused(
        f"{source.topic}/{source.partition} {what}. {advice or 'Operator: '}stop Payflow and see "
        f"`payflow adopt {source.service} --dry-run` (docs/operators.md)."
    )
