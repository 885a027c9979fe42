"""Lets a worker read only the logs that its rows have applied (ADR 19).

It checks the tables on disk before Faust opens them, and every source once its partition has
been recovered, before anything of it is read. `app.worker.log_watch` goes on while events flow.
"""

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec
import structlog
from aiokafka import AIOKafkaProducer, TopicPartition

from app.config import Config
from app.delivery.agent import Agent
from app.delivery.agent_topics import consumed_topics
from app.delivery.row import LOGS_KEY, highest_applied
from app.host.exit import EXIT_REFUSED, hard_stop
from app.kafka.applied_logs import AppliedLog, AppliedLogs, decode_logs, encode_logs, mark_of
from app.kafka.errors import BROKER_AWAY
from app.kafka.groups import group_of
from app.kafka.logs import LogIdentity, PlaceFacts, TopicLog, place_facts
from app.wire.records import Record, source_name
from app.wire.topics import partitions_of, topic_name
from app.worker.changelog_files import check_files, put_rows, refill
from app.worker.first_start import has_service_run, report_start
from app.worker.left_behind import produce_left_behind
from app.worker.log_identity import (
    LogRefused,
    Position,
    RowsView,
    Source,
    check_changelog,
    is_adopted,
    judge,
)
from app.worker.store import Store

CHECK_AGAIN_SECONDS = 1.0
"""How long a worker waits for a broker that was away when its logs were to be checked."""

log = structlog.get_logger(__name__)


class WorkerApp(Protocol):
    """A worker's Faust application."""

    owned_topics: set[str]

    def flows(self) -> bool:
        """Return whether events flow."""
        ...

    def sources(self) -> Sequence[tuple[str, int]]:
        """Return the topics and partitions that are assigned."""
        ...

    def through_source(self, source: str) -> int:
        """Return the offset of a source before which everything is stored and produced."""
        ...

    def producer_of(self, agent: str) -> AIOKafkaProducer:
        """Return the producer of `agent`."""
        ...

    async def commit_at(self, offsets: Mapping[tuple[str, int], int], /) -> bool:
        """Commit `offsets`; return whether the group took them."""
        ...


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
        return mark_of(msgspec.structs.replace(position.log, adopted=not self._is_noted))

    async def check_tables(self, folder: Path) -> None:
        """Check the tables on disk under `folder` before Faust opens them; may end the process."""
        sources = {
            store.changelog: [topic for topic, (_, of) in self._readers.items() if of is store]
            for store in self._stores()
        }
        await or_end(check_files(folder, self.config, self.group, sources))

    async def check(self, app: WorkerApp) -> None:
        """Check every source that is assigned; end the process when one is refused."""
        async with self._checking:
            while not await or_end(self._check(app), BROKER_AWAY):  # noqa: ASYNC110  it asks
                await asyncio.sleep(CHECK_AGAIN_SECONDS)

    async def _check(self, app: WorkerApp) -> None:
        assigned = [TopicPartition(*source) for source in app.sources()]
        places = [place for place in assigned if place.topic in self._readers]
        if not places:
            return
        before = {
            (store.changelog, at): decode_logs(store.get(at, LOGS_KEY))
            for store in self._stores()
            for at in store.open_partitions()
        }
        own = [TopicPartition(*at) for at in before]
        facts = await place_facts(self.config, self.group, [*places, *own])
        changelogs = {place.topic: facts[place].log for place in own if place in facts}
        has_run = await self._has_run(app.owned_topics, places, facts, before.values())
        positions = self._judge(places, facts, before, has_run=has_run)
        refills = self._refills(facts, before, changelogs)
        await produce_left_behind(app, self._readers, places, facts, self.config)
        self.positions |= positions
        unsaid = {
            (place.topic, place.partition): at.offset
            for place, at in positions.items()
            if not at.is_committed
        }
        # A commit that the rows do not know of is marked as adopted until they do: a crash between
        # the two must not look as if rows had been lost.
        self._is_noted = False
        if not await app.commit_at(unsaid):
            return  # The partitions are being shared out again; so this is asked again.
        for store in self._stores():
            for at in store.open_partitions():
                was = before[store.changelog, at]
                now = self._logs_of(store, at, was, changelogs)
                if (store.changelog, at) in refills:
                    await refill(partial(self._put, app), store, at)
                if now != was:
                    await self._put(app, store, at, {LOGS_KEY: encode_logs(now)})
        self._is_noted = True
        await app.commit_at(unsaid)
        report_start(positions, self.config.service)
        self.changelogs = {name: each.identity for name, each in changelogs.items()}

    def _stores(self) -> list[Store]:
        stores = {id(store): store for _, store in self._readers.values() if store is not None}
        return list(stores.values())

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
        before: Mapping[tuple[str, int], AppliedLogs],
        *,
        has_run: bool,
    ) -> dict[TopicPartition, Position]:
        positions: dict[TopicPartition, Position] = {}
        refused: list[LogRefused] = []
        for place in sorted(places):
            try:
                rows = self._rows(place, before)
                positions[place] = judge(
                    self.source(*place), facts.get(place), rows, has_run=has_run
                )
            except LogRefused as error:
                refused.append(error)
        _raise_first(refused)
        return positions

    def _rows(
        self, place: TopicPartition, before: Mapping[tuple[str, int], AppliedLogs]
    ) -> RowsView | None:
        """Return what the rows of `place` say; None: its agent keeps none."""
        store = self._readers[place.topic][1]
        if store is None or (store.changelog, place.partition) not in before:
            return None

        def highest(epoch: int) -> int | None:
            if topic_name(place.topic).kind == "retry":
                return None
            bodies = (body for _, body in store.scan(place.partition, b""))
            return highest_applied(bodies, source_name(place.topic, place.partition, epoch))

        known = before[store.changelog, place.partition].get(place.topic)
        return RowsView(log=known, highest=highest)

    def _refills(
        self,
        facts: Mapping[TopicPartition, PlaceFacts],
        before: Mapping[tuple[str, int], AppliedLogs],
        changelogs: Mapping[str, TopicLog],
    ) -> set[tuple[str, int]]:
        """Return the partitions of changelogs that are to be filled from the table on disk."""
        adopted = {place.partition for place, each in facts.items() if is_adopted(each.metadata)}
        refills: set[tuple[str, int]] = set()
        refused: list[LogRefused] = []
        for (name, at), was in before.items():
            now = changelogs[name].identity if name in changelogs else None
            try:
                if check_changelog(
                    self.source(name, at), was.get(name), now, is_adopted=at in adopted
                ):
                    refills.add((name, at))
            except LogRefused as error:
                refused.append(error)
        _raise_first(refused)
        return refills

    def _logs_of(
        self, store: Store, at: int, was: AppliedLogs, changelogs: Mapping[str, TopicLog]
    ) -> AppliedLogs:
        """Return the logs that the rows of a partition have applied, as they are read from now."""
        own = {
            topic: self.positions[topic, at].log
            for topic, (_, of) in self._readers.items()
            if of is store and (topic, at) in self.positions
        }
        changelog = AppliedLog(identity=changelogs[store.changelog].identity)
        return {**was, **own, store.changelog: changelog}

    async def _put(
        self, app: WorkerApp, store: Store, at: int, rows: Mapping[bytes, bytes]
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


def _raise_first(refused: Iterable[LogRefused]) -> None:
    first, *others = [*refused] or [None]
    if first is not None:
        raise LogRefused(f"{first}{f' {len(others)} more are refused.' if others else ''}")
