"""Kafka agrees: a real worker on a real broker, killed, wiped, poisoned."""

import asyncio
import shutil
import signal
import subprocess
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from app.config import Config
from app.delivery.row import decode_row
from app.kafka.producer import partition_of
from app.worker.faust_app import SESSION_SECONDS
from tests.support.agents import TALLY, cancel
from tests.support.workers import emitted_ids, end, publish, read, rows, start, until
from workflows.order.messages import OrderCancelRequested

KEYS = 100
EACH = 40
ROOT = Path(__file__).parents[2]
POISON = b"x" * 2_000_000


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


def contents(rows: dict[bytes, bytes]) -> dict[bytes, Any]:
    """Return what rows hold, except outboxes: a produced one is dropped sooner or later."""
    decoded = {key: decode_row(TALLY, body) for key, body in rows.items()}
    return {
        key: (row.state, row.applied_offsets, row.processed_ids) for key, row in decoded.items()
    }


@pytest.mark.timeout(400)
async def test_a_worker_killed_three_times_does_everything_once(
    instance: Config, stack: ExitStack
) -> None:
    """Killed at work, then wiped: each event counted once, each answer emitted, poison kept."""

    async def emitted(count: int) -> bool:
        return len(set(await emitted_ids(instance))) >= count

    await feed(instance)
    for part in (1, 2, 3):
        worker = start(instance, "tally_app")
        stack.callback(end, worker)
        await until(lambda part=part: emitted(part * KEYS * EACH // 5), f"part {part}")
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    worker = start(instance, "tally_app")
    stack.callback(end, worker)
    await until(lambda: emitted(KEYS * EACH), "everything emitted")
    await asyncio.sleep(1)
    worker.terminate()
    worker.wait(20)

    row_by_key = rows(instance)
    received = {key: decode_row(TALLY, body).state.received for key, body in row_by_key.items()}
    assert {f"o{at}".encode(): EACH for at in range(KEYS)} == received
    assert KEYS * EACH == len(Counter(await emitted_ids(instance)))
    dead_letters = await read(instance, "orders.test.dead", 1)
    assert {POISON} == {dead_letter.value for dead_letter in dead_letters}
    assert {b"bad_envelope"} == {
        dict(dead_letter.headers)["x-dead-cause"] for dead_letter in dead_letters
    }

    shutil.rmtree(Path(instance.data_dir) / "test")
    worker = start(instance, "tally_app")
    stack.callback(end, worker)

    before = contents(row_by_key)

    async def rebuilt() -> bool:
        # Rows come back step by step, in folders that are only just being made.
        with suppress(Exception):
            return before == contents(await asyncio.to_thread(rows, instance))
        return False

    await until(rebuilt, "every row is again what it was")
    worker.terminate()
    worker.wait(20)
    assert before == contents(rows(instance))


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
    one = start(first, "tally_app")
    stack.callback(end, one)
    await until(lambda: emitted(KEYS * EACH // 10), "the first at work")
    other = start(second, "tally_app")
    stack.callback(end, other)
    await until(lambda: emitted(KEYS * EACH // 2), "both at work")
    one.send_signal(signal.SIGKILL)
    await feeding
    await until(lambda: emitted(KEYS * EACH), "taken over")
    await asyncio.sleep(1)
    other.terminate()
    other.wait(20)

    row_by_key = {
        record.key: record.value
        for record in await read(instance, "payflow-test-tally-changelog", 4)
    }
    received = {key: decode_row(TALLY, body).state.received for key, body in row_by_key.items()}
    assert {f"o{at}".encode(): EACH for at in range(KEYS)} == received
    assert KEYS * EACH == len(set(await emitted_ids(instance)))


@pytest.mark.timeout(400)
async def test_a_worker_that_slept_through_a_take_over_discards_its_batch_and_works_on(
    instance: Config, stack: ExitStack, tmp_path: Path
) -> None:
    """Frozen before its rows are put, it wakes when another has gone on: its old rows stay out."""

    async def emitted(count: int) -> bool:
        return len(set(await emitted_ids(instance))) >= count

    log = tmp_path / "sleeper.log"
    first, second = (
        msgspec.structs.replace(instance, data_dir=f"{instance.data_dir}/{name}") for name in "ab"
    )
    feeding = asyncio.create_task(feed(instance, 0.02))
    sleeper = start(first, "tally_app", log, crash_at="decided:1:stop")
    stack.callback(end, sleeper)
    await until(lambda: _is_frozen(sleeper), "the first is frozen in a batch")
    other = start(second, "tally_app")
    stack.callback(end, other)
    await feeding
    await until(lambda: emitted(KEYS * EACH), "the second has taken over")
    sleeper.send_signal(signal.SIGCONT)
    other.terminate()
    other.wait(20)
    await publish(instance, ["again"] * KEYS, first=KEYS * EACH, keys=KEYS)
    await until(lambda: emitted(KEYS * (EACH + 1)), "the first works on")

    assert sleeper.poll() is None, log.read_text()
    received = {
        key: decode_row(TALLY, body).state.received for key, body in await _changelog_rows(instance)
    }
    assert {f"o{at}".encode(): EACH + 1 for at in range(KEYS)} == received
    assert KEYS * (EACH + 1) == len(set(await emitted_ids(instance)))


@pytest.mark.timeout(200)
async def test_a_worker_outlives_a_session_that_ends_in_the_middle_of_a_batch(
    instance: Config, stack: ExitStack, tmp_path: Path
) -> None:
    """Its rows are on disk and not in the changelog; nobody takes over; it goes on by itself."""

    async def emitted(count: int) -> bool:
        return len(set(await emitted_ids(instance))) >= count

    log = tmp_path / "worker.log"
    worker = start(instance, "tally_app", log, crash_at="on disk:3:stop")
    stack.callback(end, worker)
    count = 0
    while not await _is_frozen(worker):
        await publish(instance, ["before it sleeps"] * 10, first=count, keys=KEYS)
        count += 10
    await asyncio.sleep(SESSION_SECONDS + 3)
    worker.send_signal(signal.SIGCONT)
    await publish(instance, ["when it wakes"] * KEYS, first=count, keys=KEYS)
    await until(lambda: emitted(count + KEYS), "it works on", 60)

    assert worker.poll() is None, log.read_text()
    worker.terminate()
    worker.wait(20)
    received = {key: decode_row(TALLY, body).state.received for key, body in rows(instance).items()}
    assert count + KEYS == sum(received.values())
    assert dict(await _changelog_rows(instance)) == rows(instance)


async def _changelog_rows(config: Config) -> list[tuple[bytes, bytes]]:
    records = await read(config, "payflow-test-tally-changelog", 4)
    return [(record.key, record.value) for record in records]


async def _is_frozen(worker: subprocess.Popen[bytes]) -> bool:
    await asyncio.sleep(0)
    return psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED


def test_keys_land_where_every_kafka_client_puts_them() -> None:
    """murmur2: values that the Java client gives, taken from Kafka's own UtilsTest."""
    cases = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    signed = {key: ((murmur2(key) + 2**31) % 2**32) - 2**31 for key in cases}

    assert cases == signed
    assert (cases[b"foobar"] & 0x7FFFFFFF) % 4 == partition_of(b"foobar", 4)
