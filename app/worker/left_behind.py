"""Produces what a log that was adopted would leave in rows for ever (ADR 19)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import structlog
from aiokafka import AIOKafkaProducer, TopicPartition

from app.config import Config
from app.delivery.agent import Agent
from app.delivery.outbox import Adopted, left_behind
from app.kafka.applied_logs import log_of_mark
from app.kafka.logs import PlaceFacts
from app.kafka.producer import produce_signed
from app.wire.codecs import Poison
from app.wire.records import Outgoing
from app.worker.changelog_files import put_rows
from app.worker.open_partitions import OpenPartitions
from app.worker.store import Store

log = structlog.get_logger(__name__)


class Producers(Protocol):
    """What has the producer of each agent."""

    def producer_of(self, agent: str) -> AIOKafkaProducer:
        """Return the producer of `agent`."""
        ...


async def produce_left_behind(
    app: Producers,
    readers: Mapping[TopicPartition, tuple[Agent, Store | None]],
    opened: OpenPartitions,
    facts: Mapping[TopicPartition, PlaceFacts],
    config: Config,
) -> None:
    """Produce it for each place that was adopted and that no start has taken yet.

    It comes before the commit that takes them: after a crash between it is produced again, and
    whoever reads it knows the ids. Raises KafkaError, and as `OpenPartitions.check` does.
    """
    by_rows: defaultdict[tuple[str, int], dict[tuple[str, int], Adopted]] = defaultdict(dict)
    stores: dict[str, tuple[Agent, Store]] = {}
    for place, (agent, store) in readers.items():
        adoption = _adoption(facts.get(place))
        if adoption and store is not None and place.partition in store.open_partitions():
            by_rows[agent.name, place.partition][place.topic, place.partition] = adoption
            stores[agent.name] = agent, store
    for (name, at), adopted in by_rows.items():
        agent, store = stores[name]
        producer = app.producer_of(name)
        async for page in opened.pages(store, at):
            await _produce(producer, agent, store, at, page, adopted, config)


def _adoption(facts: PlaceFacts | None) -> Adopted | None:
    """Return what a place was adopted with, where a start is still to take it."""
    mark = log_of_mark(facts.metadata) if facts is not None else None
    if mark is None or not mark.adopted or mark.produced is None:
        return None
    return Adopted(before=mark.before, produced=mark.produced)


async def _produce(  # noqa: PLR0913  whose rows, which, and what was adopted
    producer: AIOKafkaProducer,
    agent: Agent,
    store: Store,
    at: int,
    page: Sequence[tuple[bytes, bytes]],
    adopted: Mapping[tuple[str, int], Adopted],
    config: Config,
) -> None:
    rows: dict[bytes, bytes] = {}
    records = list[Outgoing]()
    for key, body in page:
        try:
            left = left_behind(agent, body, adopted)
        except (Poison, msgspec.DecodeError, ValueError) as error:
            # An event for its key is dead-lettered when it comes, and says the same.
            log.warning("row unreadable", agent=agent.name, partition=at, why=str(error))
            continue
        if left:
            rows[key] = body
            records += left
    if rows:
        # A row is in its changelog before others read what it says: a kill may have come between.
        await put_rows(producer, store, at, rows, config)
        await produce_signed(producer, records, config)
