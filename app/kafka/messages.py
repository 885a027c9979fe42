"""Reads all messages of topics, and produces signed messages as the console.

It reads topics up to their ends and joins no group. The same action has the same event id, so it
may be produced again.
"""

from collections.abc import Sequence

from app.config import Config
from app.kafka.producer import open_producer, produce_signed
from app.kafka.reader import declared_places, read_to_end, reader, span
from app.wire import codecs
from app.wire.envelope import Envelope, Undecodable, derive_id, from_headers, to_headers
from app.wire.records import Consumed, Outgoing, as_read
from app.wire.signing import is_signed
from workflows.shared.message import Message, type_name
from workflows.shared.topic import Topic, topic_of


async def messages_of(config: Config, topics: Sequence[Topic]) -> list[tuple[Envelope, Message]]:
    """Return every message of Payflow on `topics`, by topic, in the order of each partition.

    Records that cannot be decoded or have no valid signature are left out.
    """
    messages: list[tuple[Envelope, Message]] = []
    async with reader(config) as consumer:
        for topic in topics:
            begins, ends = await span(consumer, declared_places(topic.name, config))
            for place, begin in begins.items():
                async for record in read_to_end(consumer, {place: begin}, ends):
                    messages += _read(record, config)
    return messages


def _read(record: Consumed, config: Config) -> list[tuple[Envelope, Message]]:
    read = as_read(record)
    if not is_signed(read, config):
        return []
    try:
        envelope = from_headers(read.headers)
        return [(envelope, codecs.decode(read.value, envelope, read.key))]
    except Undecodable:
        return []


async def publish(config: Config, messages: Sequence[Message], at_ms: int) -> None:
    """Produce `messages` as the console, at `at_ms`.

    Raises Undecodable where one of them keeps no limit, and KafkaError.
    """
    records = [console_record(message, at_ms) for message in messages]
    for record in records:
        codecs.decode(record.value, from_headers(record.headers), record.key)
    async with open_producer(config) as producer:
        await produce_signed(producer, records, config)


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
