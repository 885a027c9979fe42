"""The consumer that a worker makes reads what is committed, and begins with nothing read."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from faust.types import TP

from app.config import Config
from app.kafka.reader import ISOLATION_LEVEL
from app.worker.consumer_thread import ConsumerThread
from app.worker.faust_app import make_app


@pytest.fixture
async def thread(tmp_path: Path) -> AsyncIterator[ConsumerThread]:
    """The thread of a worker's consumer, not started."""
    app = make_app(Config(broker_url="nowhere:1", data_dir=str(tmp_path), service="test"))

    async def nothing(*_: Any) -> None:
        """No message comes."""

    consumer = app.transport.create_consumer(
        nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing, beacon=app.beacon
    )
    yield consumer._thread
    consumer._thread.thread_loop.close()


async def test_a_worker_reads_what_is_committed(thread: ConsumerThread) -> None:
    """Faust's own consumer is a reader of everything, unless it is in transactions itself."""
    consumer = thread._create_worker_consumer(thread.transport)
    consumer._closed = True  # it was never started, and would warn of that

    assert ("read_committed", "read_committed") == (ISOLATION_LEVEL, consumer._isolation_level)
    assert ({}, {}) == (thread.reached, thread.fetched)


async def test_a_quiet_partition_is_not_called_stuck(
    thread: ConsumerThread, caplog: pytest.LogCaptureFixture
) -> None:
    """Faust would, after five minutes, and fill the logs of an instance at rest."""
    thread.time_started = 0.0
    thread.verify_event_path(now=1_000.0, tp=TP("orders", 0))

    assert [] == caplog.records
