"""A topic is read up to where it ended when the reading began, and no further."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from app.kafka import reader
from app.kafka.reader import ReadStalled, TopicPartition, read_to_end

ONE, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)


class FakeRecord(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


class Log:
    """A consumer over offsets that are there; the others were deleted or compacted away."""

    def __init__(
        self,
        offsets: Mapping[TopicPartition, Sequence[int]],
        *,
        silent: bool = False,
        hole: bool = False,
    ):
        self.offsets, self.silent, self.hole = offsets, silent, hole
        self.answers = 0
        self.at: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()

    def assign(self, places: Sequence[TopicPartition]) -> None:
        self.at = dict.fromkeys(places, 0)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at[place] = offset

    def pause(self, *places: TopicPartition) -> None:
        self.paused.update(places)

    async def position(self, place: TopicPartition) -> int:
        return self.at[place]

    def last_poll_timestamp(self, _place: TopicPartition) -> int:
        return self.answers

    def last_stable_offset(self, _place: TopicPartition) -> int:
        return 100

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[FakeRecord]]:
        if self.silent:
            return {}
        fetched = {}
        self.answers += 1
        for place in self.at.keys() - self.paused:
            rest = [offset for offset in self.offsets[place] if offset >= self.at[place]][:2]
            # Where whole batches were compacted away, no answer moves the position.
            self.at[place] = rest[-1] + 1 if rest else self.at[place] if self.hole else 100
            fetched[place] = [FakeRecord(*place, offset) for offset in rest]
        return fetched


async def read(log: Log, starts: dict[Any, int], ends: dict[Any, int]) -> dict[Any, list[int]]:
    offsets_by_place: dict[Any, list[int]] = {}
    async for record in read_to_end(log, starts, ends):
        offsets_by_place.setdefault(TopicPartition(record.topic, record.partition), []).append(
            record.offset
        )
    return offsets_by_place


@pytest.mark.parametrize(
    ("starts", "ends", "then"),
    [
        pytest.param({ONE: 0}, {ONE: 5}, {ONE: [0, 1, 4]}, id="a gap is passed over"),
        pytest.param({ONE: 1}, {ONE: 4}, {ONE: [1]}, id="what came later is left"),
        pytest.param({ONE: 0}, {ONE: 9}, {ONE: [0, 1, 4, 7]}, id="the end is a gap"),
        pytest.param({ONE: 4}, {ONE: 4}, {}, id="there is nothing new"),
        pytest.param(
            {ONE: 4, OTHER: 0}, {ONE: 8, OTHER: 2}, {ONE: [4, 7], OTHER: [0, 1]}, id="partitions"
        ),
    ],
)
async def test_a_topic_is_read_to_its_end(starts, ends, then):
    """Each partition in order, whatever offsets hold nothing."""
    log = Log({ONE: [0, 1, 4, 7], OTHER: [0, 1, 2, 3]})

    assert then == await read(log, starts, ends)


async def test_a_hole_at_the_end_is_the_end():
    """Compaction took the last batches: the broker answers, and there is nothing to fetch."""
    log = Log({ONE: [0, 1, 4], OTHER: []}, hole=True)

    assert {ONE: [0, 1, 4]} == await read(log, {ONE: 0, OTHER: 3}, {ONE: 50, OTHER: 9})


async def test_a_topic_that_gives_nothing_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
):
    """A broker that answers without records would otherwise hold up whoever asks."""
    monkeypatch.setattr(reader, "STALL_SECONDS_MAX", 0.0)

    with pytest.raises(ReadStalled, match="t gave no records"):
        await read(Log({}, silent=True), {ONE: 0}, {ONE: 5})
