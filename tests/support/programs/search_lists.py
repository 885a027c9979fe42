"""A search process whose topic lies in a list: one number each, and one record of many."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import repeat
from typing import Any

from aiokafka import TopicPartition

from app.operations.search import search_process
from tests.support.consumer import FakeConsumer, FakeRecord

TOPIC, RECORDS, LONG_AT, LONG = "numbers", 5, 2, 3_000


def _numbers(at: int) -> bytes:
    return json.dumps({"n": list(range(LONG if at == LONG_AT else 1))}).encode()


@asynccontextmanager
async def reader(_config: Any) -> AsyncIterator[FakeConsumer]:
    """Open the list."""
    records = [FakeRecord(TOPIC, 0, at, value=_numbers(at)) for at in range(RECORDS)]
    yield FakeConsumer({0: records}, {0: RECORDS}, repeat(40))


async def places_of(_config: Any, topic: str) -> list[TopicPartition]:
    """Return its one partition."""
    return [TopicPartition(topic, 0)]


if __name__ == "__main__":
    search_process.reader = reader
    search_process.places_of = places_of
    search_process.main()
