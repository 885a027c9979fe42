"""Reading topics without joining a group: a consumer, and which partitions there are."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.config import Config
from app.kafka.admin import client_options, start_client, stop_consumer

FETCH_BYTES_MAX = 4 << 20


class InspectionError(RuntimeError):
    """There is no such topic or record; the message names it."""


class NoSuchTopic(InspectionError):
    """There is no such topic; the message names it."""


@asynccontextmanager
async def reader(
    config: Config, fetch_bytes: int = FETCH_BYTES_MAX
) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer without a group: looking changes nothing."""
    consumer = AIOKafkaConsumer(
        **client_options(config),
        enable_auto_commit=False,
        # Where a record has been deleted since: the next that is left, not the end.
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=fetch_bytes,
        fetch_max_wait_ms=100,
    )
    try:
        await start_client(consumer)
        yield consumer
    finally:
        await stop_consumer(consumer)


async def span(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Return where each of `places` begins and ends."""
    if not places:
        return {}, {}
    # Of topics that it is assigned it asks once who leads them; of others, once for each.
    consumer.assign(places)
    consumer.pause(*places)
    return await consumer.beginning_offsets(places), await consumer.end_offsets(places)


async def followed(config: Config, topic: str) -> AsyncIterator[tuple[Any, bool]]:
    """Yield every record of `topic` from its beginning, for ever, and whether it is new.

    What lay there when the following began is not new. Raises NoSuchTopic.
    """
    places = await places_of(config, topic)
    async with reader(config) as consumer:
        begin, end = await span(consumer, places)
        for place in places:
            consumer.seek(place, begin[place])
        consumer.resume(*places)
        async for record in consumer:
            yield record, record.offset >= end[TopicPartition(topic, record.partition)]


async def partitions(config: Config) -> dict[str, list[int]]:
    """Return the partitions of every topic."""
    admin = AIOKafkaAdminClient(**client_options(config))
    try:
        await start_client(admin)
        described = await admin.describe_topics()
    finally:
        await admin.close()
    return {
        topic["topic"]: sorted(partition["partition"] for partition in topic["partitions"])
        for topic in described
    }


async def places_of(config: Config, topic: str) -> list[TopicPartition]:
    """Return the partitions of `topic`. Raises NoSuchTopic."""
    known = await partitions(config)
    if topic not in known:
        raise NoSuchTopic(f"there is no topic {topic!r}; see: payflow topics ls")
    return [TopicPartition(topic, at) for at in known[topic]]
