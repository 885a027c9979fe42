"""The output of `payflow topics`: control characters of records are escaped."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from app.host.logs import escape_controls
from app.operations.search.consumer_groups import Group
from app.operations.search.record_view import RecordView
from app.operations.search.scan_events import Done, Why
from app.operations.search.topic_facts import TopicFacts
from app.wire.envelope import TIME_MS_MAX
from app.wire.json_output import json_bytes

BODY_CHARS_MAX = 160
STOPPED: dict[Why, str] = {
    "end": "at the end",
    "limit": "at the limit",
    "size": "at the limit of an answer",
    "time": "out of time",
    "runaway": "behind a record that takes too long",
    "cancelled": "by you",
}


def plain(text: str) -> str:
    """Return `text` with control characters escaped."""
    return str(escape_controls(None, "", {"": text})[""])


def topics_table(topics: Sequence[TopicFacts]) -> Table:
    """Return topics as a table."""
    table = Table("topic", "partitions", "records", "bytes", "retention", "clean-up", box=None)
    for topic in topics:
        table.add_row(
            Text(plain(topic.name)),
            str(len(topic.partitions)),
            f"{topic.records:,}",
            "-" if topic.bytes is None else f"{topic.bytes:,}",
            _span(topic.retention_ms),
            topic.cleanup,
        )
    return table


def partitions_table(topic: TopicFacts) -> Table:
    """Return the partitions of one topic as a table."""
    table = Table("partition", "begin", "end", "bytes", "leader", "in sync", box=None)
    for each in topic.partitions:
        size = "-" if each.bytes is None else f"{each.bytes:,}"
        in_sync = f"{len(each.in_sync)} of {len(each.replicas)}"
        row = (each.partition, each.begin, each.end, size, each.leader, in_sync)
        table.add_row(*map(str, row))
    return table


def groups_table(groups: Sequence[Group]) -> Table:
    """Return consumer groups as a table."""
    table = Table("group", "state", "members", "partitions", "lag", "seconds", box=None)
    for group in groups:
        row = (group.state, len(group.members), len(group.partitions), f"{group.lag:,}")
        table.add_row(Text(plain(group.name)), *map(str, row), _seconds(group.seconds))
    return table


def behind_table(group: Group) -> Table:
    """Return the offset of one group on each partition, and the member that reads it."""
    readers = {place: f"{m.client} {m.host}" for m in group.members for place in m.assigned}
    table = Table("partition", "committed", "end", "lag", "seconds", "read by", box=None)
    for each in group.partitions:
        place = f"{each.topic}/{each.partition}"
        row = (each.committed, each.end, each.lag, _seconds(each.seconds))
        table.add_row(Text(plain(place)), *map(str, row), Text(plain(readers.get(place, "nobody"))))
    return table


def line_of(record: RecordView) -> Text:
    """Return one record on a line: place, time, key, type, body."""
    # The producer sets the time of a record, and it may be no valid time.
    at_ms = min(max(record.at_ms, 0), TIME_MS_MAX)
    at = datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(sep=" ", timespec="milliseconds")
    body = json_bytes(record.body).decode() if record.body is not None else record.text
    wrong = f"  [{record.error}]" if record.error else ""
    place = f"{record.partition}/{record.offset}"
    return Text(
        plain(f"{place:<10}{at[:23]}  {record.key}  {record.type}  {body[:BODY_CHARS_MAX]}{wrong}")
    )


def coverage_line(done: Done) -> Text:
    """Return what a scan read, of how much, why it stopped, and where to go on."""
    of = sum(part.end - part.first for part in done.coverage)
    ranges = ", ".join(
        f"{part.partition}: {part.first}-{part.last} of {part.begin}-{part.end - 1}"
        if part.last >= part.first
        else f"{part.partition}: none of {part.end - part.begin}"
        for part in done.coverage
    )
    troubles = f", {done.unreadable} unreadable" if done.unreadable else ""
    if done.errors:
        troubles += f", {done.errors} on which the expression fails ({done.error})"
    line = (
        f"{done.matched} found in {done.scanned:,} records at {of:,} offsets{troubles}; "
        f"{len(done.coverage)} partitions ({ranges}); stopped {STOPPED[done.why]} "
        f"after {done.elapsed_seconds:.1f} s; go on with --cursor {done.cursor or '-'}"
    )
    return Text(plain(line))


def _span(ms: int | None) -> str:
    if ms is None:
        return "-"
    return "for ever" if ms < 0 else f"{ms / 86_400_000:g} d"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:,.1f}"
