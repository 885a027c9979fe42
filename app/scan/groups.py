"""Who reads: consumer groups, their members, what each is assigned, and how far behind they are."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from app.config import Config
from app.inspection import InspectionError, reader
from app.scan.facts import asking

AGES_SECONDS_MAX = 3.0
"""How long the next records of one group may be waited for; without one, no age is said."""
READ_MS = 200
FETCH_BYTES_MAX = 16_384
"""One record of each partition is enough, and one always comes, however long it is."""


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """How far a group is on one partition. `committed` -1: it has said nothing yet."""

    topic: str
    partition: int
    committed: int
    end: int
    lag: int
    seconds: float | None
    """How old the next record is that it has to read; 0 at the end, None when not known."""


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
    async with asking(config) as admin, reader(config, FETCH_BYTES_MAX) as consumer:
        names = sorted({group[0] for group in await admin.list_consumer_groups()})
        if only and only not in names:
            there_are = ", ".join(names)[:500] or "none"
            raise InspectionError(f"there is no group {only!r}; there are: {there_are}")
        wanted = [only] if only else names
        described = await _described(admin, wanted)
        there = {
            TopicPartition(topic["topic"], partition["partition"])
            for topic in await admin.describe_topics()
            for partition in topic["partitions"]
        }
        return [await _group(admin, consumer, described[name], there) for name in wanted]


async def _described(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        # One each: aiokafka 0.14 asks in version 3 and reads the answer as version 2, which lacks
        # what stands between one group and the next.
        for answer in await admin.describe_consumer_groups([name]):
            found |= {group[1]: group for group in answer.groups}
    return found


async def _group(
    admin: AIOKafkaAdminClient, consumer: Any, said: Any, there: Collection[TopicPartition]
) -> Group:
    name = said[1]
    offsets = await admin.list_consumer_group_offsets(name)
    committed = {place: known.offset for place, known in offsets.items()}
    for place in (place for each in said[5] for place in _assigned(each)):
        # Tables follow their changelogs as members do, and commit nothing: that is no lag.
        if not place.topic.endswith("-changelog"):
            committed.setdefault(place, -1)
    # Groups remember topics that have been deleted.
    known = [place for place in committed if place in there]
    end = await consumer.end_offsets(known) if known else {}
    begin = await consumer.beginning_offsets(known) if known else {}
    behind = _behind(committed, begin, end)
    ages = await _ages(consumer, {p: begin[p] if committed[p] < 0 else committed[p] for p in known})
    partitions = tuple(
        msgspec.structs.replace(each, seconds=ages.get(place) if each.lag else 0.0)
        for place, each in behind.items()
    )
    seconds = [each.seconds for each in partitions if each.seconds is not None]
    return Group(
        name=name,
        state=said[2],
        lag=sum(each.lag for each in partitions),
        seconds=max(seconds) if len(seconds) == len(partitions) and seconds else None,
        members=tuple(_member(each) for each in said[5]),
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
            lag=max(end[place] - max(committed[place], begin[place]), 0),
            seconds=None,
        )
        for place in sorted(end)
    }


async def _ages(consumer: Any, following: Mapping[TopicPartition, int]) -> dict[Any, float]:
    """Return how old the first record from each of these offsets on is, of those that come soon."""
    ends = await consumer.end_offsets(list(following)) if following else {}
    waited = {place for place, at in following.items() if at < ends[place]}
    consumer.assign(sorted(waited))
    for place in waited:
        consumer.seek(place, following[place])
    ages: dict[Any, float] = {}
    deadline_s = time.monotonic() + AGES_SECONDS_MAX
    while waited and time.monotonic() < deadline_s:
        for place, records in (await consumer.getmany(timeout_ms=READ_MS)).items():
            if place in waited and records:
                ages[place] = max(round(time.time() - records[0].timestamp / 1_000, 3), 0.0)
        arrived = waited & set(ages)
        consumer.pause(*arrived)
        waited -= arrived
    return ages


def _member(said: Any) -> Member:
    member_id, client, host = said[0], said[-4], said[-3]
    assigned = tuple(f"{place.topic}/{place.partition}" for place in sorted(_assigned(said)))
    return Member(id=member_id, client=client, host=host, assigned=assigned)


def _assigned(said: Any) -> Iterable[TopicPartition]:
    """Return what a member reads; a group that is no consumer's has its own form, unread."""
    if not said[-1]:
        return []
    try:
        return ConsumerProtocolMemberAssignment.decode(said[-1]).partitions()
    except (ValueError, TypeError, IndexError, UnicodeDecodeError):
        return []
