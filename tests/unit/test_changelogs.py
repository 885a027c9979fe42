"""Changelogs and the tables they fill: on which disk the rows are, and what a check makes of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED

from app.config import Config
from app.delivery.row import LOGS_KEY, ONCE_PREFIX, Row, encode_row
from app.kafka import logs as kafka_logs
from app.kafka.applied_logs import AppliedLog, decode_logs, encode_logs, log_of_mark, mark_of
from app.kafka.logs import LogIdentity, PlaceFacts, TopicLog
from app.registry import load_agents
from app.wire.records import Outgoing
from app.wire.topics import partitions_of
from app.worker import changelog_files, log_check
from app.worker.applied_rows import applied_offsets, rows_view
from app.worker.changelog_files import TableFile, refill
from app.worker.faust_app import PayflowApp
from app.worker.log_check import LogCheck
from app.worker.log_identity import LogRefused
from app.worker.stall import Signs, Stall
from app.worker.store import PAGE_ROWS_MAX, Store
from app.worker.store_repair import OFFSET_KEY
from tests.support.store_files import Table

CONFIG = Config(service="payment")
PARTITIONS = partitions_of("orders", CONFIG)
PLACE = ("orders", 0)
ORDERS = TopicPartition(*PLACE)
CHANGELOG = "payflow-payment-payments-changelog"
LOG = LogIdentity(topic_id="orders-log")
MARK = ONCE_PREFIX + b"receipt-1"
STALL_SECONDS = 90.0


class Machine(Table):
    """The table on the disk of one machine, as Faust keeps it."""

    changelog_topic = SimpleNamespace(get_topic_name=lambda: CHANGELOG)

    def recover(self, changelog: "Changelog", partition: int = 0) -> None:
        """Bring a changelog into it, from where it is."""
        database = self._db_for_partition(partition)
        first = int(database.get(OFFSET_KEY) or -1) + 1
        for key, value in changelog.records[first:]:
            if value is None:
                database.delete(key)
            else:
                database.put(key, value)
        if changelog.records:
            database.put(OFFSET_KEY, b"%d" % (len(changelog.records) - 1))


class Changelog:
    """One partition of a changelog topic, as a broker keeps it."""

    def __init__(self, name: str) -> None:
        self.identity = LogIdentity(topic_id=name, cluster_id="c")
        self.records: list[tuple[bytes, bytes | None]] = []

    async def produce(
        self, _producer: object, records: Sequence[Outgoing], _config: Config
    ) -> dict[tuple[str, int], int]:
        self.records += [(each.key or b"", each.value) for each in records]
        return {(CHANGELOG, 0): len(self.records) - 1} if records else {}

    def newest(self) -> dict[bytes, bytes]:
        return {key: value for key, value in dict(self.records).items() if value is not None}


class Cluster:
    """What brokers keep of a topic, its group and a changelog, whichever machine asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changelog = Changelog("first")
        self.committed: int | None = None
        self.metadata = ""
        self.patch = monkeypatch
        monkeypatch.setattr(log_check, "place_facts", self.place_facts)
        monkeypatch.setattr(log_check, "has_service_run", self.has_service_run)
        monkeypatch.setattr(changelog_files, "produce", self.produce)

    async def produce(self, *args: Any) -> dict[tuple[str, int], int]:
        return await self.changelog.produce(*args)

    async def has_service_run(self, *_args: object) -> bool:
        return False

    async def place_facts(self, *_args: object) -> dict[TopicPartition, PlaceFacts]:
        """Return facts of `orders`, and of two partitions of the changelog, both the same."""
        log = TopicLog(identity=LOG, partitions=PARTITIONS)
        own = TopicLog(identity=self.changelog.identity, partitions=PARTITIONS)
        rows = PlaceFacts(log=own, begin=0, end=len(self.changelog.records), committed=None)
        return {
            ORDERS: PlaceFacts(
                log=log, begin=0, end=100, committed=self.committed, metadata=self.metadata
            ),
            **{TopicPartition(CHANGELOG, at): rows for at in (0, 1)},
        }

    def adopt(self, *, stored: int | None) -> None:
        """Do what `payflow adopt` does."""
        mark = AppliedLog(identity=LOG, epoch=7, adopted=True, stored=stored)
        self.metadata = mark_of(mark)


class App:
    """The Faust application of one machine."""

    owned_topics: set[str] = set()

    def __init__(self, cluster: Cluster, folder: Path, name: str) -> None:
        self.cluster = cluster
        (folder / name).mkdir(exist_ok=True)
        self.table = Machine(folder / name / "payments-0.db")
        self.logs = LogCheck(CONFIG)
        self.store = Store(self.table)
        self.logs.register(load_agents()["payment"], self.store)
        self.rebalances = 0
        self.in_commit: Callable[[], object] = lambda: None

    def flows(self) -> bool:
        return False

    def sources(self) -> list[tuple[str, int]]:
        return [PLACE]

    def through_source(self, source: str) -> int:
        return len(source)

    def producer_of(self, agent: str) -> Any:
        return agent

    async def commit_at(self, offsets: Mapping[tuple[str, int], int]) -> bool:
        self.in_commit()
        if PLACE in offsets:
            await self.commit(offsets[PLACE])
        return True

    async def commit(self, offset: int) -> None:
        self.cluster.committed = offset
        self.cluster.metadata = self.logs.mark(*ORDERS) or ""

    async def start(self) -> None:
        """Recover, and check, once."""
        self.table.recover(self.cluster.changelog)
        await self.logs._check(self)

    async def apply(self, rows: Mapping[bytes, bytes], through: int) -> None:
        """Apply events: rows, their changelog, then the commit."""
        await changelog_files.put_rows(self.producer_of(""), self.store, 0, rows, CONFIG)
        await self.commit(through)

    def take_as_it_is(self) -> None:
        """Do what the check of files does, before Faust opens a table that was adopted."""
        noted = decode_logs(self.store.get(0, LOGS_KEY)) | {
            CHANGELOG: AppliedLog(identity=LogIdentity())
        }
        database = self.table._db_for_partition(0)
        database.put(LOGS_KEY, encode_logs(noted))
        database.put(OFFSET_KEY, b"%d" % (len(self.cluster.changelog.records) - 1))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


@pytest.fixture
async def first(cluster: Cluster, tmp_path: Path) -> App:
    """A machine that has applied 50 events."""
    app = App(cluster, tmp_path, "first")
    await app.start()
    await app.apply({b"order-1": b"a row", MARK: b"{}"}, 50)
    return app


async def test_all_that_a_table_holds_is_put_into_its_changelog_again(
    first: App, cluster: Cluster
) -> None:
    """Marks of what is done once for ever, too: a repeated receipt would count again."""
    cluster.changelog = Changelog("second")
    cluster.adopt(stored=2)
    first.take_as_it_is()
    first.logs = LogCheck(CONFIG)
    first.logs.register(load_agents()["payment"], first.store)

    await first.logs._check(first)

    newest = cluster.changelog.newest()
    assert {b"order-1", MARK, LOGS_KEY} == newest.keys()
    assert cluster.changelog.identity == decode_logs(newest[LOGS_KEY])[CHANGELOG].identity


async def test_a_changelog_is_filled_in_pages_and_each_is_a_sign_of_progress(
    first: App, cluster: Cluster
) -> None:
    """Even if all of it takes hours; a partition that is gone is filled no further."""
    rows = {b"order-%05d" % number: b"row" for number in range(3 * PAGE_ROWS_MAX)}
    first.store.put(0, rows)
    stall, clock, pages = Stall(STALL_SECONDS), 0.0, list[int]()
    faust: Any = SimpleNamespace(
        logs=first.logs,
        tables=SimpleNamespace(recovery=SimpleNamespace(_last_active_event_processed_at=None)),
    )
    concluded = set[str]()

    async def put(_store: Store, _at: int, page: Mapping[bytes, bytes | None]) -> None:
        nonlocal clock
        pages.append(len(page))
        for _ in range(int(STALL_SECONDS) - 10):
            clock += 1
            at = PayflowApp.recovered_at(faust)
            signs = Signs(noted_at=clock, flows=False, recovered_at=at, agents=())
            concluded.add(stall.conclude(clock, signs, {}))
        await asyncio.sleep(0)

    first.logs._put = lambda _app, store, at, page: put(store, at, page)  # type: ignore[method-assign,assignment]
    opened = first.logs._opened(first)
    changelogs = {CHANGELOG: TopicLog(identity=cluster.changelog.identity, partitions=PARTITIONS)}
    await first.logs._note(first, opened, {(CHANGELOG, 0)}, changelogs)

    assert {""} == concluded
    assert [1, PAGE_ROWS_MAX, PAGE_ROWS_MAX, PAGE_ROWS_MAX, 2] == pages

    def go_on() -> None:
        first.rebalances += 1
        opened.check()

    pages.clear()
    with pytest.raises(log_check.Rebalanced):
        await refill(put, first.store, 0, go_on)
    assert [1] == pages, "nothing is written over what another worker writes"


async def test_what_rows_have_applied_is_read_in_pages(first: App) -> None:
    """A partition of a month takes minutes: the loop goes on, and the watchdog sees progress."""
    # A new group, whose rows have applied offsets of the log that has epoch 0.
    facts = await first.cluster.place_facts()
    facts[ORDERS] = msgspec.structs.replace(facts[ORDERS], committed=None, metadata="")
    count = 2 * PAGE_ROWS_MAX + 1
    rows = {
        b"order-%05d" % n: encode_row(Row(state=None, applied_offsets={"orders/0": n}))
        for n in range(count)
    }
    first.store.put(0, {**rows, b"order-00007": b"no row"})
    opened, other = first.logs._opened(first), list[float | None]()

    async def note_signs() -> None:
        while True:
            other.append(first.logs.filled_at)
            first.logs.filled_at = None
            await asyncio.sleep(0)

    noting = asyncio.create_task(note_signs())
    applied = await applied_offsets([ORDERS], facts, opened)
    noting.cancel()

    view = rows_view(first.store, ORDERS, opened, applied)
    assert view is not None
    assert (count - 1, -1) == (view.highest(0), view.highest(7))
    assert 3 <= len([at for at in other if at is not None]), "each page is a sign of progress"

    first.rebalances += 1
    with pytest.raises(log_check.Rebalanced):
        await applied_offsets([ORDERS], facts, opened)

    facts[ORDERS] = msgspec.structs.replace(
        facts[ORDERS], committed=7, metadata=mark_of(AppliedLog(identity=LOG))
    )
    assert {} == await applied_offsets([ORDERS], facts, opened), "nobody asks: nothing is read"


async def test_a_changelog_goes_to_its_end_and_a_topic_to_what_is_decided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A transaction left open on a changelog would look as if that had been cut off."""
    changelog = TopicPartition(CHANGELOG, 0)
    ends = {READ_COMMITTED: 3, READ_UNCOMMITTED: 9}

    class Fetcher:
        _isolation_level = READ_COMMITTED

        async def end_offsets(self, places: Sequence[TopicPartition], _ms: object) -> Any:
            return dict.fromkeys(places, ends[self._isolation_level])

    class Consumer:
        _fetcher = Fetcher()

        def assign(self, _places: object) -> None: ...

        def pause(self, *_places: object) -> None: ...

        async def beginning_offsets(self, places: Sequence[TopicPartition]) -> Any:
            return dict.fromkeys(places, 0)

        async def end_offsets(self, places: Sequence[TopicPartition]) -> Any:
            return await self._fetcher.end_offsets(places, None)

    async def topic_logs(_client: object, names: set[str]) -> dict[str, TopicLog]:
        return dict.fromkeys(names, TopicLog(identity=LOG, partitions=1))

    async def commits(*_args: object) -> dict[TopicPartition, Any]:
        return {}

    monkeypatch.setattr(kafka_logs, "topic_logs", topic_logs)
    monkeypatch.setattr(kafka_logs, "commits", commits)
    consumer: Any = Consumer()
    admin: Any = None

    facts = await kafka_logs._place_facts(consumer, admin, "payflow-payment", [ORDERS, changelog])

    assert {ORDERS: 3, changelog: 9} == {place: each.end for place, each in facts.items()}
    assert READ_COMMITTED == consumer._fetcher._isolation_level


async def test_partitions_that_open_while_a_check_waits_are_asked_about(
    first: App, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A healthy worker goes on; where partitions were given up, a check of its own follows."""
    monkeypatch.setattr(log_check, "CHECK_AGAIN_SECONDS", 0)
    other = Machine(tmp_path / "first" / "payments-1.db")
    first.in_commit = lambda: first.table._dbs.setdefault(1, other._db_for_partition(1))

    await first.logs.check(first)
    assert [0, 1] == [at for _, at in first.logs._opened(first).places]
    assert CHANGELOG in decode_logs(first.store.get(1, LOGS_KEY)), "the one that came is noted too"
    assert first.logs._is_noted

    first.cluster.adopt(stored=0)

    def give_up() -> None:
        first.rebalances += 1
        first.table._dbs.pop(1, None)

    first.in_commit = give_up
    await first.logs.check(first)
    assert not first.logs._is_noted, "the next check is to note it"


@pytest.mark.usefixtures("first")
async def test_a_machine_without_the_rows_does_not_go_on_after_an_adoption(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The changelog was made again; another machine has the table on its disk."""
    cluster.changelog = Changelog("second")
    cluster.adopt(stored=2)
    second = App(cluster, tmp_path, "second")

    with pytest.raises(LogRefused, match=r"on the disk of another machine.*--without-rows"):
        await second.start()
    assert cluster.committed == 50
    assert [] == cluster.changelog.records

    cluster.adopt(stored=None)
    third = App(cluster, tmp_path, "third")
    await third.start()
    assert LOGS_KEY in cluster.changelog.newest(), "the operator goes on without them"


async def test_a_machine_that_finds_half_a_filled_changelog_does_not_go_on(
    first: App, cluster: Cluster, tmp_path: Path
) -> None:
    """The one that fills it was killed after its first page; started again it fills all of it."""
    first.store.put(0, {b"order-%05d" % number: b"row" for number in range(2 * PAGE_ROWS_MAX)})
    del cluster.changelog.records[1:]
    assert LOGS_KEY in cluster.changelog.newest(), "cut off, and not made again"
    cluster.adopt(stored=cluster_stored(first))
    first.take_as_it_is()
    first.logs = LogCheck(CONFIG)
    first.logs.register(load_agents()["payment"], first.store)
    produce, puts = cluster.changelog.produce, list[int]()

    async def killed(*args: Any) -> dict[tuple[str, int], int]:
        puts.append(1)
        if len(puts) > 2:
            raise LogRefused("killed")
        return await produce(*args)

    cluster.changelog.produce = killed  # type: ignore[method-assign]
    with pytest.raises(LogRefused, match="killed"):
        await first.logs._check(first)
    cluster.changelog.produce = produce  # type: ignore[method-assign]
    assert PAGE_ROWS_MAX <= len(cluster.changelog.newest())

    with pytest.raises(LogRefused, match="on the disk of another machine"):
        await App(cluster, tmp_path, "second").start()

    first.take_as_it_is()
    await first.logs._check(first)
    await App(cluster, tmp_path, "third").start()
    assert 2 * PAGE_ROWS_MAX + 3 == len(cluster.changelog.newest())


def cluster_stored(app: App) -> int:
    """Return how far the latest commit says that rows are stored."""
    mark = log_of_mark(app.cluster.metadata)
    assert mark is not None
    assert mark.stored is not None
    return mark.stored


@pytest.mark.parametrize(
    ("held", "topic_id", "is_refused"),
    [
        pytest.param(49, "first", False, id="all that was stored"),
        pytest.param(9, "first", True, id="left behind where the partition was before"),
        pytest.param(9, "", False, id="taken already"),
    ],
)
async def test_a_table_that_was_left_behind_is_not_taken_for_the_newest(
    tmp_path: Path, held: int, topic_id: str, *, is_refused: bool
) -> None:
    """What was stored since is on another disk, and would be lost without a word."""
    path = tmp_path / "payments-0.db"
    Machine(path)._db_for_partition(0).close()
    log = LogIdentity(topic_id=topic_id, cluster_id="c") if topic_id else LogIdentity()
    second = LogIdentity(topic_id="second", cluster_id="c")
    file = TableFile(
        path=path, changelog=CHANGELOG, partition=0, offset=held,
        logs={CHANGELOG: AppliedLog(identity=log)},
    )  # fmt: skip
    now = PlaceFacts(
        log=TopicLog(identity=second, partitions=PARTITIONS), begin=0, end=0, committed=None
    )
    marks = [AppliedLog(identity=LOG, epoch=7, adopted=True, stored=50)]

    if is_refused:
        with pytest.raises(LogRefused, match=r"up to 50, and the table on this disk .* up to 10"):
            await changelog_files._check_file(file, CONFIG, now, marks)
    else:
        await changelog_files._check_file(file, CONFIG, now, marks)


async def test_a_filling_that_ends_before_its_last_commit_begins_anew(
    first: App, cluster: Cluster
) -> None:
    """The changelog was made again, and is shorter than what was ever stored in the old one."""
    cluster.changelog = Changelog("second")
    cluster.adopt(stored=50_000)
    first.take_as_it_is()
    again = [LogCheck(CONFIG), LogCheck(CONFIG)]
    for each in again:
        each.register(load_agents()["payment"], first.store)
    commits: list[int] = []

    def killed() -> None:
        commits.append(1)
        if len(commits) == 2:
            raise LogRefused("killed")

    first.logs, first.in_commit = again[0], killed
    with pytest.raises(LogRefused, match="killed"):
        await first.logs._check(first)
    first.logs, first.in_commit = again[1], list
    await first.logs._check(first)

    mark = log_of_mark(cluster.metadata)
    assert mark is not None
    assert (False, len(cluster.changelog.records)) == (mark.adopted, mark.stored)


async def test_a_machine_that_recovers_a_changelog_that_was_cut_off_does_not_go_on(
    first: App, cluster: Cluster, tmp_path: Path
) -> None:
    """Its rows would be older than what is committed; whole, the same changelog is taken."""
    assert 3 == len(cluster.changelog.records) == cluster_stored(first)
    await App(cluster, tmp_path, "second").start()
    # That the service had never run before is noted no longer.
    assert 4 == len(cluster.changelog.records) == cluster_stored(first)

    cluster.changelog.records.pop()

    with pytest.raises(LogRefused, match=r"ends at offset 3.*up to 4: it has been cut off"):
        await App(cluster, tmp_path, "third").start()

    cluster.adopt(stored=4)
    with pytest.raises(LogRefused, match=r"up to 4: it has been cut off.*--without-rows"):
        await App(cluster, tmp_path, "fourth").start()
    cluster.adopt(stored=None)
    await App(cluster, tmp_path, "fifth").start()
