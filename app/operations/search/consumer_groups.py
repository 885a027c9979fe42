"""Consumer groups: members, assignments and lag."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.config import Config
from app.kafka.admin import AIOKafkaAdminClient, admin_client
from app.kafka.errors import InspectionError
from app.kafka.groups import assigned_to, committed_offsets, described_group
from app.kafka.positions import Reach, lag
from app.kafka.reader import AIOKafkaConsumer, TopicPartition, reached, reader, span
from app.wire.topics import topic_name

AGES_SECONDS_MAX = 3.0
"""How long to wait for the next record of each group; without one its age is not known."""
READ_MS = 200
NO_RECORD = -1.0
"""The age of the next record where there is none."""
FETCH_BYTES_MAX = 16_384
"""One record of each partition is enough, and the broker always sends one, however long it is."""


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """The lag of a group on one partition. `committed` -1: it has committed nothing yet."""

    topic: str
    partition: int
    committed: int
    end: int
    lag: int
    seconds: float | None
    """The age of the next record that it has to read, in ms; 0 at the end, None when not known."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a group, and what it reads: `topic/partition`."""

    id: str
    client: str
    host: str
    assigned: tuple[str, ...]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer group; its lag is the sum of its partitions', in seconds the longest."""

    name: str
    state: str
    lag: int
    seconds: float | None
    members: tuple[Member, ...]
    partitions: tuple[Behind, ...]


async def groups(config: Config, only: str = "") -> list[Group]:
    """Return every group by name, or `only` that one. Raises InspectionError when it is not."""
    async with admin_client(config) as admin, reader(config, FETCH_BYTES_MAX) as consumer:
        names = sorted({group[0] for group in await admin.list_consumer_groups()})
        if only and only not in names:
            there_are = ", ".join(names)[:500] or "none"
            raise InspectionError(f"there is no group {only!r}; there are: {there_are}")
        requested_names = [only] if only else names
        described = await asyncio.gather(
            *(described_group(admin, name) for name in requested_names)
        )
        committed = await asyncio.gather(
            *(_committed(admin, description) for description in described)
        )
        there = {
            TopicPartition(topic["topic"], partition["partition"])
            for topic in await admin.describe_topics()
            for partition in topic["partitions"]
        }
        # Groups remember topics that have been deleted.
        places = sorted({place for each in committed for place in each if place in there})
        begin, end = await span(consumer, places)
        behind = [_behind(each, begin, end) for each in committed]
        ages = await _ages(consumer, [_next(each, begin) for each in behind], end)
        return [_group(*each) for each in zip(described, behind, ages, strict=True)]


async def _committed(admin: AIOKafkaAdminClient, description: Any) -> dict[TopicPartition, int]:
    committed = await committed_offsets(admin, description[1])
    for place in (place for each in description[5] for place in assigned_to(each)):
        # Tables are assigned their changelogs like topics, and commit nothing: they have no lag.
        if topic_name(place.topic).kind != "changelog":
            committed.setdefault(place, -1)
    return committed


def _group(
    description: Any, behind: Mapping[TopicPartition, Behind], ages: Mapping[TopicPartition, float]
) -> Group:
    partitions = tuple(
        _aged(each, ages.get(place) if each.lag else 0.0) for place, each in behind.items()
    )
    seconds = [each.seconds for each in partitions if each.seconds is not None]
    return Group(
        name=description[1],
        state=description[2],
        lag=sum(each.lag for each in partitions),
        seconds=max(seconds) if len(seconds) == len(partitions) and seconds else None,
        members=tuple(_member(each) for each in description[5]),
        partitions=partitions,
    )


def _behind(
    committed: Mapping[TopicPartition, int],
    begin: Mapping[TopicPartition, int],
    end: Mapping[TopicPartition, int],
) -> dict[TopicPartition, Behind]:
    return {
        place: Behind(
            topic=place.topic,
            partition=place.partition,
            committed=committed[place],
            end=end[place],
            lag=lag(committed[place], end[place], begin[place]),
            seconds=None,
        )
        for place in sorted(committed)
        if place in end
    }


def _next(
    behind: Mapping[TopicPartition, Behind], begin: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Return the offset of the next record that a group has to read, where there is one."""
    return {place: max(each.committed, begin[place]) for place, each in behind.items() if each.lag}


def _aged(behind: Behind, seconds: float | None) -> Behind:
    """Return `behind` with the age of its next record, and no lag where there is no record."""
    nothing = seconds == NO_RECORD
    return msgspec.structs.replace(
        behind, lag=0 if nothing else behind.lag, seconds=0.0 if nothing else seconds
    )


async def _ages(
    consumer: AIOKafkaConsumer,
    following: Sequence[Mapping[TopicPartition, int]],
    end: Mapping[TopicPartition, int],
) -> list[dict[TopicPartition, float]]:
    """Return, by group, how old the next records are, of those that come soon.

    NO_RECORD where none lies before `end`: what is left there are markers and holes.
    """
    ages: list[dict[TopicPartition, float]] = [{} for _ in following]
    deadline_s = time.monotonic() + AGES_SECONDS_MAX
    # Groups at different offsets of one partition are read in separate turns.
    for turn in _turns(following):
        consumer.assign(sorted(turn))
        for place, (offset, _) in turn.items():
            consumer.seek(place, offset)
        waited = set(turn)
        reach: Reach[TopicPartition] = Reach()
        while waited and time.monotonic() < deadline_s:
            fetched = await consumer.getmany(timeout_ms=READ_MS)
            age_by_place = {
                place: max(round(time.time() - records[0].timestamp / 1_000, 3), 0.0)
                for place, records in fetched.items()
                if place in waited and records
            }
            through = await reached(consumer, waited - age_by_place.keys(), reach, fetched)
            age_by_place |= dict.fromkeys(
                (p for p, at in through.items() if at >= end[p]), NO_RECORD
            )
            for place, age in age_by_place.items():
                for number in turn[place][1]:
                    ages[number][place] = age
            waited -= age_by_place.keys()
            consumer.pause(*age_by_place)
    return ages


def _turns(
    following: Sequence[Mapping[TopicPartition, int]],
) -> list[dict[TopicPartition, tuple[int, list[int]]]]:
    """Return, by turn and place, the offset to read and the numbers of the groups that need it."""
    readers: dict[TopicPartition, dict[int, list[int]]] = {}
    for number, offsets in enumerate(following):
        for place, offset in offsets.items():
            readers.setdefault(place, {}).setdefault(offset, []).append(number)
    most = max(map(len, readers.values()), default=0)
    return [
        {
            place: list(by_offset.items())[turn]
            for place, by_offset in readers.items()
            if turn < len(by_offset)
        }
        for turn in range(most)
    ]


def _member(description: Any) -> Member:
    member_id, client, host = description[0], description[-4], description[-3]
    assigned = tuple(
        f"{place.topic}/{place.partition}" for place in sorted(assigned_to(description))
    )
    return Member(id=member_id, client=client, host=host, assigned=assigned)
