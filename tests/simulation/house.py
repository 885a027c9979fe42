"""The whole house in one process: the real rooms, the real shell, a pretend Kafka, one seed.

Every tick picks one room and gives it what it has not heard, in any interleaving of its topics. The
process may die between any two beats, keep or lose its disk, and read again from its last commit;
records are repeated; the clock runs, and jumps. Only `random` chooses, so a seed replays exactly.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from app import codecs, envelope, topics
from app.bus import heard_topics
from app.deadlines import Deadlines
from app.envelope import Envelope
from app.house import open_rooms
from app.record import Outgoing, Record, due_ms, is_retry
from app.room import Room
from app.row import Row, decode_row
from app.shell import run_batch
from tables import Table
from tests.simulation.outside import Carrier, Provider
from workflows.message import Message, type_name
from workflows.words.deadline import DeadlineReached

BEATS = ("read", "decided", "laid aside", "on disk", "remembered", "half told", "told")
IDLE_ROUNDS_MAX = 3_000


class Crash(BaseException):
    """The process died: no handler may catch it."""


class Worker:
    """One room's process: its disk, its place in every topic, its deadlines."""

    def __init__(self, room: Room, house: "House") -> None:
        self.room = room
        self.house = house
        self.disk: dict[bytes, bytes] = {}
        self.changelog: dict[bytes, bytes] = {}
        self.committed = dict.fromkeys(heard_topics(room), 0)
        self.deadlines = Deadlines()
        self.crash_at = ""

    def now_ms(self) -> int:
        return self.house.now

    def read(self, _table: Table, _partition: int, key: bytes) -> bytes | None:
        return self.disk.get(key)

    async def tell(self, records: Sequence[Outgoing]) -> None:
        for at, told in enumerate(records):
            if at == len(records) // 2:
                self.beat("half told")
            self.house.append(told)

    async def remember(self, _table: Table, rows: Mapping[int, Mapping[bytes, bytes]]) -> None:
        for members in rows.values():
            for key, body in members.items():
                self.disk[key] = body
                self.beat("on disk")
                self.changelog[key] = body

    def through(self, source: str) -> int:
        return self.committed.get(source.rpartition("/")[0], 0)

    def beat(self, name: str) -> None:
        if name == self.crash_at:
            self.crash_at = ""
            raise Crash(name)

    def waiting(self) -> list[str]:
        """Return the topics with something to hear now."""
        return [
            name
            for name, at in self.committed.items()
            if at < len(self.house.log.get(name, ())) and self._due(self.house.log[name][at])
        ]

    def _due(self, record: Record) -> bool:
        return not is_retry(record) or due_ms(record) <= self.house.now

    def work(self, random: Random) -> None:
        """Take one batch, perhaps dying in it; commit when it is through."""
        batch: list[Record] = []
        ahead = dict(self.committed)
        for _ in range(random.randint(1, 6)):
            ready = [
                name
                for name, at in ahead.items()
                if at < len(self.house.log.get(name, ())) and self._due(self.house.log[name][at])
            ]
            if not ready:
                break
            name = random.choice(ready)
            batch.append(self.house.log[name][ahead[name]])
            ahead[name] += 1
        try:
            handled = self.house.loop.run_until_complete(run_batch(self.room, self, batch))
        except Crash:
            self._restart(random)
            return
        for (partition, key), due in handled.due.items():
            self.deadlines.put(partition, key, due)
        self.house.trace += [f"{self.room.name}: {type_name(type(w))}" for w in handled.words]
        self.house.dead += handled.dead
        if random.random() < 0.95:
            # Otherwise the commit is lost, and the batch is read again.
            self.committed = ahead

    def wake(self) -> None:
        """Tell every row that is due."""
        for due, _, key in self.deadlines.reached(self.house.now, 100):
            word = DeadlineReached(key=key.decode(), due_at_ms=due)
            event_id = envelope.derive_id(self.room.name, word.key, due)
            self.house.say(word, event_id, word.key, {}, topics.timers_of(self.room.name))

    def memory(self, key: str) -> Any:
        """Return what the room remembers of `key`."""
        assert self.room.keeps is not None
        body = self.disk.get(key.encode())
        return decode_row(self.room.keeps, body).memory if body else self.room.keeps.initial

    def _restart(self, random: Random) -> None:
        self.house.trace.append(f"{self.room.name}: killed")
        if random.random() < 0.3:
            self.disk = dict(self.changelog)
        self.deadlines.clear()
        if self.room.due is not None and self.room.keeps is not None:
            for key, body in self.disk.items():
                row: Row[Any] = decode_row(self.room.keeps, body)
                self.deadlines.put(0, key, self.room.due(row.memory))


class House:
    """All rooms, one log, at the mercy of `random`."""

    def __init__(self, random: Random, loop: asyncio.AbstractEventLoop) -> None:
        self.random = random
        self.loop = loop
        self.now = 1_700_000_000_000
        self.log: dict[str, list[Record]] = {}
        self.trace: list[str] = []
        self.dead: list[tuple[str, str]] = []
        trouble = random.choice([0.0, 0.2, 0.5])
        self.provider = Provider(random, trouble)
        self.carrier = Carrier(random, trouble)
        self.crashes = random.choice([0.0, 0.05, 0.2])
        self.repeats = random.choice([0.0, 0.1])
        outside = {"provider": self.provider.call, "carrier": self.carrier.call}
        self.workers = [
            Worker(_with_call(room, outside.get(room.name)), self)
            for room in open_rooms().values()
            if room.service != "console" and (room.call is None or room.name in outside)
        ]

    def worker(self, name: str) -> Worker:
        """Return the worker of the room `name`."""
        return next(worker for worker in self.workers if worker.room.name == name)

    def say(
        self, word: Message, event_id: str, key: str, baggage: dict[str, str], topic: str = ""
    ) -> None:
        """Tell `word` as the API would."""
        head = Envelope(
            id=event_id,
            type=type_name(type(word)),
            source="/simulation",
            time_ms=self.now,
            subject=key,
            correlation_id=key,
            baggage=baggage,
        )
        self.append(
            Outgoing(
                topic=topic or topics.topic_of(word).name,
                key=key.encode(),
                value=codecs.encode(word),
                headers=envelope.to_headers(head),
            )
        )

    def append(self, told: Outgoing) -> None:
        """Put `told` at the end of its topic, now and then twice."""
        for _ in range(2 if self.random.random() < self.repeats else 1):
            log = self.log.setdefault(told.topic, [])
            log.append(
                Record(
                    topic=told.topic,
                    partition=0,
                    offset=len(log),
                    key=told.key,
                    value=told.value,
                    headers=tuple(told.headers),
                )
            )

    def run(self) -> None:
        """Go on until nobody has anything to hear and nobody is due."""
        for _ in range(IDLE_ROUNDS_MAX):
            self._outside()
            for worker in self.workers:
                worker.wake()
            busy = [worker for worker in self.workers if worker.waiting()]
            self.now += self.random.choice([1, 10, 100])
            if busy:
                worker = self.random.choice(busy)
                if self.random.random() < self.crashes:
                    worker.crash_at = self.random.choice(BEATS)
                worker.work(self.random)
            elif not self._jump():
                return
        raise AssertionError(f"still busy after {IDLE_ROUNDS_MAX} rounds: {self.trace[-20:]}")

    def words(self, topic: str) -> list[Message]:
        """Return what was told on `topic`, each event once."""
        told: dict[str, Message] = {}
        for record in self.log.get(topic, ()):
            head = envelope.from_headers(record.headers)
            told.setdefault(head.id, codecs.decode(record.value, head, record.key))
        return list(told.values())

    def fingerprint(self) -> str:
        """Return a hash of everything that was told: equal for the same seed."""
        bodies = repr([(name, [r.value for r in log]) for name, log in sorted(self.log.items())])
        return hashlib.sha256(bodies.encode()).hexdigest()

    def _outside(self) -> None:
        for party in (self.provider, self.carrier):
            while party.notices:
                notice: Any = party.notices.pop(self.random.randrange(len(party.notices)))
                event_id = envelope.derive_id(type_name(type(notice)), notice.notice_id)
                self.say(notice, event_id, notice.order_id, {})

    def _jump(self) -> bool:
        """Let the clock run to the next thing that is due; return whether there was one."""
        due = [at for w in self.workers if (at := w.deadlines.next_ms()) is not None]
        for name, log in self.log.items():
            due += [due_ms(record) for record in log if is_retry(record) and name in self._open()]
        ahead = [moment for moment in due if moment > self.now]
        if not ahead and not due:
            return False
        self.now = min(ahead, default=self.now) + 1
        return bool(ahead) or any(worker.deadlines for worker in self.workers)

    def _open(self) -> set[str]:
        return {
            name
            for worker in self.workers
            for name, at in worker.committed.items()
            if at < len(self.log.get(name, ()))
        }


def _with_call(room: Room, call: Any) -> Room:
    return msgspec.structs.replace(room, call=call) if call else room
