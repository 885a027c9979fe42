"""A broker with every topic of Payflow and no worker."""

import time
from collections.abc import Sequence
from contextlib import closing

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.config import Config
from app.kafka.producer import partition_of
from app.kafka.reader import consumer_options
from app.local.simulators.provider_store import ProviderStore
from app.operations.verification.auditor import listeners
from app.registry import wanted_topics
from app.wire import codecs
from app.wire.envelope import Envelope, derive_id, to_headers
from app.wire.records import Outgoing
from app.wire.signing import signed
from app.wire.topics import load_topics
from workflows.shared.message import Message, type_name
from workflows.shared.topic import topic_of

load_topics()

NOW_MS = time.time_ns() // 1_000_000
LONG_AGO_MS = NOW_MS - 3_600_000


def emitted(message: Message, at_ms: int = LONG_AGO_MS, event_id: str = "") -> Outgoing:
    """Return `message` as it goes over the wire."""
    key = topic_of(message).key(message)
    envelope = Envelope(
        id=derive_id(event_id or repr(message)),
        type=type_name(type(message)),
        source="/test",
        time_ms=at_ms,
        subject=key,
        correlation_id=key,
    )
    outgoing = Outgoing(
        topic=topic_of(message).name,
        key=key.encode(),
        value=codecs.encode(message),
        headers=to_headers(envelope),
    )
    return signed(outgoing, Config().signing_key)


class Cluster:
    """A real cluster with the topics of Payflow and nobody at work in it."""

    def __init__(self, config: Config) -> None:
        self.config = config

    async def publish(self, records: Sequence[Outgoing], at_ms: int | None = None) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.config.broker_url)
        await producer.start()
        for record in records:
            single = record.topic.endswith(".dead")
            partition = 0 if single else partition_of(record.key or b"", self.config.partitions)
            await producer.send_and_wait(
                record.topic, record.value, record.key, partition, at_ms, headers=record.headers
            )
        await producer.stop()

    async def all_is_consumed(self) -> None:
        """Commit every service to the ends of what it reads."""
        for service, names in listeners().items():
            consumer = AIOKafkaConsumer(
                **consumer_options(self.config),
                group_id=f"payflow-{service}",
                enable_auto_commit=False,
            )
            await consumer.start()
            places = [
                TopicPartition(spec.name, partition)
                for spec in wanted_topics(self.config)
                if spec.name in names and ".retry-" not in spec.name
                for partition in range(spec.partitions)
            ]
            consumer.assign(places)
            await consumer.commit(await consumer.end_offsets(places))
            await consumer.stop()

    def charge(self, order_id: str, minor: int) -> None:
        """Let the provider's file say that it took `minor`."""
        store = ProviderStore(self.config.data_path / "provider.sqlite")
        with closing(store), store.writing() as books:
            books.execute(
                "INSERT INTO intents (id, order_id, amount_minor, currency, status, metadata,"
                " created_ms) VALUES (?, ?, ?, 'gbp', 'succeeded', ?, ?)",
                (f"pi_{order_id}", order_id, minor, f'{{"order_id":"{order_id}"}}', LONG_AGO_MS),
            )
            books.execute(
                "INSERT INTO charges (id, intent_id, order_id, amount_minor, currency, created_ms)"
                " VALUES (?, ?, ?, ?, 'gbp', ?)",
                (f"ch_{order_id}", f"pi_{order_id}", order_id, minor, LONG_AGO_MS),
            )
