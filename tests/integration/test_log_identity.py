"""Logs are not for ever: topics made again, cut off, moved, read from elsewhere, and repartitioned.

What is new in such a log lies at offsets that rows have applied long ago. It is never dropped for
that: the worker ends and says why, last; an operator decides, and then it is applied once.
"""

import asyncio
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
import rocksdict
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.protocol.admin import DeleteGroupsRequest

from app.config import Config
from app.delivery.row import decode_row
from app.host.exit import EXIT_REFUSED
from app.kafka.admin import TopicSpec, admin_client, delete_before, ensure_topics
from app.kafka.reader import consumer_options, reader, span
from app.operations.adoption.adopt import Choice, Start, adopt, wait_until_stopped
from app.operations.verification.consistent_cut import (
    ConsistentCut,
    sources_of,
    take_consistent_cut,
)
from app.worker.store_repair import OFFSET_KEY
from tests.support.agents import TALLY
from tests.support.store_files import only
from tests.support.workers import committed, emitted_ids, end, publish, rows, start, until

PLACES = [TopicPartition("orders", at) for at in range(4)]
GROUP = "payflow-test"
KEYS = 20
EVENTS = 60
RETURNS = 16


class Site:
    """A worker of the agent `tally` on a broker of its own, and what happens to its logs."""

    def __init__(self, config: Config, stack: ExitStack, folder: Path) -> None:
        self.config = config
        self.log = folder / "worker.log"
        self.program = "tally_app"
        self._stack = stack

    def start(self, config: Config | None = None) -> subprocess.Popen[bytes]:
        worker = start(config or self.config, self.program, self.log)
        self._stack.callback(end, worker)
        return worker

    async def work(self, events: int) -> None:
        """Let a worker run until the group is through `events`, and stop it."""
        worker = self.start()

        async def through() -> bool:
            assert worker.poll() is None, self.last_line()
            return await committed(self.config) >= events

        await until(through, f"{events} through")
        worker.terminate()
        assert 0 == await asyncio.to_thread(worker.wait, 30), self.last_line()

    async def refused(self, worker: subprocess.Popen[bytes] | None = None) -> str:
        """Return the last line of a worker that is refused, started now or before."""
        ended = worker or self.start()

        async def has_ended() -> bool:
            return ended.poll() is not None

        await until(has_ended, f"refused; {self.last_line()}", 60)
        assert EXIT_REFUSED == ended.returncode, self.last_line()
        return self.last_line()

    def last_line(self) -> str:
        return self.log.read_text().rstrip().rpartition("\n")[2]

    def received(self) -> dict[str, int]:
        """Return how many events the row of each key has counted."""
        state_by_key = {
            key: decode_row(TALLY, body).state for key, body in rows(self.config).items()
        }
        return {key.decode(): state.received for key, state in state_by_key.items()}

    async def make_again(self, *topics: str) -> None:
        async with admin_client(self.config) as admin:
            await admin.delete_topics(list(topics))
            await until(lambda: self._are_gone(admin, topics), "topics are deleted")
        await self.make(*topics)

    async def make(self, *topics: str) -> None:
        cleanup = {"payflow-test-tally-changelog": "compact"}
        specs = [
            TopicSpec(name=name, partitions=4, cleanup=cleanup.get(name, "delete"))
            for name in topics
        ]
        await ensure_topics(self.config, specs)

    async def _are_gone(self, admin: AIOKafkaAdminClient, topics: tuple[str, ...]) -> bool:
        return not set(topics) & set(await admin.list_topics())

    async def adopt(self, start: Start, *, without_rows: bool = False) -> None:
        """Do what `payflow adopt` does, for a service that is none of Payflow's own."""
        await self.make("audit")
        choice = Choice(start=start, at_s=int(time.time()), without_rows=without_rows)
        await adopt(self.config, "test", ["orders"], choice, "oda", "topics were made again")

    async def ends(self) -> dict[TopicPartition, int]:
        async with reader(self.config) as consumer:
            return (await span(consumer, PLACES))[1]

    async def has_committed(self, events: int) -> bool:
        return await committed(self.config) >= events

    async def set_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit as somebody else would: `kafka-consumer-groups --reset-offsets`."""
        await wait_until_stopped(self.config, "test")
        # Its stop would else commit where it stood before, over what it has just committed.
        consumer = AIOKafkaConsumer(
            group_id=GROUP, enable_auto_commit=False, **consumer_options(self.config)
        )
        await consumer.start()
        consumer.assign(list(offsets))
        await consumer.commit(dict(offsets))
        await consumer.stop()

    async def forget_group(self) -> None:
        """Do what a broker does with offsets that have expired."""
        await wait_until_stopped(self.config, "test")
        async with admin_client(self.config) as admin:
            coordinator = await admin.find_coordinator(GROUP)
            answer = await admin._send_request(DeleteGroupsRequest([GROUP]), coordinator)
        assert [(GROUP, 0)] == list(answer.results)

    async def consistent_cut(self) -> ConsistentCut:
        """Return what `payflow verify` reads of the service, which is none of Payflow's own."""
        async with admin_client(self.config) as admin, reader(self.config) as consumer:
            return await take_consistent_cut(
                admin,
                consumer,
                sources_of([]),
                {"test": frozenset({"orders"})},
                {"test": frozenset({"payments", "payflow-test-tally-changelog"})},
            )


@pytest.fixture
def site(instance: Config, stack: ExitStack, tmp_path: Path) -> Site:
    """A worker and its logs."""
    return Site(instance, stack, tmp_path)


async def test_what_lies_in_a_topic_made_again_is_applied_once_it_is_adopted(site: Site) -> None:
    """16 returns lie at offsets that the rows have applied; then the disk is lost as well."""
    await publish(site.config, [""] * EVENTS, keys=KEYS)
    await site.work(EVENTS)
    await site.make_again("orders")
    await publish(site.config, [""] * RETURNS, first=EVENTS, keys=KEYS)

    reason = await site.refused()
    assert reason.startswith("payflow: orders/0 is another log than the one that test has applied")
    assert "payflow adopt test" in reason
    assert received_of(EVENTS) == site.received(), "none is swallowed"

    await site.adopt("beginning")
    await site.work(RETURNS)
    assert received_of(EVENTS + RETURNS) == site.received()
    assert EVENTS + RETURNS == len(set(await emitted_ids(site.config)))

    # The changelog knows the log and its epoch too; and an earlier offset does nothing twice.
    shutil.rmtree(Path(site.config.data_dir) / "test")
    await site.set_offsets(dict.fromkeys(PLACES, 0))
    await publish(site.config, [""] * KEYS, first=EVENTS + RETURNS, keys=KEYS)
    await site.work(RETURNS + KEYS)
    assert received_of(EVENTS + RETURNS + KEYS) == site.received()


async def test_a_cluster_with_other_offsets_goes_on_where_the_operator_says(site: Site) -> None:
    """Copies lie at lower offsets, and the changelog is shorter than its table, then empty."""
    await publish(site.config, [""] * EVENTS, keys=KEYS)
    await site.work(EVENTS)
    path = only(Path(site.config.data_dir), "test/**/tally-0.db")
    before = set_offset(path, b"10000")
    assert "payflow: the changelog payflow-test-tally-changelog/0 ends at" in await site.refused()
    set_offset(path, before)

    await site.make_again("orders", "payflow-test-tally-changelog")
    await publish(site.config, [""] * (EVENTS - KEYS), first=KEYS, keys=KEYS)
    copied = await site.ends()
    await publish(site.config, [""] * RETURNS, first=EVENTS, keys=KEYS)

    reason = await site.refused()
    assert "payflow-test-tally-changelog/0 is another log than the one that test has" in reason

    await site.set_offsets(copied)
    await site.adopt("committed")
    await site.work(EVENTS - KEYS + RETURNS)
    assert received_of(EVENTS + RETURNS) == site.received()
    shutil.rmtree(Path(site.config.data_dir) / "test")
    await publish(site.config, [""] * 4, first=EVENTS + RETURNS, keys=KEYS)
    await site.work(EVENTS - KEYS + RETURNS + 4)
    assert received_of(EVENTS + RETURNS + 4) == site.received(), "the changelog was filled"


async def test_what_was_stored_and_not_produced_is_produced_by_the_start_that_adopts(
    site: Site,
) -> None:
    """Its event is deleted before it is read again, and no other event comes."""
    await publish(site.config, [""] * EVENTS, keys=KEYS)
    await site.work(EVENTS)
    await publish(site.config, [""], first=EVENTS, keys=KEYS)
    crashed = start(site.config, site.program, site.log, crash_at="stored:1")
    assert await asyncio.to_thread(crashed.wait, 60)
    async with admin_client(site.config) as admin:
        await delete_before(admin, await site.ends())
    assert "were deleted before they were read" in await site.refused()
    assert EVENTS == len(set(await emitted_ids(site.config)))

    await site.adopt("beginning")
    worker = site.start()

    async def produced() -> bool:
        return EVENTS + 1 == len(set(await emitted_ids(site.config)))

    await until(produced, f"the last is produced; {site.last_line()}")
    worker.terminate()
    assert 0 == await asyncio.to_thread(worker.wait, 30), site.last_line()
    assert received_of(EVENTS + 1) == site.received()


async def test_what_was_deleted_skipped_or_cut_off_is_named(site: Site) -> None:
    """Deleted before it was read, an offset behind the rows, an offset behind the end."""
    await publish(site.config, [""] * EVENTS, keys=KEYS)
    await site.work(EVENTS)
    ends = await site.ends()
    async with admin_client(site.config) as admin:
        await delete_before(admin, ends)
    await publish(site.config, [""] * KEYS, first=EVENTS, keys=KEYS)
    await site.work(EVENTS + KEYS)
    assert received_of(EVENTS + KEYS) == site.received(), "what was applied may be deleted"

    before = await site.ends()
    await publish(site.config, [""] * KEYS, first=EVENTS + KEYS, keys=KEYS)
    ends = await site.ends()
    await site.set_offsets(ends)
    skipped = "was set to offset {} by somebody else, and the rows of test have applied it up to {}"
    assert skipped.format(ends[PLACES[0]], before[PLACES[0]] - 1) in await site.refused()

    await site.set_offsets({place: end + 1 for place, end in ends.items()})
    assert f"orders/0 ends at offset {ends[PLACES[0]]}, and test was" in await site.refused()

    await site.set_offsets(before)
    await site.work(EVENTS + 2 * KEYS)
    await publish(site.config, [""] * KEYS, first=EVENTS + 2 * KEYS, keys=KEYS)
    through, ends = ends, await site.ends()
    async with admin_client(site.config) as admin:
        await delete_before(admin, ends)
    reason = f"the events from {through[PLACES[0]]} to {ends[PLACES[0]] - 1} were deleted"
    assert reason in await site.refused()


async def test_a_new_service_begins_with_what_is_left_and_one_whose_offsets_expired_does_not(
    site: Site,
) -> None:
    """Its agent keeps no rows: what it has written says that it has run."""
    site.program = "newcomer_app"
    await site.make("notifications")
    await publish(site.config, [""] * EVENTS, keys=KEYS)
    before = await site.ends()
    async with admin_client(site.config) as admin:
        await delete_before(admin, before)
    await publish(site.config, [""] * KEYS, first=EVENTS, keys=KEYS)
    assert {
        f"orders/{place.partition} of test: 0 to {end - 1}" for place, end in before.items()
    } == (set((await site.consistent_cut()).deleted_before_start()))

    await site.work(EVENTS + KEYS)
    assert KEYS == len(await emitted_ids(site.config)), "what there was, each once"
    assert 1 == site.log.read_text().count("first start, from the earliest records there are")

    await publish(site.config, [""] * KEYS, first=EVENTS + KEYS, keys=KEYS)
    await site.work(EVENTS + 2 * KEYS)
    assert 1 == site.log.read_text().count("first start"), "the second is none"

    await site.forget_group()
    reason = await site.refused()
    assert "orders/0 begins at offset" in reason
    assert "test, which has run before, has committed nothing of it" in reason
    consistent_cut = await site.consistent_cut()
    assert ([], len(PLACES)) == (
        consistent_cut.deleted_before_start(),
        len(consistent_cut.deleted_unread()),
    )

    await site.adopt("beginning")
    await site.work(EVENTS + 2 * KEYS)


async def test_a_worker_at_work_ends_when_its_log_is_no_longer_what_it_was(site: Site) -> None:
    """Made again, then with more partitions: in seconds, not after five minutes."""
    await publish(site.config, [""] * EVENTS, keys=KEYS)
    worker = site.start()
    await until(lambda: site.has_committed(EVENTS), "the worker is at work")
    await site.make_again("orders")
    await publish(site.config, [""] * RETURNS, first=EVENTS, keys=KEYS)
    assert re.search("orders/. (is another log|ends at|is gone)", await site.refused(worker))

    await site.adopt("beginning")
    worker = site.start()
    await until(lambda: site.has_committed(RETURNS), "the worker is at work")
    async with admin_client(site.config) as admin:
        await admin.create_partitions({"orders": NewPartitions(6)})

    reason = await site.refused(worker)
    assert "topic orders has 6 partitions, test was started with 4" in reason
    assert received_of(EVENTS + RETURNS) == site.received()


async def test_rows_on_the_disk_of_another_machine_are_waited_for(
    site: Site, tmp_path: Path
) -> None:
    """The changelog was made again: who has no table is refused until one that has it was there."""
    await publish(site.config, [""] * EVENTS, keys=KEYS)
    await site.work(EVENTS)
    await site.make_again("payflow-test-tally-changelog")
    await site.adopt("committed")
    (tmp_path / "elsewhere").mkdir()
    own = site.config
    elsewhere = msgspec.structs.replace(own, data_dir=str(tmp_path / "elsewhere"))

    reason = await site.refused(site.start(elsewhere))
    assert "on the disk of another machine" in reason
    assert "`payflow adopt test --without-rows`" in reason

    await publish(own, [""] * KEYS, first=EVENTS, keys=KEYS)
    await site.work(EVENTS + KEYS)
    await wait_until_stopped(own, "test")
    site.config = elsewhere
    await publish(own, [""] * KEYS, first=EVENTS + KEYS, keys=KEYS)
    await site.work(EVENTS + 2 * KEYS)
    assert received_of(EVENTS + 2 * KEYS) == site.received(), "it has all of them now"


def set_offset(path: Path, offset: bytes) -> bytes:
    """Say how far the changelog is in a table on disk; return what it said before."""
    database = rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True))
    before = database.get(OFFSET_KEY)
    database.put(OFFSET_KEY, offset)
    database.close()
    assert isinstance(before, bytes)
    return before


def received_of(events: int) -> dict[str, int]:
    """Return how many of so many events each key has."""
    return dict(Counter(f"o{number % KEYS}" for number in range(events)))
