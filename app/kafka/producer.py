"""Producing whole batches through aiokafka's batch API, acknowledged together."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from app.config import Config
from app.kafka.admin import client_options, start_client
from app.wire.records import Outgoing
from app.wire.signing import signed
from app.wire.topics import partitions_of

_partitioner = DefaultPartitioner()
METADATA_TRIES = 3
"""How often a broker is asked where a topic lies, a request timeout (40 s) each time."""
KEYS_MAX = 1 << 16
"""Keys whose partition is remembered: the hash is computed in Python."""


@lru_cache(maxsize=KEYS_MAX)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of `key` (murmur2, as every Kafka client that is not librdkafka)."""
    every = list(range(partitions))
    return int(_partitioner(key, every, every))


def place_of(topic: str, key: bytes | None, config: Config) -> int:
    """Return the partition of `topic` that a record of `key` belongs to."""
    return partition_of(key or b"", partitions_of(topic, config))


@asynccontextmanager
async def open_producer(config: Config, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """Open an idempotent producer outside a worker. `options` are aiokafka's."""
    producer = AIOKafkaProducer(
        acks="all", enable_idempotence=True, **client_options(config), **options
    )
    try:
        await start_client(producer)
        yield producer
    finally:
        await producer.stop()


async def produce_signed(
    producer: AIOKafkaProducer, records: Sequence[Outgoing], config: Config
) -> None:
    """Sign `records` and produce them; return once all are acknowledged. Raises KafkaError."""
    await produce(producer, [signed(each, config.signing_key) for each in records], config)


async def produce(
    producer: AIOKafkaProducer, records: Sequence[Outgoing], config: Config
) -> dict[tuple[str, int], int]:
    """Produce `records` in batches, in order per partition; return once all are acknowledged.

    Returns the highest offset by topic and partition. Raises KafkaError when one is refused.
    """
    grouped: dict[tuple[str, int], list[Outgoing]] = {}
    for record in records:
        partition = record.partition
        if partition is None:
            partition = place_of(record.topic, record.key, config)
        grouped.setdefault((record.topic, partition), []).append(record)
    pending: list[tuple[tuple[str, int], asyncio.Future[RecordMetadata]]] = []
    for place, members in grouped.items():
        pending.extend([(place, sent) async for sent in _send(producer, place, members)])
    highest: dict[tuple[str, int], int] = {}
    for place, sent in pending:
        metadata = await sent
        highest[place] = max(metadata.offset, highest.get(place, -1))
    return highest


async def _send(
    producer: AIOKafkaProducer, place: tuple[str, int], members: Sequence[Outgoing]
) -> AsyncGenerator[asyncio.Future[RecordMetadata]]:
    topic = place[0]
    batch = producer.create_batch()
    for record in members:
        fields = {"key": record.key, "value": record.value, "headers": record.headers}
        if batch.append(timestamp=None, **fields) is None:
            yield await _send_batch(producer, batch, place)
            batch = producer.create_batch()
            if batch.append(timestamp=None, **fields) is None:
                raise ValueError(f"a record of {topic} does not fit an empty batch")
    yield await _send_batch(producer, batch, place)


async def _send_batch(
    producer: AIOKafkaProducer, batch: BatchBuilder, place: tuple[str, int]
) -> asyncio.Future[RecordMetadata]:
    """Hand `batch` over; raises UnknownTopicOrPartitionError when there is no such topic.

    aiokafka raises the same when a broker that stands still does not say where the topic lies: then
    nothing was handed over, and it is asked again.
    """
    topic, partition = place
    for _ in range(METADATA_TRIES - 1):
        with suppress(UnknownTopicOrPartitionError):
            return await producer.send_batch(batch, topic, partition=partition)
    return await producer.send_batch(batch, topic, partition=partition)
