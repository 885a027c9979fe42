"""A consumer whose partitions are lists."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from app.operations.search.scan import Event, Found


class FakeRecord(NamedTuple):
    """A record as aiokafka gives it."""

    topic: str
    partition: int
    offset: int
    key: bytes = b"k"
    value: bytes | None = b"{}"
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 1


class FakeConsumer:
    """Partitions in lists; offsets without a record are gaps. Deals as `sizes` say."""

    def __init__(
        self, logs: Mapping[int, Sequence[FakeRecord]], ends: Mapping[int, int], sizes: Any
    ):
        self.logs, self.ends = logs, dict(ends)
        self.sizes = sizes
        self.at: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.late: list[FakeRecord] = []

    async def beginning_offsets(self, places: Sequence[TopicPartition]) -> dict[Any, int]:
        return {
            p: min([r.offset for r in self.logs[p.partition]], default=self.ends[p.partition])
            for p in places
        }

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[Any, int]:
        return {p: self.ends[p.partition] for p in places}

    async def offsets_for_times(self, times: Mapping[Any, int]) -> dict[Any, Any]:
        return {p: next((r for r in self.every(p) if r.timestamp >= times[p]), None) for p in times}

    def assign(self, places: Sequence[TopicPartition]) -> None:
        # What is not sought stands behind all, as aiokafka's reset would have it.
        self.at = dict.fromkeys(places, 1 << 60)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at[place] = offset

    def pause(self, *places: TopicPartition) -> None:
        self.paused |= set(places)

    async def position(self, place: TopicPartition) -> int:
        return self.at[place]

    def last_poll_timestamp(self, _place: TopicPartition) -> int:
        return 0

    def last_stable_offset(self, place: TopicPartition) -> int:
        return self.ends[place.partition]

    def every(self, place: TopicPartition) -> list[FakeRecord]:
        late = [r for r in self.late if r.partition == place.partition]
        return [*self.logs[place.partition], *late]

    async def getmany(self, *, max_records: int, **_: Any) -> dict[Any, list[FakeRecord]]:
        count = min(next(self.sizes), max_records)
        batch = {}
        for place, at in self.at.items():
            if place in self.paused:
                continue
            waiting = [r for r in self.every(place) if r.offset >= at]
            batch[place] = waiting[:count]
            left = waiting[count:]
            behind = max(self.ends[place.partition], at)
            after = batch[place][-1].offset + 1 if batch[place] else at
            # A batch may end in a gap: markers, what compaction took.
            self.at[place] = after if left else max(after, behind)
        return {place: records for place, records in batch.items() if records}


def places(topic: Any) -> list[TopicPartition]:
    return [TopicPartition("t", partition) for partition in topic[0]]


def at(events: Sequence[Event]) -> list[tuple[int, int]]:
    return [(e.record.partition, e.record.offset) for e in events if isinstance(e, Found)]
