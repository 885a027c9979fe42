"""Runs an agent inside a Faust worker: takes batches, moves watermarks, wakes rows that are due."""

import asyncio
import heapq
import itertools
import logging
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import structlog
from faust.types import TP

from app.config import Config
from app.delivery.agent import Agent, FollowedKnowledge, InformedDecider, due_of
from app.delivery.agent_topics import consumed_topics
from app.delivery.processor import run_batch
from app.delivery.runtime import BatchResult
from app.delivery.timers import Deadlines
from app.host.exit import hard_stop
from app.kafka.producer import place_of, produce, produce_signed
from app.wire import codecs, signing
from app.wire.byte_limits import BATCH_BYTES_MAX
from app.wire.clock import now_ms
from app.wire.envelope import Envelope, derive_id, to_headers
from app.wire.log_context import About, logging_about
from app.wire.records import Outgoing, Record, due_ms, is_retry, size_of
from app.wire.topics import RETRY_LEVELS_SECONDS, timers_topic
from app.worker import metrics, transport
from app.worker.agent_producers import producer_of
from app.worker.faust_app import PayflowApp
from app.worker.stall import AgentProgress
from app.worker.store import Store
from tables import Table
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import type_name
from workflows.shared.topic import Topic

BATCH_EVENTS_MAX = 2_000
TICK_SECONDS = 0.2
"""How often deadlines and held retries are checked."""
WAKE_MAX = 1_000
"""Rows woken in one tick."""

log = structlog.get_logger(__name__)


class KafkaRuntime:
    """The engine's view of Kafka and RocksDB, through Faust."""

    def __init__(self, app: PayflowApp, agent: str, config: Config, store: Store | None) -> None:
        self._app = app
        self._agent = agent
        self._config = config
        self._store = store
        self._crash = app.crash_point
        self.checkpoints = 0
        """How many checkpoints were passed: the watchdog sees progress by it."""

    def now_ms(self) -> int:
        """Return the wall clock, in milliseconds."""
        return now_ms()

    def read(self, table: Table, partition: int, key: bytes) -> bytes | None:
        """Return the row's bytes, or None."""
        assert self._store is not None, table.name
        return self._store.get(partition, key)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Produce `records`, signed; return when the broker has acknowledged every one."""
        await produce_signed(producer_of(self._app, self._agent), records, self._config)

    async def store(self, table: Table, rows: Mapping[int, Mapping[bytes, bytes]]) -> None:
        """Put `rows` and their changelog records, acknowledged."""
        assert self._store is not None, table.name
        changes: list[Outgoing] = []
        for partition, members in rows.items():
            self._store.put(partition, members)
            changes += [
                Outgoing(
                    topic=self._store.changelog,
                    key=key,
                    value=value,
                    headers=[],
                    partition=partition,
                )
                for key, value in members.items()
            ]
        self.checkpoint("on disk")
        highest = await produce(producer_of(self._app, self._agent), changes, self._config)
        for (_, partition), offset in highest.items():
            self._store.drain(partition, offset)

    def is_authentic(self, record: Record, topic: Topic) -> bool:
        """Return whether Payflow produced `record`, or `topic` is open to other producers."""
        return signing.is_authentic(record, topic, self._config)

    def in_own_partition(self, record: Record) -> bool:
        """Return whether `record` lies in the partition that its key belongs to."""
        return record.partition == place_of(record.topic, record.key, self._config)

    def through(self, source: str) -> int:
        """Return the offset of a source before which every outbox was produced; -1: it is gone."""
        return self._app.through_source(source)

    def checkpoint(self, name: str) -> None:
        """Pass a checkpoint; a drill may have this process die here."""
        self.checkpoints += 1
        self._crash.pass_by(name)


class Runner:
    """One agent at work in this process."""

    def __init__(self, app: PayflowApp, agent: Agent, config: Config, store: Store | None) -> None:
        self.agent = agent
        self.store = store
        self.deadlines = Deadlines()
        self.followed: FollowedKnowledge[object] | None = None
        """The knowledge of an informed agent, once it is read."""
        self._app = app
        self._runtime = KafkaRuntime(app, agent.name, config, store)
        self._held: list[tuple[int, int, Record]] = []
        self._order = itertools.count()
        self._topics = frozenset(consumed_topics(agent))
        app.agent_names.append(agent.name)
        app.logs.register(agent, store)
        app.revocation_listeners.append(self._forget)

    async def run(self, stream: Any) -> None:
        """Take batches from `stream` until it ends. Ends the process when broker or disk fail."""
        await asyncio.sleep(0)
        with logging_about(self.agent.service, self.agent.name) as about:
            await self._run(stream.channel.queue, about)

    async def _run(self, queue: Any, about: About) -> None:
        while True:
            try:
                records = await self._next_batch(queue)
            except StopAsyncIteration:
                # Faust ends a stream by throwing this into its queue. Let out, it would make the
                # supervisor start the agent again, and the stop would wait for that for ever.
                return
            if self._app.should_stop:
                # A batch that has not begun is read again: a stop waits only for one that has.
                return
            if not records:
                continue
            try:
                await self._app.batches.run(self._handle(records))
            except Exception as error:
                if about.record is None:
                    # Broker or disk failed, not one event: the log names the first of the batch.
                    about.at(records[0])
                log.exception("batch failed", events=len(records))
                hard_stop(f"{self.agent.name}: {error!r}")

    def signs(self, assigned: Collection[TP]) -> AgentProgress:
        """Return the progress of this agent on the partitions `assigned`, for the watchdog."""
        not_due = Counter(
            (record.topic, record.partition)
            for due_ms, _, record in self._held
            if due_ms > now_ms()
        )
        done = {
            (tp.topic, tp.partition): self._app.through(tp) + not_due[tp.topic, tp.partition]
            for tp in assigned
            if tp.topic in self._topics
        }
        name, passed = self.agent.name, self._runtime.checkpoints
        return AgentProgress(name=name, checkpoints=passed, done=done, not_due=dict(not_due))

    async def rebuild(self) -> None:
        """Find every row that is due, after a recovery."""
        self.deadlines.clear()
        due = due_of(self.agent)
        if due is None or self.agent.table is None or self.store is None:
            return
        for partition, key, state in self.store.states(self.agent.table):
            self.deadlines.put(partition, key, due(state))

    async def wake(self) -> None:
        """Produce `DeadlineReached` for every row that is due, in a loop."""
        while due_of(self.agent) is not None:
            await asyncio.sleep(TICK_SECONDS)
            if not self._app.flows():
                continue
            reached = self.deadlines.reached(now_ms(), WAKE_MAX)
            if reached:
                # Of rows whose batch is discarded, the next recovery finds the deadlines again.
                due = [self._wake(*each) for each in reached]
                await self._app.batches.run(self._runtime.publish(due))

    def _wake(self, due_ms: int, partition: int, key: bytes) -> Outgoing:
        name = key.decode()
        message = DeadlineReached(key=name, due_at_ms=due_ms)
        envelope = Envelope(
            id=derive_id(self.agent.name, name, due_ms),
            type=type_name(DeadlineReached),
            source=f"/payflow/{self.agent.service}",
            time_ms=now_ms(),
            subject=name,
            correlation_id=name,
        )
        return Outgoing(
            topic=timers_topic(self.agent.name),
            key=key,
            value=codecs.encode(message),
            headers=to_headers(envelope),
            partition=partition,
        )

    async def _next_batch(self, queue: Any) -> list[Record]:
        """Return queued records and the retries that are due; wait when there are none."""
        records: list[Record] = []
        if not self._held:
            records.append(self._record_of(await queue.get()))
        elif queue.empty() and self._held[0][0] > now_ms():
            await asyncio.sleep(TICK_SECONDS)
        size = sum(size_of(each) for each in records)
        while len(records) < BATCH_EVENTS_MAX and size < BATCH_BYTES_MAX and not queue.empty():
            records.append(self._record_of(queue.get_nowait()))
            size += size_of(records[-1])
        due = [record for record in records if self._is_due(record)]
        while self._held and self._held[0][0] <= now_ms():
            due.append(heapq.heappop(self._held)[2])
        return due

    def _record_of(self, event: Any) -> Record:
        return self._app.logs.in_epoch(transport.record_of(event))

    def _is_due(self, record: Record) -> bool:
        if not is_retry(record):
            return True
        due_at_ms = due_ms(record)
        # No retry of Payflow waits longer than the longest level; one that claims to is not held.
        if not 0 <= due_at_ms - now_ms() <= 1_000 * RETRY_LEVELS_SECONDS[-1]:
            return True
        heapq.heappush(self._held, (due_at_ms, next(self._order), record))
        return False

    async def _handle(self, records: Sequence[Record]) -> None:
        started = time.perf_counter()
        knowledge = self.followed.current() if self.followed else None
        handled = await run_batch(self.agent, self._runtime, records, knowledge)
        for (partition, key), at_ms in handled.due.items():
            self.deadlines.put(partition, key, at_ms)
        self._advance(records)
        self._runtime.checkpoint("committed")
        self._report(records, handled, time.perf_counter() - started)

    def _advance(self, records: Sequence[Record]) -> None:
        held: dict[TP, int] = {}
        for _, _, record in self._held:
            tp = TP(record.topic, record.partition)
            held[tp] = min(record.offset, held.get(tp, record.offset))
        last: dict[TP, int] = {}
        for record in records:
            tp = TP(record.topic, record.partition)
            last[tp] = max(record.offset, last.get(tp, -1))
        for tp, offset in last.items():
            self._app.watermarks.move(tp, min(offset + 1, held.get(tp, offset + 1)))

    def _report(self, records: Sequence[Record], handled: BatchResult, seconds: float) -> None:
        metrics.count_batch(self.agent, records, handled, seconds)
        for dead_letter in handled.dead_letters:
            log.error(
                "dead letter", service=self.agent.service, agent=self.agent.name, **dead_letter
            )
        if log.is_enabled_for(logging.DEBUG):
            self._say_applied(handled)
        if isinstance(self.agent, InformedDecider) and self.followed is not None:
            try:
                self.agent.observe(handled.emitted, self.followed.current())
            except Exception:  # a failing metric must not stop the agent
                log.exception("observe failed", service=self.agent.service, agent=self.agent.name)

    def _say_applied(self, handled: BatchResult) -> None:
        with logging_about(self.agent.service, self.agent.name) as about:
            for record, (envelope, _) in zip(handled.records, handled.applied, strict=True):
                about.at(record, envelope)
                log.debug("applied", type=envelope.type)

    def _forget(self, _revoked: set[TP]) -> None:
        # A rebalance revokes all partitions: held retries are read again by the next owner.
        self._held.clear()
        self.deadlines.clear()
