"""Records as producers really write them: transactions, codecs, batches that nobody can read."""

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from app.config import Config
from app.delivery.row import Row, decode_row, encode_row
from app.kafka.admin import TopicSpec, admin_client, ensure_topics
from app.kafka.groups import described_group
from app.kafka.producer import partition_of
from app.kafka.reader import read_to_end, reader, span
from app.local import broker
from app.operations.search.consumer_groups import groups
from app.operations.search.record_view import read_record
from tests.support.agents import TALLY, Tally, cancel
from tests.support.batches import with_wrong_bytes
from tests.support.broker import local_config
from tests.support.workers import TALLY_TOPICS, emitted_ids, end, read, rows, start, until
from workflows.order.messages import OrderCancelRequested

ORDER = "o1"
PLACE = TopicPartition("orders", partition_of(ORDER.encode(), 4))
CHANGELOG = "payflow-test-tally-changelog"
STALL_SECONDS = 6


async def send(producer: AIOKafkaProducer, numbers: Sequence[int]) -> None:
    """Produce the cancellation of each of `numbers`, all of one order, in one partition."""
    body = msgspec.json.encode(OrderCancelRequested(order_id=ORDER, reason="r"))
    for number in numbers:
        headers = list(cancel(number, event_id=f"cancel-{number}").headers)
        await producer.send_and_wait("orders", body, key=ORDER.encode(), headers=headers)


async def produce(config: Config, numbers: Sequence[int], **options: Any) -> None:
    """Produce without a transaction."""
    async with AIOKafkaProducer(bootstrap_servers=config.broker_url, **options) as producer:
        await send(producer, numbers)


def transactional(config: Config, name: str) -> AIOKafkaProducer:
    """Return a producer of transactions."""
    return AIOKafkaProducer(bootstrap_servers=config.broker_url, transactional_id=name)


async def emitted(config: Config) -> int:
    """Return how many answers there are."""
    return len(set(await emitted_ids(config)))


async def lags(config: Config) -> tuple[int, float | None]:
    """Return how far the group of the test agent is behind, as the console says it."""
    (group,) = await groups(config, "payflow-test")
    return group.lag, group.seconds


async def caught_up(config: Config) -> bool:
    """Return whether the group of the test agent has nothing left to read."""
    return await lags(config) == (0, 0.0)


async def numbers_read(config: Config) -> list[int]:
    """Return what a reader to the end finds of the order, by its offsets."""
    async with reader(config) as consumer:
        return [
            record.offset async for record in read_to_end(consumer, *await span(consumer, [PLACE]))
        ]


@pytest.mark.timeout(200)
async def test_what_was_aborted_has_no_effect_and_markers_are_no_work(
    instance: Config, stack: ExitStack, tmp_path: Path
) -> None:
    """Aborted: answered nowhere. Open: holds no reader up. Committed: answered. Then idle."""
    log = tmp_path / "worker.log"
    worker = start(instance, "tally_app", log, stall_seconds=STALL_SECONDS)
    stack.callback(end, worker)
    for number, codec in enumerate(("gzip", "snappy", "lz4", "zstd"), start=1):
        await produce(instance, [number] * 1, compression_type=codec)
    async with transactional(instance, "aborts") as producer:
        await producer.begin_transaction()
        await send(producer, [10, 11])
        await producer.abort_transaction()
    async with transactional(instance, "commits") as producer:
        await producer.begin_transaction()
        await send(producer, [20])
        opened = await numbers_read(instance)
        await producer.commit_transaction()
    # The changelog ends with a marker too.
    async with transactional(instance, "elsewhere") as producer:
        await producer.begin_transaction()
        for partition in range(4):
            await producer.send_and_wait(CHANGELOG, b"garbage", key=b"x", partition=partition)
        await producer.abort_transaction()

    await until(lambda: _is(emitted, instance, 5), "four codecs and one commit are answered")
    await until(lambda: caught_up(instance), "nothing is left to read")
    # More than the watchdog's limit, with a marker as the last offset.
    await asyncio.sleep(2 * STALL_SECONDS)

    assert ([0, 1, 2, 3], None) == (opened, worker.poll()), log.read_text()
    worker.terminate()
    await asyncio.to_thread(worker.wait, 20)
    stack.callback(end, start(instance, "tally_app", log, stall_seconds=STALL_SECONDS))
    await produce(instance, [30])
    await until(lambda: _is(emitted, instance, 6), "a recovery ends at a marker")
    # A broker answers an abort before its marker is written: another's record may lie before it.
    assert await numbers_read(instance) in ([0, 1, 2, 3, 7, 9], [0, 1, 2, 3, 6, 9])
    assert 6 == await emitted(instance)


@pytest.mark.timeout(200)
async def test_what_was_aborted_in_a_changelog_is_no_row_after_a_recovery(
    instance: Config, stack: ExitStack, tmp_path: Path
) -> None:
    """The disk is lost: the table is what was committed, not the newer row of an aborted write."""
    log = tmp_path / "worker.log"
    worker = start(instance, "tally_app", log)
    stack.callback(end, worker)
    await produce(instance, [1, 2])
    await until(lambda: _is(emitted, instance, 2), "two events are counted")
    worker.terminate()
    await asyncio.to_thread(worker.wait, 20)
    before = rows(instance)[ORDER.encode()]
    shutil.rmtree(Path(instance.data_dir) / "test")
    forged = encode_row(Row(state=Tally(received=99)))
    for key, ends in ((ORDER, "aborted"), ("o2", "committed")):
        async with transactional(instance, ends) as producer:
            await producer.begin_transaction()
            at = partition_of(key.encode(), 4)
            await producer.send_and_wait(CHANGELOG, forged, key=key.encode(), partition=at)
            if ends == "aborted":
                await producer.abort_transaction()
            else:
                await producer.commit_transaction()

    worker = start(instance, "tally_app", log)
    stack.callback(end, worker)
    await produce(instance, [3])
    await until(lambda: _is(emitted, instance, 3), "the table is recovered")
    worker.terminate()
    await asyncio.to_thread(worker.wait, 20)
    state_by_key = {
        key.decode(): decode_row(TALLY, body).state for key, body in rows(instance).items()
    }

    assert 2 == decode_row(TALLY, before).state.received
    assert {ORDER: 3, "o2": 99} == {key: state.received for key, state in state_by_key.items()}


async def test_a_transaction_left_open_on_a_changelog_does_not_refuse_the_next_start(
    instance: Config, stack: ExitStack, tmp_path: Path
) -> None:
    """Rows lie behind it: the table on disk holds more than the last stable offset says."""
    log = tmp_path / "worker.log"
    worker = start(instance, "tally_app", log)
    stack.callback(end, worker)
    await produce(instance, [1])
    await until(lambda: _is(emitted, instance, 1), "an event is counted")
    async with transactional(instance, "left-open") as producer:
        await producer.begin_transaction()
        at = partition_of(ORDER.encode(), 4)
        row = encode_row(Row(state=Tally(received=99)))
        await producer.send_and_wait(CHANGELOG, row, key=ORDER.encode(), partition=at)
        await produce(instance, [2])
        await until(lambda: _is(emitted, instance, 2), "rows lie behind the transaction")
        killed = await _members(instance)
        worker.kill()
        await asyncio.to_thread(worker.wait, 20)

        worker = again = start(instance, "tally_app", log)
        stack.callback(end, worker)

        async def has_joined() -> bool:
            assert again.poll() is None, log.read_text()[-500:]
            return bool(await _members(instance) - killed)

        await until(has_joined, "it is not refused")
        await producer.abort_transaction()
    await produce(instance, [3])
    await until(lambda: _is(emitted, instance, 3), "it goes on once that is decided")
    worker.terminate()
    await asyncio.to_thread(worker.wait, 20)

    assert 3 == decode_row(TALLY, rows(instance)[ORDER.encode()]).state.received


async def _members(config: Config) -> set[str]:
    async with admin_client(config) as admin:
        return {member[0] for member in (await described_group(admin, "payflow-test"))[5]}


async def _is(count: Any, config: Config, due: int) -> bool:
    return await count(config) >= due


@pytest.mark.timeout(200)
async def test_a_batch_that_nobody_can_read_is_named_and_the_next_one_is_read(
    tmp_path: Path, stack: ExitStack
) -> None:
    """Its bytes changed on the broker's disk: a dead letter says where, the rest is answered."""
    own = local_config(tmp_path)
    running = broker.start(own)
    stack.callback(running.stop)
    config = msgspec.structs.replace(own, broker_url=running.url)
    await ensure_topics(config, [TopicSpec(name=n, partitions=c) for n, c in TALLY_TOPICS.items()])
    for number in (1, 2, 3):
        await produce(config, [number])
    running.stop()
    _damage(tmp_path, batch_number=1)
    running = broker.start(own)
    stack.callback(running.stop)
    config = msgspec.structs.replace(own, broker_url=running.url)

    stack.callback(end, start(config, "tally_app", tmp_path / "worker.log"))
    await until(lambda: _is(emitted, config, 2), "what lies around it is answered")
    await until(lambda: caught_up(config), "nothing is left to read")
    (dead_letter,) = await read(config, "orders.test.dead", 1)
    headers = {name: value.decode() for name, value in dead_letter.headers}
    record_view = await read_record(config, "orders", PLACE.partition, 1)

    assert ("unreadable", f"orders/{PLACE.partition}/1") == (
        headers["x-dead-cause"],
        headers["x-dead-origin"],
    )
    assert f"offsets 1 to 1 of orders/{PLACE.partition}" in headers["x-dead-detail"]
    assert "CRC" in record_view.error


def _damage(folder: Path, batch_number: int) -> None:
    """Flip a bit in a batch of the broker in `folder`, which its checksum then does not fit."""
    (log,) = folder.glob(f"**/orders-{PLACE.partition}/00000000000000000000.log")
    whole, at = log.read_bytes(), 0
    for _ in range(batch_number):
        at += 12 + int.from_bytes(whole[at + 8 : at + 12], "big")
    behind = at + 12 + int.from_bytes(whole[at + 8 : at + 12], "big")
    log.write_bytes(whole[:at] + with_wrong_bytes(whole[at:behind]) + whole[behind:])
