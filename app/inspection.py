"""Reading topics without joining a group: what is there, from where to where, and dead letters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app import codecs, envelope
from app.admin import client_options, stop_consumer
from app.config import Config
from app.logs import MASK, PERSONAL

READ_MS = 500
FETCH_BYTES_MAX = 4 << 20


class InspectionError(RuntimeError):
    """There is no such topic or record; the message names it."""


class TopicSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One topic: how many partitions, and how many records lie in it."""

    name: str
    partitions: int
    records: int


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One record as people look at it; `body` is decoded where it can be, personal parts masked."""

    topic: str
    partition: int
    offset: int
    at_ms: int
    key: str
    headers: dict[str, str]
    type: str
    body: Any
    error: str = ""
    """Why the body could not be decoded."""
    text: str = ""
    """The body as text where it could not be decoded, or where bytes were asked for."""
    hexadecimal: str = ""
    """The very bytes, when they were asked for."""


@asynccontextmanager
async def reader(config: Config) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer without a group: looking changes nothing."""
    consumer = AIOKafkaConsumer(
        **client_options(config),
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
        fetch_max_wait_ms=100,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await stop_consumer(consumer)


async def topics(config: Config, *, internal: bool = False) -> list[TopicSummary]:
    """Return every topic by name; changelogs and Kafka's own only when `internal`."""
    async with reader(config) as consumer:
        known = await _partitions(config)
        return [
            await _summary(consumer, name, known[name])
            for name in sorted(known)
            if internal or not (name[0] == "_" or name.endswith("-changelog"))
        ]


async def _partitions(config: Config) -> dict[str, list[int]]:
    """Return the partitions of every topic."""
    admin = AIOKafkaAdminClient(**client_options(config))
    await admin.start()
    try:
        described = await admin.describe_topics()
    finally:
        await admin.close()
    return {
        topic["topic"]: sorted(partition["partition"] for partition in topic["partitions"])
        for topic in described
    }


async def _summary(consumer: AIOKafkaConsumer, name: str, partitions: list[int]) -> TopicSummary:
    places = [TopicPartition(name, at) for at in partitions]
    begin = await consumer.beginning_offsets(places)
    end = await consumer.end_offsets(places)
    records = sum(end[place] - begin[place] for place in places)
    return TopicSummary(name=name, partitions=len(places), records=records)


async def _places(config: Config, topic: str) -> list[TopicPartition]:
    known = await _partitions(config)
    if topic not in known:
        raise InspectionError(f"there is no topic {topic!r}; see: payflow topics ls")
    return [TopicPartition(topic, at) for at in known[topic]]


async def tail(
    config: Config, topic: str, *, limit: int, from_beginning: bool, follow: bool
) -> AsyncIterator[Shown]:
    """Yield records of `topic`: the first or the latest `limit`, and with `follow` what comes."""
    async with reader(config) as consumer:
        places = await _places(config, topic)
        consumer.assign(places)
        begin = await consumer.beginning_offsets(places)
        end = await consumer.end_offsets(places)
        for place in places:
            back = begin[place] if from_beginning else max(begin[place], end[place] - limit)
            consumer.seek(place, back)
        found: list[Any] = []
        while any([await consumer.position(place) < end[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=READ_MS)).values():
                found += records
        found.sort(key=lambda record: (record.timestamp, record.partition, record.offset))
        for record in found[:limit] if from_beginning else found[-limit:]:
            yield show(record)
        while follow:
            for records in (await consumer.getmany(timeout_ms=READ_MS)).values():
                for record in records:
                    yield show(record)


async def one(config: Config, topic: str, partition: int, offset: int) -> Shown:
    """Return one record with its very bytes; raises InspectionError when it is not there."""
    async with reader(config) as consumer:
        places = await _places(config, topic)
        place = TopicPartition(topic, partition)
        ends = await consumer.end_offsets(places)
        if place not in places or not 0 <= offset < ends[place]:
            raise InspectionError(f"{topic} has no record {partition}/{offset}")
        consumer.assign([place])
        consumer.seek(place, offset)
        record = await consumer.getone()
        if record.offset != offset:
            raise InspectionError(f"{topic} has no record {partition}/{offset} any more")
        return show(record, whole=True)


def show(record: Any, *, whole: bool = False) -> Shown:
    """Return `record` for people; with `whole` its bytes too, personal fields included."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    body, error = _decoded(record)
    value = record.value or b""
    return Shown(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at_ms=record.timestamp,
        key=(record.key or b"").decode(errors="replace"),
        headers=headers,
        type=headers.get("ce_type", ""),
        body=body,
        error=error,
        text=value.decode(errors="backslashreplace") if whole or error else "",
        hexadecimal=value.hex() if whole else "",
    )


def _decoded(record: Any) -> tuple[Any, str]:
    try:
        head = envelope.from_headers(record.headers)
        word = codecs.decode(record.value, head, record.key)
    except (codecs.Poison, envelope.BadEnvelope) as error:
        return None, str(error)
    body = msgspec.to_builtins(word)
    return {k: MASK if k in PERSONAL and v else v for k, v in body.items()}, ""
