"""A search process whose topic lies in a list: orders of one line, and one of many."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import repeat
from typing import Any

from aiokafka import TopicPartition

from app.operations.search import search_process
from tests.support.consumer import FakeConsumer, FakeRecord
from workflows.order.messages import OrderPlaced
from workflows.shared.message import type_name

TOPIC, RECORDS, LONG_AT, LONG = "orders", 5, 2, 3_000


def _order(at: int) -> bytes:
    lines = LONG if at == LONG_AT else 1
    return json.dumps({"lines": [{"quantity": each} for each in range(lines)]}).encode()


@asynccontextmanager
async def reader(_config: Any) -> AsyncIterator[FakeConsumer]:
    """Open the list."""
    headers = (("ce_type", type_name(OrderPlaced).encode()),)
    records = [FakeRecord(TOPIC, 0, at, value=_order(at), headers=headers) for at in range(RECORDS)]
    yield FakeConsumer({0: records}, {0: RECORDS}, repeat(40))


async def places_of(_config: Any, topic: str) -> list[TopicPartition]:
    """Return its one partition."""
    return [TopicPartition(topic, 0)]


if __name__ == "__main__":
    search_process.reader = reader
    search_process.places_of = places_of
    search_process.main()
