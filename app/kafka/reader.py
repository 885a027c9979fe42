"""Reading topics without joining a group: who reads, which partitions, and one record as shown."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.config import Config
from app.kafka.admin import client_options, start_client, stop_consumer
from app.operations.search.masked_record import MaskedRecord

FETCH_BYTES_MAX = 4 << 20
BODY_BYTES_SHOWN_MAX = 50_000
"""Of a longer body only the beginning is shown, as text."""
TEXT_CHARS_SHOWN_MAX = 2_000


class InspectionError(RuntimeError):
    """There is no such topic or record; the message names it."""


class NoSuchTopic(InspectionError):
    """There is no such topic; the message names it."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One record as people look at it; `body` is its JSON if it is any, personal parts masked."""

    topic: str
    partition: int
    offset: int
    at_ms: int
    key: str
    headers: dict[str, str]
    type: str
    body: Any
    error: str = ""
    """Why it is no event of Payflow."""
    text: str = ""
    """The body as text where it is no JSON or too long; unmasked where bytes were asked for."""
    hexadecimal: str = ""
    """The very bytes, when they were asked for."""


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


async def one(config: Config, topic: str, partition: int, offset: int) -> Shown:
    """Return one record with its very bytes; raises InspectionError when it is not there."""
    async with reader(config) as consumer:
        places = await places_of(config, topic)
        place = TopicPartition(topic, partition)
        ends = await consumer.end_offsets(places)
        if place not in places or not 0 <= offset < ends[place]:
            raise InspectionError(f"{topic} has no record {partition}/{offset}")
        consumer.assign([place])
        consumer.seek(place, offset)
        record = await consumer.getone()
        if record.offset != offset:
            raise InspectionError(f"{topic} has no record {partition}/{offset} any more")
        return shown_of(MaskedRecord(record), whole=True)


def shown_of(masked: MaskedRecord, *, whole: bool = False) -> Shown:
    """Return `look` for people; with `whole` its bytes too, personal fields included."""
    record = masked.record
    value = record.value or b""
    cut = masked.broken or (len(value) > BODY_BYTES_SHOWN_MAX and not whole)
    text = masked.text[:TEXT_CHARS_SHOWN_MAX] if cut else ""
    return Shown(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at_ms=record.timestamp,
        key=masked.key,
        headers=masked.headers,
        type=masked.type,
        body=None if cut else masked.body,
        error=masked.error,
        text=value.decode(errors="backslashreplace") if whole else text,
        hexadecimal=value.hex() if whole else "",
    )
