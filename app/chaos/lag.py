"""How much waits for a service, asked of the broker."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.config import Config
from app.kafka.admin import client_options, stop_consumer
from app.operations.verification.auditor import listeners
from app.wire.topics import partitions_of


async def waiting(config: Config, service: str) -> int:
    """Return how many records lie after what the group of `service` has committed."""
    admin = AIOKafkaAdminClient(**client_options(config))
    consumer = AIOKafkaConsumer(**client_options(config))
    await admin.start()
    await consumer.start()
    try:
        committed = await admin.list_consumer_group_offsets(f"payflow-{service}")
        places = [
            TopicPartition(topic, at)
            for topic in listeners()[service]
            for at in range(partitions_of(topic, config))
        ]
        ends = await consumer.end_offsets(places)
    finally:
        await stop_consumer(consumer)
        await admin.close()
    through = {tp: known.offset for tp, known in committed.items()}
    return sum(max(0, end - max(0, through.get(place, 0))) for place, end in ends.items())
