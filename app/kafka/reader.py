"""Reading topics without joining a group: to their ends as they are now, or for ever."""

import asyncio
import copy
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.errors import KafkaError

from app.config import Config
from app.kafka.admin import admin_client, client_options, start_client, stop_consumer
from app.kafka.errors import NoSuchTopic
from app.kafka.positions import Answer, Reach
from app.wire.byte_limits import FETCH_BYTES_MAX
from app.wire.records import Consumed
from app.wire.topics import partitions_of

__all__ = ["AIOKafkaConsumer", "TopicPartition"]

FETCH_RECORDS_MAX = 5_000
FETCH_MS = 500
STALL_SECONDS_MAX = 30.0
"""Without a record for so long, a topic counts as unreadable."""
ISOLATION_LEVEL = "read_committed"
"""What was aborted never happened; what is undecided is read once it is decided. The end of a topic
is then its last stable offset, so that an open transaction holds nobody up who reads to the end."""


class ReadStalled(KafkaError):
    """A topic gave no records, though it has not been read to its end."""


def consumer_options(config: Config) -> dict[str, Any]:
    """Return what every consumer of Payflow is made with, in workers and outside."""
    return {**client_options(config), "isolation_level": ISOLATION_LEVEL}


@asynccontextmanager
async def reader(
    config: Config, fetch_bytes: int = FETCH_BYTES_MAX, **options: Any
) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer without a group: reading changes nothing. `options` are aiokafka's."""
    settings: dict[str, Any] = {
        "enable_auto_commit": False,
        # When the record was deleted since, start at the next one that is left, not at the end.
        "auto_offset_reset": "earliest",
        "max_partition_fetch_bytes": fetch_bytes,
        "fetch_max_wait_ms": 100,
    }
    consumer = AIOKafkaConsumer(**consumer_options(config) | settings | options)
    try:
        await start_client(consumer)
        yield consumer
    finally:
        await stop_consumer(consumer)


async def span(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Return the first offset of each of `places`, and the one behind its last."""
    begins = await begins_of(consumer, places)
    return begins, await consumer.end_offsets(places) if places else {}


async def begins_of(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """Return the first offset of each of `places`, which are assigned and paused then."""
    if not places:
        return {}
    # For assigned topics aiokafka asks for the leaders once; for others, once for each.
    consumer.assign(places)
    consumer.pause(*places)
    return await consumer.beginning_offsets(places)


async def high_watermarks(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], timeout_ms: int | None
) -> Mapping[TopicPartition, int]:
    """Return the offset behind the last record of each of `places`, decided or not.

    Our own rows that were acknowledged behind a transaction that somebody left open count.
    """
    if not places:
        return {}
    fetcher = copy.copy(consumer._fetcher)  # noqa: SLF001  only its level differs
    assert fetcher is not None, "the consumer has started"
    fetcher._isolation_level = READ_UNCOMMITTED  # noqa: SLF001
    return await fetcher.end_offsets(places, timeout_ms)


async def read_to_end(
    consumer: AIOKafkaConsumer,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> AsyncIterator[Consumed]:
    """Yield every record of each partition from `starts` to before `ends`, as aiokafka gives it.

    Of one partition in order, of several as they come. Raises ReadStalled.
    """
    todo = {place for place, start in starts.items() if start < ends[place]}
    # Between an assignment and a seek nothing may wait: the fetcher would choose a place itself.
    consumer.assign(list(todo))
    for place in todo:
        consumer.seek(place, starts[place])
    loop = asyncio.get_running_loop()
    moved_at = loop.time()
    reach: Reach[TopicPartition] = Reach()
    while todo:
        fetched = await consumer.getmany(timeout_ms=FETCH_MS, max_records=FETCH_RECORDS_MAX)
        for place, records in fetched.items():
            for record in records:
                if record.offset < ends[place]:
                    yield record
            moved_at = loop.time()
        for place, offset in (await reached(consumer, todo, reach, fetched)).items():
            if offset >= ends[place]:
                todo.discard(place)
                consumer.pause(place)
        if todo and loop.time() - moved_at > STALL_SECONDS_MAX:
            raise ReadStalled(f"{min(todo).topic} gave no records for {STALL_SECONDS_MAX:.0f} s")


async def reached(
    consumer: AIOKafkaConsumer,
    places: Iterable[TopicPartition],
    reach: Reach[TopicPartition],
    fetched: Mapping[TopicPartition, Sequence[Consumed]],
) -> dict[TopicPartition, int]:
    """Return how far `places` are read, now that `consumer` has given what it `fetched`."""
    answers = {
        place: Answer(
            position=await consumer.position(place),
            answered_ms=consumer.last_poll_timestamp(place) or 0,
            end=consumer.last_stable_offset(place) or 0,
        )
        for place in places
    }
    return reach.observe(answers, any(fetched.values()))


async def follow(
    config: Config, topic: str, starts: Mapping[TopicPartition, int] | None = None
) -> AsyncGenerator[tuple[Consumed, bool]]:
    """Yield every record of `topic` from `starts` (its beginning), for ever, and whether it is new.

    Records from before the call are not new. Raises NoSuchTopic.
    """
    places = await places_of(config, topic)
    async with reader(config) as consumer:
        begin, end = await span(consumer, places)
        for place in places:
            consumer.seek(place, (starts or begin).get(place, begin[place]))
        consumer.resume(*places)
        async for record in consumer:
            yield record, record.offset >= end[TopicPartition(topic, record.partition)]


async def partitions(config: Config) -> dict[str, list[int]]:
    """Return the partitions of every topic."""
    async with admin_client(config) as admin:
        described = await admin.describe_topics()
    return {
        topic["topic"]: sorted(partition["partition"] for partition in topic["partitions"])
        for topic in described
    }


def declared_places(topic: str, config: Config) -> list[TopicPartition]:
    """Return the partitions with which `topic` is declared, without asking the broker."""
    return [TopicPartition(topic, at) for at in range(partitions_of(topic, config))]


async def places_of(config: Config, topic: str) -> list[TopicPartition]:
    """Return the partitions of `topic`. Raises NoSuchTopic."""
    partitions_by_topic = await partitions(config)
    if topic not in partitions_by_topic:
        raise NoSuchTopic(f"there is no topic {topic!r}; see: payflow topics ls")
    return [TopicPartition(topic, at) for at in partitions_by_topic[topic]]
