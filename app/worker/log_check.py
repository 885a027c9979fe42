"""Lets a worker read only the logs that its rows have applied (ADR 19).

It checks the tables on disk before Faust opens them, and every source once its partition has
been recovered, before anything of it is read. `app.worker.log_watch` goes on while events flow.
"""

import asyncio
import time
from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
import structlog
from aiokafka import TopicPartition

from app.config import Config
from app.delivery.agent import Agent
from app.delivery.agent_topics import consumed_topics
from app.delivery.row import LOGS_KEY
from app.host.exit import EXIT_REFUSED, hard_stop
from app.kafka.applied_logs import AppliedLog, AppliedLogs, encode_logs, mark_of, marks_of
from app.kafka.errors import BROKER_AWAY
from app.kafka.groups import group_of
from app.kafka.logs import LogIdentity, PlaceFacts, TopicLog, place_facts
from app.wire.records import Record
from app.wire.topics import partitions_of
from app.worker.applied_rows import AppliedOffsets, applied_offsets, rows_view
from app.worker.changelog_files import check_files, put_rows, refill
from app.worker.first_start import has_service_run, report_start
from app.worker.left_behind import produce_left_behind
from app.worker.log_identity import (
    LogRefused,
    Position,
    Source,
    judge,
    raise_first,
    stored_of,
)
from app.worker.open_partitions import OpenPartitions, PartitionsMoved, Rebalanced, marks_of_table
from app.worker.store import Store
from app.worker.worker_app import WorkerApp

CHECK_AGAIN_SECONDS = 1.0
"""How long a worker waits for a broker that was away when its logs were to be checked."""

log = structlog.get_logger(__name__)


class LogCheck:
    """What the agents of one worker read: in which log, and in which epoch of it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.positions: dict[tuple[str, int], Position] = {}
        """By topic and partition, what was found right."""
        self.changelogs: dict[str, LogIdentity] = {}
        self._readers: dict[str, tuple[Agent, Store | None]] = {}
        """By topic: of one service, one agent alone reads it."""
        self._checking = asyncio.Lock()
        self._is_noted = True
        self._marks: dict[tuple[str, int], AppliedLog] = {}
        """By topic and partition, what was committed before this check."""
        self.filled_at: float | None = None
        """When a check last got further: it may put whole tables into their changelogs."""

    @property
    def group(self) -> str:
        """Return the name of the consumer group."""
        return group_of(self.config.service)

    def register(self, agent: Agent, store: Store | None) -> None:
        """Note what `agent` reads, and where its rows are."""
        self._readers |= dict.fromkeys(consumed_topics(agent), (agent, store))

    def topics(self) -> set[str]:
        """Return the topics that are read."""
        return set(self._readers)

    def source(self, topic: str, partition: int) -> Source:
        """Return the source that lies there."""
        return Source(
            service=self.config.service,
            topic=topic,
            partition=partition,
            partitions=partitions_of(topic, self.config),
        )

    def epoch(self, topic: str, partition: int) -> int:
        """Return the epoch of the log that is read there."""
        position = self.positions.get((topic, partition))
        return position.log.epoch if position is not None else 0

    def in_epoch(self, record: Record) -> Record:
        """Return `record` with the epoch of its log."""
        epoch = self.epoch(record.topic, record.partition)
        return msgspec.structs.replace(record, epoch=epoch) if epoch else record

    def mark(self, topic: str, partition: int) -> str | None:
        """Return the metadata of a commit there; None while it has not been checked."""
        position = self.positions.get((topic, partition))
        if position is None:
            return None if topic in self._readers else ""
        store = self._readers[topic][1]
        before = self._marks.get((topic, partition))
        stored = before.stored if before is not None else None
        if self._is_noted:
            stored = store.stored.get(partition) if store is not None else None
        adopted = not self._is_noted
        return mark_of(msgspec.structs.replace(position.log, adopted=adopted, stored=stored))

    async def check_tables(self, folder: Path) -> None:
        """Check the tables on disk under `folder` before Faust opens them; may end the process."""
        sources = {
            store.changelog: [topic for topic, (_, of) in self._readers.items() if of is store]
            for store in self._stores()
        }
        await or_end(check_files(folder, self.config, self.group, sources))

    async def check(self, app: WorkerApp) -> None:
        """Check every source that is assigned; end the process when one is refused."""
        passing = (*BROKER_AWAY, PartitionsMoved)
        async with self._checking:
            while not await or_end(self._check(app), passing):  # noqa: ASYNC110  it asks
                await asyncio.sleep(CHECK_AGAIN_SECONDS)

    async def _check(self, app: WorkerApp) -> None:
        assigned = [TopicPartition(*source) for source in app.sources()]
        places = [place for place in assigned if place.topic in self._readers]
        if places:
            with suppress(Rebalanced):
                await self._check_places(app, places, self._opened(app))

    async def _check_places(
        self, app: WorkerApp, places: Sequence[TopicPartition], opened: OpenPartitions
    ) -> None:
        own = [TopicPartition(*at) for at in opened.logs]
        facts = await place_facts(self.config, self.group, [*places, *own])
        changelogs = {place.topic: facts[place].log for place in own if place in facts}
        has_run = await self._has_run(app.owned_topics, places, facts, opened.logs.values())
        opened.check()
        applied = await applied_offsets(places, facts, opened)
        positions = self._judge(places, facts, opened, applied, has_run=has_run)
        refills = opened.refills(self._readers, facts, self.source)
        readers = {place: self._readers[place.topic] for place in places}
        await produce_left_behind(app, readers, opened, facts, self.config)
        opened.check()
        self.positions |= positions
        unsaid = {
            (place.topic, place.partition): at.offset
            for place, at in positions.items()
            if not at.is_committed
        }
        # A commit that the rows do not know of is marked as adopted until they do: a crash between
        # the two must not look as if rows had been lost.
        self._is_noted = False
        self._marks = marks_of(facts)
        if not await app.commit_at(unsaid):
            return  # The partitions are being shared out again; so this is asked again.
        opened.check()
        await self._note(app, opened, refills, changelogs)
        self._is_noted = True
        await app.commit_at(unsaid)
        report_start(positions, self.config.service)
        self.changelogs = {name: each.identity for name, each in changelogs.items()}

    async def _note(
        self,
        app: WorkerApp,
        opened: OpenPartitions,
        refills: Collection[tuple[str, int]],
        changelogs: Mapping[str, TopicLog],
    ) -> None:
        """Fill changelogs, and have the rows note which logs they apply from now on."""
        for store, at in opened.places:
            was = opened.logs[store.changelog, at]
            is_filled = (store.changelog, at) in refills
            now = self._logs_of(store, at, was, changelogs, is_filled=is_filled)
            put = partial(self._put, app)
            if is_filled:
                await refill(put, store, at, opened.go_on)
            if now != was:
                await put(store, at, {LOGS_KEY: encode_logs(now)})
            opened.go_on()

    def _stores(self) -> list[Store]:
        stores = {id(store): store for _, store in self._readers.values() if store is not None}
        return list(stores.values())

    def _opened(self, app: WorkerApp) -> OpenPartitions:
        def note_progress() -> None:
            self.filled_at = time.monotonic()

        return OpenPartitions(app, self._stores(), note_progress)

    async def _has_run(
        self,
        owned: Collection[str],
        places: Sequence[TopicPartition],
        facts: Mapping[TopicPartition, PlaceFacts],
        rows: Collection[AppliedLogs],
    ) -> bool:
        """Return whether the service has run before; only a start without a commit asks for it."""
        if all(facts[place].committed is not None for place in places if place in facts):
            return True
        return await has_service_run(self.config, self.group, owned, rows)

    def _judge(
        self,
        places: Sequence[TopicPartition],
        facts: Mapping[TopicPartition, PlaceFacts],
        opened: OpenPartitions,
        applied: AppliedOffsets,
        *,
        has_run: bool,
    ) -> dict[TopicPartition, Position]:
        positions: dict[TopicPartition, Position] = {}
        refused: list[LogRefused] = []
        for place in sorted(places):
            try:
                store = self._readers[place.topic][1]
                rows = rows_view(store, place, opened, applied) if store is not None else None
                positions[place] = judge(
                    self.source(*place), facts.get(place), rows, has_run=has_run
                )
            except LogRefused as error:
                refused.append(error)
        raise_first(refused)
        return positions

    def _logs_of(
        self,
        store: Store,
        at: int,
        was: AppliedLogs,
        changelogs: Mapping[str, TopicLog],
        *,
        is_filled: bool,
    ) -> AppliedLogs:
        """Return the logs that the rows of a partition have applied, as they are read from now.

        Of a changelog that is filled they say what it stands for: a check that is interrupted
        before its commits say so begins anew.
        """
        own = {
            topic: self.positions[topic, at].log
            for topic, (_, of) in self._readers.items()
            if of is store and (topic, at) in self.positions
        }
        applied_log = was.get(store.changelog)
        stored = applied_log.stored if applied_log is not None else None
        if is_filled:
            stored = stored_of(marks_of_table(self._readers, self._marks, store, at))
        changelog = AppliedLog(identity=changelogs[store.changelog].identity, stored=stored)
        return {**was, **own, store.changelog: changelog}

    async def _put(
        self, app: WorkerApp, store: Store, at: int, rows: Mapping[bytes, bytes | None]
    ) -> None:
        agent = next(agent for agent, of in self._readers.values() if of is store)
        await put_rows(app.producer_of(agent.name), store, at, rows, self.config)


async def or_end(checking: Awaitable[None], passing: tuple[type[Exception], ...] = ()) -> bool:
    """Return whether `checking` met no error of `passing`; any other ends the process."""
    try:
        await checking
    except LogRefused as error:
        hard_stop(str(error), EXIT_REFUSED)
    except passing as error:
        log.warning("logs not checked yet", error=repr(error))
        return False
    except Exception as error:
        # Faust swallows what a callback of its recovery raises, and would go on.
        log.exception("logs not checked")
        hard_stop(f"it is not known which logs there are: {error!r}")
    return True
