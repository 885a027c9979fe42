"""The messages on a topic, and messages of the console: whole, signed, up to the topic's end.

Reads topics up to their ends, joins no group. What it produces is signed like anything of the
instance; the same act has the same event id, so that it may be emitted again.
"""

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.config import Config
from app.kafka.admin import client_options, stop_consumer
from app.kafka.producer import produce
from app.wire import codecs
from app.wire.envelope import BadEnvelope, Envelope, derive_id, from_headers, to_headers
from app.wire.records import Outgoing, as_read
from app.wire.signing import is_signed, signed
from app.wire.topics import partitions_of
from workflows.shared.message import Message, type_name
from workflows.shared.topic import Topic, topic_of

READ_MS = 300


async def messages_of(config: Config, wanted: Sequence[Topic]) -> list[tuple[Envelope, Any]]:
    """Return every message of Payflow on `wanted`, by topic, in the order of each partition.

    What cannot be read, or is not of Payflow, is left out.
    """
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **client_options(config))
    await consumer.start()
    try:
        found: list[tuple[Envelope, Any]] = []
        for topic in wanted:
            count = partitions_of(topic.name, config)
            places = [TopicPartition(topic.name, at) for at in range(count)]
            ends = await consumer.end_offsets(places)
            begins = await consumer.beginning_offsets(places)
            for place in places:
                consumer.assign([place])
                consumer.seek(place, begins[place])
                while await consumer.position(place) < ends[place]:
                    for record in (await consumer.getmany(place, timeout_ms=READ_MS)).get(
                        place, []
                    ):
                        found += _read(record, config)
        return found
    finally:
        await stop_consumer(consumer)


def _read(record: Any, config: Config) -> list[tuple[Envelope, Any]]:
    read = as_read(record)
    if not is_signed(read, config):
        return []
    try:
        envelope = from_headers(read.headers)
        return [(envelope, codecs.decode(read.value, envelope, read.key))]
    except (codecs.Poison, BadEnvelope):
        return []


async def publish(config: Config, messages: Sequence[Message], at_ms: int) -> None:
    """Produce `messages` as the console, at `at_ms`. Raises KafkaError."""
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **client_options(config))
    await producer.start()
    try:
        records = [
            signed(console_record(message, at_ms), config.signing_key) for message in messages
        ]
        await produce(producer, records, config)
    finally:
        await producer.stop()


def console_record(message: Message, at_ms: int) -> Outgoing:
    """Return `message` as an unsigned record of the console: the same message, the same id."""
    topic, kind = topic_of(message), type_name(type(message))
    key = topic.key(message)
    envelope = Envelope(
        id=derive_id(kind, key, at_ms, codecs.encode(message).hex()),
        type=kind,
        source="/payflow/console",
        time_ms=at_ms,
        subject=key,
        correlation_id=key[:128],
    )
    return Outgoing(
        topic=topic.name,
        key=key.encode(),
        value=codecs.encode(message),
        headers=to_headers(envelope),
    )
