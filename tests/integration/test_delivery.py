"""Kafka agrees: a real worker on a real broker, killed, wiped, poisoned."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import rocksdict
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import murmur2

from app.config import Config
from app.delivery.row import decode_row
from app.host.exit import EXIT_UNSAFE
from app.kafka.admin import TopicSpec, ensure_topics
from app.kafka.producer import partition_of
from app.local import broker
from app.wire.envelope import from_headers
from tests.delivery.agents import TALLY, cancel
from tests.integration.kafka import local_config
from workflows.order.messages import OrderCancelRequested

KEYS = 100
EACH = 40
ROOT = Path(__file__).parents[2]
POISON = b"x" * 2_000_000


@pytest.fixture
async def instance(tmp_path: Path) -> AsyncIterator[Config]:
    """A broker of its own with the topics of the agent `tally`: the names of topics are fixed."""
    own = local_config(tmp_path)
    started = broker.start(own)
    config = msgspec.structs.replace(own, broker_url=started.url)
    names = {"orders": 4, "payments": 4, "payflow-test-tally-changelog": 4, "orders.test.dead": 1}
    await ensure_topics(
        config, [TopicSpec(name=name, partitions=count) for name, count in names.items()]
    )
    yield config
    started.stop()


async def feed(config: Config, pause_seconds: float = 0) -> None:
    """Produce all the work, with one poison message in the middle."""
    producer = AIOKafkaProducer(bootstrap_servers=config.broker_url, max_request_size=4_000_000)
    await producer.start()
    for number in range(KEYS * EACH):
        if number == KEYS * EACH // 2:
            await producer.send("orders", POISON, key=b"o1", headers=[])
        order_id = f"o{number % KEYS}"
        record = cancel(number, event_id=f"cancel-{number}")
        body = msgspec.json.encode(OrderCancelRequested(order_id=order_id))
        await producer.send("orders", body, key=order_id.encode(), headers=list(record.headers))
        if pause_seconds and number % 10 == 0:
            await asyncio.sleep(pause_seconds)
    await producer.stop()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What has to be ended whatever happens."""
    with ExitStack() as stack:
        yield stack


def end(worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker of ours, if it still runs."""
    worker.kill()
    worker.wait()


def start(config: Config, crash_at: str = "") -> subprocess.Popen[bytes]:
    """Start the worker of the test agent."""
    record = {
        "PAYFLOW_CRASH_AT": crash_at,
        "PAYFLOW_SERVICE": "test",
        "PAYFLOW_BROKER_URL": config.broker_url,
        "PAYFLOW_DATA_DIR": config.data_dir,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "faust", "-A", "tests.integration.tally_app"]
    return subprocess.Popen(
        [*command, "-L", "uvloop", "worker", "--without-web", "-l", "error"],
        env=os.environ | record,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def read(config: Config, topic: str, partitions: int) -> list[Any]:
    """Return every record of `topic`."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=config.broker_url,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4_000_000,
    )
    await consumer.start()
    places = [TopicPartition(topic, at) for at in range(partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    found: list[Any] = []
    while any([await consumer.position(place) < ends[place] for place in places]):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            found += records
    await consumer.stop()
    return found


def known(rows: dict[bytes, bytes]) -> dict[bytes, Any]:
    """Return what rows remember. An outbox that was emitted may be dropped sooner or later."""
    decoded = {key: decode_row(TALLY, body) for key, body in rows.items()}
    return {key: (row.state, row.applied_offsets, row.seen) for key, row in decoded.items()}


async def emitted_ids(config: Config) -> list[str]:
    """Return the id of every answer emitted, repetitions included."""
    records = await read(config, "payments", 4)
    return [from_headers(record.headers).id for record in records]


async def until(found: Callable[[], Any], what: str, seconds: float = 120) -> None:
    """Wait until the async `found` returns something true."""
    limit = time.monotonic() + seconds
    while not await found():
        assert time.monotonic() < limit, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.2)


def rows(config: Config) -> dict[bytes, bytes]:
    """Return every row on the disk, as far as a running worker has written it out."""
    kept: dict[bytes, bytes] = {}
    for folder in Path(config.data_dir).glob("test/**/tally-*.db"):
        database = rocksdict.Rdict(
            str(folder),
            rocksdict.Options(raw_mode=True),
            access_type=rocksdict.AccessType.read_only(),
        )
        kept |= {key: body for key, body in database.items() if not key.startswith(b"__faust")}
        database.close()
    return kept


@pytest.mark.timeout(400)
async def test_a_worker_killed_three_times_does_everything_once(
    instance: Config, stack: ExitStack
) -> None:
    """Killed at work, then wiped: each event counted once, each answer emitted, poison kept."""

    async def emitted(count: int) -> bool:
        return len(set(await emitted_ids(instance))) >= count

    await feed(instance)
    for part in (1, 2, 3):
        worker = start(instance)
        stack.callback(end, worker)
        await until(lambda part=part: emitted(part * KEYS * EACH // 5), f"part {part}")
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    worker = start(instance)
    stack.callback(end, worker)
    await until(lambda: emitted(KEYS * EACH), "everything told")
    await asyncio.sleep(1)
    worker.terminate()
    worker.wait(20)

    kept = rows(instance)
    received = {key: decode_row(TALLY, body).state.received for key, body in kept.items()}
    assert {f"o{at}".encode(): EACH for at in range(KEYS)} == received
    assert KEYS * EACH == len(Counter(await emitted_ids(instance)))
    dead_letters = await read(instance, "orders.test.dead", 1)
    assert {POISON} == {dead_letter.value for dead_letter in dead_letters}
    assert {b"bad_envelope"} == {
        dict(dead_letter.headers)["x-dead-cause"] for dead_letter in dead_letters
    }

    shutil.rmtree(Path(instance.data_dir) / "test")
    worker = start(instance)
    stack.callback(end, worker)

    async def rebuilt() -> bool:
        # Rows come back step by step, in folders that are only just being made.
        with suppress(Exception):
            return known(kept) == known(await asyncio.to_thread(rows, instance))
        return False

    await until(rebuilt, "every row is again what it was")
    worker.terminate()
    worker.wait(20)
    assert known(kept) == known(rows(instance))


@pytest.mark.timeout(400)
async def test_workers_share_the_work_and_take_over_from_each_other(
    instance: Config, stack: ExitStack
) -> None:
    """One joins under load, one is killed, one leaves: nothing lost, nothing counted twice."""

    async def emitted(count: int) -> bool:
        return len(set(await emitted_ids(instance))) >= count

    first, second = (
        msgspec.structs.replace(instance, data_dir=f"{instance.data_dir}/{name}") for name in "ab"
    )
    feeding = asyncio.create_task(feed(instance, 0.08))
    one = start(first)
    stack.callback(end, one)
    await until(lambda: emitted(KEYS * EACH // 10), "the first at work")
    other = start(second)
    stack.callback(end, other)
    await until(lambda: emitted(KEYS * EACH // 2), "both at work")
    one.send_signal(signal.SIGKILL)
    await feeding
    await until(lambda: emitted(KEYS * EACH), "taken over")
    await asyncio.sleep(1)
    other.terminate()
    other.wait(20)

    kept = {
        record.key: record.value
        for record in await read(instance, "payflow-test-tally-changelog", 4)
    }
    received = {key: decode_row(TALLY, body).state.received for key, body in kept.items()}
    assert {f"o{at}".encode(): EACH for at in range(KEYS)} == received
    assert KEYS * EACH == len(set(await emitted_ids(instance)))


@pytest.mark.timeout(400)
async def test_a_worker_that_slept_through_a_take_over_writes_nothing(
    instance: Config, stack: ExitStack
) -> None:
    """Frozen before its rows are put, it wakes when another has gone on: its old rows stay out."""

    async def emitted(count: int) -> bool:
        return len(set(await emitted_ids(instance))) >= count

    first, second = (
        msgspec.structs.replace(instance, data_dir=f"{instance.data_dir}/{name}") for name in "ab"
    )
    feeding = asyncio.create_task(feed(instance, 0.02))
    sleeper = start(first, "decided:1:stop")
    stack.callback(end, sleeper)
    await until(lambda: _is_frozen(sleeper), "the first is frozen in a batch")
    other = start(second)
    stack.callback(end, other)
    await feeding
    await until(lambda: emitted(KEYS * EACH), "the second has taken over")
    sleeper.send_signal(signal.SIGCONT)

    assert EXIT_UNSAFE == await asyncio.to_thread(sleeper.wait, 60)
    other.terminate()
    other.wait(20)
    kept = {
        record.key: record.value
        for record in await read(instance, "payflow-test-tally-changelog", 4)
    }
    received = {key: decode_row(TALLY, body).state.received for key, body in kept.items()}
    assert {f"o{at}".encode(): EACH for at in range(KEYS)} == received
    assert KEYS * EACH == len(set(await emitted_ids(instance)))


async def _is_frozen(worker: subprocess.Popen[bytes]) -> bool:
    await asyncio.sleep(0)
    return psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED


def test_keys_land_where_every_kafka_client_puts_them() -> None:
    """murmur2: values that the Java client gives, taken from Kafka's own UtilsTest."""
    cases = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    signed = {key: ((murmur2(key) + 2**31) % 2**32) - 2**31 for key in cases}

    assert cases == signed
    assert (cases[b"foobar"] & 0x7FFFFFFF) % 4 == partition_of(b"foobar", 4)
