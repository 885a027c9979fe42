"""A batch of records is handed over also while the broker does not say where its topic lies."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError

from app.config import Config
from app.kafka.producer import METADATA_TRIES, produce
from app.wire.records import Outgoing

RECORD = Outgoing(topic="payments", key=b"o1", value=b"{}", headers=[], partition=2)


class Producer:
    """A producer whose broker stands still for a number of requests."""

    def __init__(self, silent: int) -> None:
        self.asked = 0
        self._silent = silent

    def create_batch(self) -> Any:
        return SimpleNamespace(append=lambda **_fields: object())

    async def send_batch(self, _batch: Any, _topic: str, partition: int) -> Any:
        self.asked += 1
        if self.asked <= self._silent:
            raise UnknownTopicOrPartitionError
        future = asyncio.get_running_loop().create_future()
        future.set_result(SimpleNamespace(offset=partition))
        return future


async def test_a_broker_that_stands_still_is_asked_again() -> None:
    """It ended a worker whose producer had just been replaced, and knew no topic yet."""
    producer: Any = Producer(silent=METADATA_TRIES - 1)

    highest = await produce(producer, [RECORD], Config())

    assert ({("payments", 2): 2}, METADATA_TRIES) == (highest, producer.asked)


async def test_a_topic_that_is_not_there_is_an_error() -> None:
    """Asked for ever, nobody would learn of it."""
    producer: Any = Producer(silent=METADATA_TRIES)

    with pytest.raises(UnknownTopicOrPartitionError):
        await produce(producer, [RECORD], Config())
