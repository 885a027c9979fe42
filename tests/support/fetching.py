"""A broker in the place of aiokafka's client, which its fetcher asks for batches."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer import consumer
from aiokafka.consumer.subscription_state import SubscriptionState

from app.kafka.record_batches import Batches, read_any_batch

NODE = 0
FETCH_VERSION = 4
END = 1 << 40


class AnsweringClient:
    """Answers each fetch with all batches of a partition from the one that was asked for on."""

    def __init__(self, bodies: Mapping[TopicPartition, bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._metadata_max_age_ms = 300_000
        self._bodies = bodies
        self.answered: Counter[TopicPartition] = Counter()
        """How often records of each partition were fetched."""
        self.cluster = SimpleNamespace(leader_for_partition=lambda _place: NODE)

    async def send(self, _node: int, request: Any) -> Any:
        """Return the answer; one without records comes after a moment, as a broker waits."""
        topics = [
            (
                topic,
                [
                    (at, 0, END, END, [], self._rest(topic, at, offset))
                    for at, offset, _ in partitions
                ],
            )
            for topic, partitions in request.topics
        ]
        if not any(answer[-1] for _, answers in topics for answer in answers):
            await asyncio.sleep(0.01)
        return SimpleNamespace(API_VERSION=FETCH_VERSION, topics=topics)

    def _rest(self, topic: str, partition: int, offset: int) -> bytes:
        place = TopicPartition(topic, partition)
        body = self._bodies[place]
        at, batches = 0, Batches(body)
        while (base := batches.base_offset()) is not None and base < offset:
            at += len(batches.take())
        self.answered[place] += at < len(body)
        return body[at:]


@asynccontextmanager
async def fetching(bodies: Mapping[TopicPartition, bytes]) -> AsyncIterator[Any]:
    """Open the fetcher of a consumer that reads `bodies`, batches by partition, from offset 0."""
    read_any_batch()
    subscriptions = SubscriptionState()
    subscriptions.assign_from_user(list(bodies))
    for place in bodies:
        subscriptions.seek(place, 0)
    client = AnsweringClient(bodies)
    fetcher = consumer.Fetcher(client, subscriptions, isolation_level="read_committed")
    try:
        yield fetcher
    finally:
        await fetcher.close()
