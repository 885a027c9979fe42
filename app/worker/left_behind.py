"""Produces what a log that was adopted would leave in rows for ever (ADR 19)."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from aiokafka import AIOKafkaProducer, TopicPartition

from app.config import Config
from app.delivery.agent import Agent
from app.delivery.outbox import Adopted, left_behind
from app.kafka.applied_logs import log_of_mark
from app.kafka.logs import PlaceFacts
from app.kafka.producer import produce_signed
from app.worker.store import Store


class Producers(Protocol):
    """What has the producer of each agent."""

    def producer_of(self, agent: str) -> AIOKafkaProducer:
        """Return the producer of `agent`."""
        ...


async def produce_left_behind(
    app: Producers,
    readers: Mapping[str, tuple[Agent, Store | None]],
    places: Sequence[TopicPartition],
    facts: Mapping[TopicPartition, PlaceFacts],
    config: Config,
) -> None:
    """Produce it for each of `places` that was adopted and that no start has taken yet.

    It comes before the commit that takes them: after a crash between it is produced again, and
    whoever reads it knows the ids. Raises KafkaError.
    """
    for place in places:
        agent, store = readers[place.topic]
        mark = log_of_mark(facts[place].metadata) if place in facts else None
        if mark is None or not mark.adopted or mark.produced is None or store is None:
            continue
        if place.partition in store.open_partitions():
            taken = Adopted(epoch=mark.epoch, produced=mark.produced)
            bodies = (body for _, body in store.scan(place.partition, b""))
            records = left_behind(agent, bodies, {(place.topic, place.partition): taken})
            await produce_signed(app.producer_of(agent.name), records, config)
