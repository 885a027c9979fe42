"""Workers of test agents as processes: started, fed, read."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import rocksdict
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.config import Config
from app.delivery.row import LOGS_KEY, is_row
from app.kafka.admin import TopicSpec, ensure_topics
from app.kafka.reader import consumer_options
from app.local import broker
from app.wire.envelope import from_headers
from tests.support.agents import cancel
from tests.support.broker import local_config
from workflows.order.messages import OrderCancelRequested

ROOT = Path(__file__).parents[2]
TALLY_TOPICS = {
    "orders": 4,
    "payments": 4,
    "payflow-test-tally-changelog": 4,
    "orders.test.dead": 1,
}


def environment(config: Config, **settings: object) -> dict[str, str]:
    """Return the environment of a process of the test agent's service."""
    variables = {
        "PAYFLOW_SERVICE": "test",
        "PAYFLOW_BROKER_URL": config.broker_url,
        "PAYFLOW_DATA_DIR": config.data_dir,
        "PYTHONPATH": str(ROOT),
    }
    variables |= {f"PAYFLOW_{key.upper()}": str(value) for key, value in settings.items()}
    return os.environ | variables


def start(
    config: Config, name: str, log: Path | None = None, **settings: object
) -> subprocess.Popen[bytes]:
    """Start a worker of `tests.support.programs.<name>`; its output is appended to `log`."""
    command = [sys.executable, "-m", "faust", "-A", f"tests.support.programs.{name}"]
    with Path(log or os.devnull).open("ab") as out:
        return subprocess.Popen(
            [*command, "-L", "uvloop", "worker", "--without-web", "-l", "error"],
            env=environment(config, **settings),
            cwd=ROOT,
            stdout=out,
            stderr=out,
        )


def worker(config: Config, name: str, stack: ExitStack) -> subprocess.Popen[bytes]:
    """Start a worker that is killed when `stack` is closed."""
    started = start(config, name)
    stack.callback(end, started)
    return started


async def publish(config: Config, reasons: Sequence[str], first: int = 0, keys: int = 100) -> None:
    """Produce a cancellation for each of `reasons`; event n is of order n modulo `keys`."""
    producer = AIOKafkaProducer(bootstrap_servers=config.broker_url)
    await producer.start()
    for number, reason in enumerate(reasons, start=first):
        order_id = f"o{number % keys}"
        record = cancel(number, event_id=f"cancel-{number}")
        body = msgspec.json.encode(OrderCancelRequested(order_id=order_id, reason=reason))
        await producer.send("orders", body, key=order_id.encode(), headers=list(record.headers))
    await producer.stop()


async def committed(config: Config, partitions: int = 4) -> int:
    """Return how many events of `orders` the group of the test agent has committed."""
    places = [TopicPartition("orders", at) for at in range(partitions)]
    consumer = AIOKafkaConsumer(
        **consumer_options(config), group_id="payflow-test", enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign(places)
    offsets = [await consumer.committed(place) or 0 for place in places]
    await consumer.stop()
    return sum(offsets)


@asynccontextmanager
async def tally_broker(folder: Path, topics: Mapping[str, int]) -> AsyncIterator[Config]:
    """Run a broker for one test with `topics`, by number of partitions: their names are fixed."""
    own = local_config(folder)
    started = broker.start(own)
    config = msgspec.structs.replace(own, broker_url=started.url)
    await ensure_topics(config, [TopicSpec(name=n, partitions=c) for n, c in topics.items()])
    yield config
    started.stop()


@pytest.fixture
async def instance(tmp_path: Path) -> AsyncIterator[Config]:
    """A broker of its own with the topics of the agent `tally`."""
    async with tally_broker(tmp_path, TALLY_TOPICS) as config:
        yield config


@pytest.fixture
async def redrive_instance(tmp_path: Path) -> AsyncIterator[Config]:
    """A broker of its own with the topics of the agent `tally` and of its redrives."""
    async with tally_broker(tmp_path, {**TALLY_TOPICS, "tally.redrive": 4, "audit": 4}) as config:
        yield config


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What has to be ended whatever happens."""
    with ExitStack() as stack:
        yield stack


def end(worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker of ours, if it still runs."""
    worker.kill()
    worker.wait()


async def read(config: Config, topic: str, partitions: int) -> list[Any]:
    """Return every record of `topic`."""
    consumer = AIOKafkaConsumer(
        **consumer_options(config),
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4_000_000,
    )
    await consumer.start()
    places = [TopicPartition(topic, at) for at in range(partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    all_records: list[Any] = []
    while any([await consumer.position(place) < ends[place] for place in places]):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            all_records += [record for record in records if is_row(record.key)]
    await consumer.stop()
    return all_records


async def emitted_ids(config: Config) -> list[str]:
    """Return the id of every answer emitted, repetitions included."""
    records = await read(config, "payments", 4)
    return [from_headers(record.headers).id for record in records]


async def until(condition: Callable[[], Any], what: str, seconds: float = 120) -> None:
    """Wait until the async `condition` returns something true."""
    limit = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < limit, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.2)


def rows(config: Config) -> dict[bytes, bytes]:
    """Return every row on the disk, as far as a running worker has written it out."""
    body_by_key: dict[bytes, bytes] = {}
    for folder in Path(config.data_dir).glob("test/**/tally-*.db"):
        database = rocksdict.Rdict(
            str(folder),
            rocksdict.Options(raw_mode=True),
            access_type=rocksdict.AccessType.read_only(),
        )
        own = (b"__faust", LOGS_KEY)
        body_by_key |= {key: body for key, body in database.items() if not key.startswith(own)}
        database.close()
    return body_by_key
