"""Requests that come at once are all published, and share batches."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaProducer

from app.config import Config
from app.kafka.admin import TopicSpec, client_options, ensure_topics
from app.wire.envelope import Envelope
from app.wire.topics import partitions_of
from app.worker.local_producer import LocalProducer
from tests.support.workers import read
from workflows.order.messages import OrderCancelRequested
from workflows.shared.message import Message, type_name
from workflows.shared.topic import topic_of

REQUESTS = 1_000


def message_of(number: int) -> tuple[Message, Envelope]:
    """Return what a request of its own order publishes."""
    message = OrderCancelRequested(order_id=f"burst-{number}")
    envelope = Envelope(
        id=f"burst-{number}",
        type=type_name(OrderCancelRequested),
        source="/test",
        time_ms=1_000_000,
        subject=message.order_id,
        correlation_id=message.order_id,
    )
    return message, envelope


async def test_a_thousand_requests_at_once_are_all_published(kafka_config: Config) -> None:
    """Each is acknowledged; one batch for each kept most of them waiting until they failed."""
    messages = [message_of(number) for number in range(REQUESTS)]
    topic = topic_of(messages[0][0]).name
    partitions = partitions_of(topic, kafka_config)
    await ensure_topics(kafka_config, [TopicSpec(name=topic, partitions=partitions)])
    producer = AIOKafkaProducer(acks="all", **client_options(kafka_config))
    app: Any = SimpleNamespace(producer=SimpleNamespace(_producer=producer))
    local = LocalProducer(app, kafka_config)
    await producer.start()
    try:
        await asyncio.gather(*(local.publish(*each) for each in messages))
    finally:
        await producer.stop()

    keys = {record.key for record in await read(kafka_config, topic, partitions)}
    assert {message.order_id.encode() for message, _ in messages} <= keys
