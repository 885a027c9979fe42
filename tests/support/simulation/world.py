"""The whole instance in one process: the real agents, the real engine, a pretend Kafka, one seed.

Every tick picks one agent and gives it what it has not received, its topics interleaved anyhow. The
process may die between any two checkpoints, keep or lose its disk, and read again from its last
commit; records are repeated; clocks run, jump, and are an hour off. A worker that sleeps while
another takes over is one that dies between two checkpoints and loses its disk: its lease lets it
write no more.

Everything bad is a numbered decision with dice of its own (`Troubles`), so that one can be left out
and the others stay what they were. The rest is chosen by one `Random`: a seed replays exactly.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import Any, Protocol

import msgspec

from app.config import Config
from app.delivery.agent import Agent, due_of, initial_knowledge
from app.delivery.agent_topics import consumed_topics
from app.delivery.outbox import Adopted, left_behind
from app.delivery.processor import run_batch
from app.delivery.row import Row, decode_row, is_row
from app.delivery.timers import Deadlines
from app.registry import load_agents
from app.wire import codecs
from app.wire.envelope import Envelope, derive_id, from_headers, to_headers
from app.wire.records import Outgoing, Record, due_ms, is_retry, read_source
from app.wire.topics import timers_topic
from app.worker.log_identity import LogRefused, Source, check_begin
from tables import Table
from tests.support.runtime import Crash, as_read
from tests.support.simulation.external_systems import Carrier, Notifier, Provider
from tests.support.simulation.troubles import Troubles
from workflows.payment.capture_messages import CaptureCaseDecided, CaptureCaseOpened
from workflows.payment.dispute_messages import DisputeDecided, DisputeEscalated, DisputeOpened
from workflows.payment.messages import RefundCaseDecided, RefundCaseOpened
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message, type_name
from workflows.shared.topic import KEPT_MS, Topic, declared, topic_of

CHECKPOINTS = (
    "read",
    "decided",
    "set aside",
    "on disk",
    "on disk",
    "stored",
    "half produced",
    "produced",
)
IDLE_ROUNDS_MAX, DRAIN_ROUNDS_MAX = 4_000, 500
CLOCKS_OFF_MS = (-3_600_000, 3_600_000)


@cache
def _knowledge(name: str) -> object:
    # A value that no world changes: reading the models costs as much as a tenth of a seed.
    return initial_knowledge(load_agents()[name], Config())


class Worker:
    """One agent's process: its disk, its place in every topic, its deadlines."""

    commits_early = False
    """The promise that a broken engine does not keep: see `tests.simulation.broken`."""

    def __init__(self, agent: Agent, world: "World") -> None:
        self.agent = agent
        self.world = world
        self.disk: dict[bytes, bytes] = {}
        self.changelog: dict[bytes, bytes] = {}
        self.committed = dict.fromkeys(consumed_topics(agent), 0)
        self.epochs: dict[str, int] = {}
        """By topic that was adopted: when (seconds since 1970)."""
        self.deadlines = Deadlines()
        self.knowledge = _knowledge(agent.name)
        self.crash_at = ""
        self.passes = 0
        """How often that checkpoint is passed before."""
        self.clock_off_ms = 0
        self._read_all = -1
        """How many records there were when all of its topics were read last."""

    def now_ms(self) -> int:
        return self.world.now + self.clock_off_ms

    def read(self, _table: Table, _partition: int, key: bytes) -> bytes | None:
        return self.disk.get(key)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        for at, emitted in enumerate(records):
            if at == len(records) // 2:
                self.checkpoint("half produced")
            self.world.append(emitted)

    async def store(self, _table: Table, rows: Mapping[int, Mapping[bytes, bytes]]) -> None:
        for members in rows.values():
            for key, body in members.items():
                self.disk[key] = body
                self.world.longest_row = max(self.world.longest_row, len(body))
                self.checkpoint("on disk")
                self.changelog[key] = body

    def is_authentic(self, _record: Record, _topic: Topic) -> bool:
        return True

    def in_own_partition(self, _record: Record) -> bool:
        return True

    def through(self, source: str) -> int:
        topic, _, epoch = read_source(source)
        return self.committed.get(topic, 0) if epoch == self.epochs.get(topic, 0) else -1

    def checkpoint(self, name: str) -> None:
        if name != self.crash_at:
            return
        if self.passes:
            self.passes -= 1
            return
        self.crash_at = ""
        raise Crash(name)

    def waiting(self) -> list[str]:
        """Return the topics with something to receive now."""
        # One that has read all of them waits for nothing until something more is produced.
        if self._read_all == len(self.world.records):
            return []
        unread = self._unread(self.committed)
        self._read_all = -1 if unread else len(self.world.records)
        return [name for name, record in unread.items() if self._due(record)]

    def _ready(self, ahead: Mapping[str, int]) -> list[str]:
        return [name for name, record in self._unread(ahead).items() if self._due(record)]

    def _unread(self, ahead: Mapping[str, int]) -> dict[str, Record]:
        """Return the next record of each topic that goes on behind `ahead`."""
        log = self.world.log
        return {
            name: log[name][at] for name, at in ahead.items() if name in log and at < len(log[name])
        }

    def _due(self, record: Record) -> bool:
        return not is_retry(record) or due_ms(record) <= self.now_ms()

    def work(self, random: Random) -> None:
        """Take one batch, perhaps dying in it; commit when it is through."""
        self._take(random, random.randint(1, 6))

    def _take(self, random: Random, most: int) -> None:
        batch: list[Record] = []
        ahead = dict(self.committed)
        for _ in range(most):
            ready = self._ready(ahead)
            if not ready:
                break
            name = random.choice(ready)
            record = self.world.log[name][ahead[name]]
            epoch = self.epochs.get(name, 0)
            batch.append(msgspec.structs.replace(record, epoch=epoch) if epoch else record)
            ahead[name] += 1
        if self.commits_early:
            self.committed = ahead
        try:
            handled = self.world.loop.run_until_complete(
                run_batch(self.agent, self, batch, self.knowledge)
            )
        except Crash:
            self._restart()
            return
        for (partition, key), due in handled.due.items():
            self.deadlines.put(partition, key, due)
        self.world.trace += [f"{self.agent.name}: {type_name(type(w))}" for w in handled.messages]
        self.world.dead += handled.dead
        if not self.world.troubles.strikes("lost commit", 0.05):
            self.committed = ahead

    def catch_up(self, random: Random) -> None:
        """Take all that waits in one batch, as a worker does that was away."""
        self._take(random, sum(map(len, self.world.log.values())))

    def wake(self) -> None:
        """Produce every row that is due."""
        for due, _, key in self.deadlines.reached(self.now_ms(), 100):
            message = DeadlineReached(key=key.decode(), due_at_ms=due)
            event_id = derive_id(self.agent.name, message.key, due)
            self.world.say(message, event_id, message.key, {}, timers_topic(self.agent.name))

    def state(self, key: str) -> Any:
        """Return what the agent remembers of `key`."""
        assert self.agent.table is not None
        body = self.disk.get(key.encode())
        return decode_row(self.agent.table, body).state if body else self.agent.table.initial

    def rows(self) -> list[tuple[str, Any]]:
        """Return the key and the state of every row on the disk."""
        table = self.agent.table
        if table is None:
            return []
        bodies = [(key, body) for key, body in self.disk.items() if is_row(key)]
        return [(key.decode(), decode_row(table, body).state) for key, body in bodies]

    def _restart(self) -> None:
        self.world.trace.append(f"{self.agent.name}: killed")
        if self.world.troubles.strikes("lost disk", 0.4):
            self.disk = dict(self.changelog)
        elif self.world.troubles.strikes("older rows", 0.4):
            # A disk knows up to where it has its changelog, and reads over its rows from there.
            self.disk |= self.changelog
        self.deadlines.clear()
        due = due_of(self.agent)
        if due is not None and self.agent.table is not None:
            for key, body in self.disk.items():
                if not is_row(key):
                    continue
                row: Row[Any] = decode_row(self.agent.table, body)
                self.deadlines.put(0, key, due(row.state))


class World:
    """All agents, one log, at the mercy of `random` and `troubles`.

    The console's own agents move nothing: they are there when `with_console` asks for them.
    """

    def __init__(
        self,
        seed: int,
        troubles: Troubles,
        loop: asyncio.AbstractEventLoop,
        *,
        with_console: bool = False,
    ) -> None:
        random = Random(seed)
        self.seed = seed
        self.random = random
        self.troubles = troubles
        self.loop = loop
        self.now = 1_700_000_000_000
        self.log: dict[str, list[Record]] = {}
        self.records: list[Record] = []
        """Those of all topics, in the order produced."""
        self.longest_row = 0
        """Bytes of the longest row that was ever stored."""
        self.decision = ""
        """What an operator decides of every case; empty: as the dice say."""
        self.reference = ""
        """By what that can be found; empty: by a name of its own."""
        self.appended_ms: dict[str, list[int]] = {}
        """When each record of a topic was produced."""
        self._cases_read = 0
        self._emitted: dict[str, dict[str, Message]] = {}
        self._records_read: Counter[str] = Counter()
        self._tick = 0
        self.trace: list[str] = []
        self.dead: list[tuple[str, str]] = []
        trouble = random.choice([0.0, 0.2, 0.5])
        self.provider = Provider(random, troubles, trouble)
        self.carrier = Carrier(random, troubles, trouble)
        self.notifier = Notifier(troubles, trouble)
        self.crashes = random.choice([0.0, 0.05, 0.2])
        self.repeats = random.choice([0.0, 0.1])
        self.skews = random.choice([0.0, 0.0, 0.1])
        outside = {
            "provider": self.provider.call,
            "carrier": self.carrier.call,
            "messenger": self.notifier.call,
        }
        self.workers = [
            Worker(_with_call(agent, outside.get(agent.name)), self)
            for agent in load_agents().values()
            if with_console or agent.service != "console"
        ]
        for worker in self.workers:
            if troubles.strikes("clock off", self.skews):
                worker.clock_off_ms = troubles.pick("clock off", CLOCKS_OFF_MS)

    def worker(self, name: str) -> Worker:
        """Return the worker of the agent `name`."""
        return next(worker for worker in self.workers if worker.agent.name == name)

    def state(self, name: str, key: str) -> Any:
        """Return what the agent `name` remembers of `key`."""
        return self.worker(name).state(key)

    def say(
        self, message: Message, event_id: str, key: str, baggage: dict[str, str], topic: str = ""
    ) -> None:
        """Produce `message` as the API would."""
        envelope = Envelope(
            id=event_id,
            type=type_name(type(message)),
            source="/simulation",
            time_ms=self.now,
            subject=key,
            correlation_id=key,
            baggage=baggage,
        )
        self.produce(message, envelope, topic)

    def produce(self, message: Message, envelope: Envelope, topic: str = "") -> None:
        """Produce `message` in `envelope`; the clock runs to the time that it says."""
        self.now = max(self.now, envelope.time_ms)
        self.append(
            Outgoing(
                topic=topic or topic_of(message).name,
                key=envelope.subject.encode(),
                value=codecs.encode(message),
                headers=to_headers(envelope),
            )
        )

    def append(self, emitted: Outgoing) -> None:
        """Put `emitted` at the end of its topic, now and then twice."""
        for _ in range(2 if self.troubles.strikes("repeated", self.repeats) else 1):
            log = self.log.setdefault(emitted.topic, [])
            self.appended_ms.setdefault(emitted.topic, []).append(self.now)
            record = as_read(emitted, len(log))
            log.append(record)
            self.records.append(record)

    def run(self) -> None:
        """Go on until nobody has anything to receive and nobody is due."""
        for _ in range(IDLE_ROUNDS_MAX):
            self._next_tick()
            self._outside()
            for worker in self.workers:
                worker.wake()
            busy = [worker for worker in self.workers if worker.waiting()]
            self.now += self.random.choice([1, 10, 100])
            if busy:
                worker = self.random.choice(busy)
                if self.troubles.strikes("killed", self.crashes):
                    worker.crash_at = self.troubles.pick("killed", CHECKPOINTS)
                worker.work(self.random)
            elif not self._jump():
                return
        raise AssertionError(f"still busy after {IDLE_ROUNDS_MAX} rounds: {self.trace[-20:]}")

    def complain(self) -> None:
        """Let customers dispute what they have paid, now that nothing happens."""
        self._next_tick()
        self.provider.complain()

    def _next_tick(self) -> None:
        self.troubles.tick = self._tick
        self.random.seed(f"{self.seed} {self._tick}")
        self._tick += 1

    def drain(self) -> None:
        """Go on like `run`, in batches as large as they can be and without troubles."""
        for _ in range(DRAIN_ROUNDS_MAX):
            self._outside()
            for worker in self.workers:
                worker.wake()
            busy = [worker for worker in self.workers if worker.waiting()]
            self.now += 10
            for worker in busy:
                worker.catch_up(self.random)
            if not busy and not self._jump():
                return
        raise AssertionError(f"still busy after {DRAIN_ROUNDS_MAX} rounds: {self.trace[-20:]}")

    def messages(self, topic: str) -> list[Message]:
        """Return what was emitted on `topic`, each event once."""
        emitted, log = self._emitted.setdefault(topic, {}), self.log.get(topic, [])
        for record in log[self._records_read[topic] :]:
            envelope = from_headers(record.headers)
            if envelope.id not in emitted:
                emitted[envelope.id] = codecs.decode(record.value, envelope, record.key)
        self._records_read[topic] = len(log)
        return list(emitted.values())

    def expire(self) -> list[str]:
        """Delete what topics keep no longer; return what nobody has read of it, by agent.

        Each is named as a worker names it that starts, and then it begins where the log does, as
        an operator has it by `payflow adopt`.
        """
        refused: list[str] = []
        for worker in self.workers:
            adopted: dict[tuple[str, int], Adopted] = {}
            for name, at in worker.committed.items():
                begin = self._begin(name)
                source = Source(service=worker.agent.name, topic=name, partition=0, partitions=1)
                try:
                    check_begin(source, at, begin)
                except LogRefused as error:
                    refused.append(str(error))
                    before = worker.epochs.get(name, 0)
                    adopted[name, 0] = Adopted(before=before, produced=at)
                    worker.committed[name] = begin
                    worker.epochs[name] = self.now // 1_000
            self._produce_left_behind(worker, adopted)
        return refused

    def _produce_left_behind(
        self, worker: Worker, adopted: Mapping[tuple[str, int], Adopted]
    ) -> None:
        for key, body in worker.disk.items():
            left = left_behind(worker.agent, body, adopted) if is_row(key) else []
            if left:
                worker.changelog[key] = body
            for record in left:
                self.append(record)

    def _begin(self, name: str) -> int:
        kept_ms = declared[name].retention_ms if name in declared else KEPT_MS
        times = self.appended_ms.get(name, [])
        return 0 if kept_ms < 0 else sum(self.now - each > kept_ms for each in times)

    def fingerprint(self) -> str:
        """Return a hash of everything that was emitted: equal for the same seed."""
        bodies = repr([(name, [r.value for r in log]) for name, log in sorted(self.log.items())])
        return hashlib.sha256(bodies.encode()).hexdigest()

    def _outside(self) -> None:
        self._decide()
        self.provider.act()
        for system in (self.provider, self.carrier):
            while system.notices:
                notice: Any = system.notices.pop(self.random.randrange(len(system.notices)))
                event_id = derive_id(type_name(type(notice)), notice.notice_id)
                self.say(notice, event_id, topic_of(notice).key(notice), {})

    def _decide(self) -> None:
        """Let an operator decide about each refund and capture that has failed for good.

        Disputes are answered now and then.
        """
        log = self.log.get("payments", [])
        for record in log[self._cases_read :]:
            envelope = from_headers(record.headers)
            message = codecs.decode(record.value, envelope, record.key)
            decided = decision_of(self, message, envelope.id)
            if decided is not None:
                event_id = derive_id("decided", envelope.id)
                self.say(decided, event_id, topic_of(decided).key(decided), {})
        self._cases_read = len(log)

    def _jump(self) -> bool:
        """Let the clock run to the next thing that is due; return whether there was one."""
        due: list[int] = []
        for worker in self.workers:
            next_ms = worker.deadlines.next_ms()
            due += [next_ms - worker.clock_off_ms] if next_ms is not None else []
            for name, at in worker.committed.items():
                waiting = self.log.get(name, [])[at:]
                due += [
                    due_ms(record) - worker.clock_off_ms for record in waiting if is_retry(record)
                ]
        # What is due already will be met in the next round.
        self.now = max(self.now, min(due, default=0)) + 1
        return bool(due)


def _with_call(agent: Agent, call: Any) -> Agent:
    return msgspec.structs.replace(agent, call=call) if call else agent


class Operated(Protocol):
    """A world whose operator decides as the dice say, or always the same."""

    troubles: Troubles
    decision: str
    reference: str


def decision_of(world: Operated, message: Message, event_id: str) -> Message | None:
    """Return what an operator decides because of `message`, which has the id `event_id`."""
    strikes = world.troubles.strikes
    if isinstance(message, RefundCaseOpened):
        by_hand = strikes("case settled by hand", 0.5)
        by_hand = world.decision == "settled" or by_hand
        return RefundCaseDecided(
            transaction_id=message.transaction_id,
            refund_key=message.refund_key,
            decision="settled" if by_hand else "retry",
            reference=(world.reference or f"bank-{event_id}") if by_hand else "",
        )
    if isinstance(message, CaptureCaseOpened):
        gives_up = strikes("case written off", 0.5)
        gives_up = world.decision == "written_off" or gives_up
        return CaptureCaseDecided(
            transaction_id=message.transaction_id,
            decision="written_off" if gives_up else "retry",
            reference=f"loss-{event_id}" if gives_up else "",
        )
    if isinstance(message, DisputeOpened | DisputeEscalated):
        return _answer_of(world.troubles, message)
    return None


def _answer_of(troubles: Troubles, opened: DisputeOpened | DisputeEscalated) -> Message | None:
    if not troubles.strikes("dispute answered", 0.6):
        return None
    decision = troubles.pick("dispute answered", ("submit", "accept"))
    return DisputeDecided(
        transaction_id=opened.transaction_id,
        dispute_id=opened.dispute_id,
        decision=decision,
        evidence_text="it was delivered" if decision == "submit" else "",
        round=0,
        stage="inquiry" if getattr(opened, "is_inquiry", False) else "chargeback",
    )
