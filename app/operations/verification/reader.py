"""Reads the house for `verify`: a cut through every topic, without joining any group.

First the groups' committed offsets are noted, then the ends of all topics, and only then is read.
What lies between the two is told and perhaps not heard yet; all the rest has had its effects, and
those lie before the ends. So the check may run at any time, next to a house at full work.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.config import Config
from app.delivery import row
from app.kafka.admin import client_options, stop_consumer
from app.kafka.producer import place_of
from app.operations.verification.consistent_cut import (
    CHANGELOGS,
    TOLD_NAMES,
    Cut,
    Hears,
    Place,
    changelog_of,
    take_cut,
)
from app.operations.verification.facts import Facts, Lost, Shelf
from app.operations.verification.folding import fold
from app.wire import codecs, envelope, topics
from app.wire import records as record
from app.wire import signing as seal
from app.wire.envelope import Envelope
from app.wire.records import Record
from tables.order import orders as order_table
from tables.stock import shelves as stock_table
from workflows.order.process import overdue_at_ms
from workflows.shared.message import Message

PENDING_MS_MAX = 600_000
"""An event unheard for longer excuses nothing any more."""
PARKED_MS_MAX = 60_000
"""How long past its time a parked event may wait: a restart and a recovery."""
STALL_SECONDS = 30.0
FETCH_RECORDS_MAX = 5_000


class Unreadable(RuntimeError):
    """The cluster cannot be read; the message says what was tried."""


async def read_house(
    config: Config, hears: Hears, facts: Facts, now_ms: int, known: dict[Place, int]
) -> int:
    """Fold every topic into `facts`; return how many records were read.

    `known` says how far each partition has been folded before, and is moved on. Raises KafkaError
    when the cluster cannot be reached, Unreadable when it stops answering.
    """
    async with _clients(config) as (admin, consumer):
        cut = await take_cut(admin, consumer, hears)
        facts.forget_what_moves()
        reader = _Reader(facts, cut, now_ms, known, config)
        starts = cut.starts(known)
        consumer.assign([TopicPartition(*place) for place in starts])
        for place, offset in starts.items():
            consumer.seek(TopicPartition(*place), offset)
        await _read_to_ends(consumer, {place: cut.ends[place] for place in starts}, reader)
        known.update(cut.ends)
        return reader.count


class _Reader:
    """Puts each record where it belongs in the facts."""

    def __init__(
        self, facts: Facts, cut: Cut, now_ms: int, known: dict[Place, int], config: Config
    ) -> None:
        self.facts = facts
        self.config = config
        self.cut = cut
        self.now_ms = now_ms
        self.known = known
        self.count = 0

    def take(self, given: Record, at_ms: int) -> None:
        self.count += 1
        if given.topic.endswith(".dead"):
            self._take_dead(given)
        elif ".retry-" in given.topic:
            _take_parked(self.facts, given, at_ms, self.now_ms)
        elif given.topic in CHANGELOGS:
            _take_row(self.facts, given)
        else:
            self._take_event(given, at_ms)
        place = (given.topic, given.partition)
        self.known[place] = max(self.known.get(place, 0), given.offset + 1)

    def _take_event(self, given: Record, at_ms: int) -> None:
        place = (given.topic, given.partition)
        heard = self.cut.heard(place)
        unheard = heard is not None and given.offset >= heard
        if unheard and self.now_ms - at_ms < PENDING_MS_MAX:
            self.facts.pending.add((given.key or b"").decode(errors="replace"))
            self.facts.pending.add(record.header(given, "ce_correlationid"))
        if given.topic not in TOLD_NAMES:
            return
        try:
            head = envelope.from_headers(given.headers)
            word = codecs.decode(given.value, head, given.key)
            _check_home(given, head, word, self.config)
        except (codecs.Poison, envelope.BadEnvelope):
            self.facts.unreadable[given.origin] = Lost(
                digest=record.digest(given), due_in=self._due_in(given)
            )
        else:
            if given.offset >= self.known.get(place, 0):
                fold(self.facts, word, seal.named(head, given, topics.topic_of(word)))

    def _take_dead(self, given: Record) -> None:
        if seal.genuine_letter(given, self.config):
            _take_dead(self.facts, given)
        else:
            self.facts.foreign_letters += 1

    def _due_in(self, given: Record) -> frozenset[str]:
        """Return the dead topics of those who hear this topic and are past this record."""
        place = (given.topic, given.partition)
        return frozenset(
            record.dead_topic(given.topic, service)
            for service, heard in self.cut.hears.items()
            if given.topic in heard and self.cut.committed[service].get(place, 0) > given.offset
        )


def _check_home(given: Record, head: Envelope, word: Message, config: Config) -> None:
    """Raise Poison where the shell would: see `app.delivery.processor`."""
    home = topics.topic_of(word)
    if home.name != given.topic:
        raise codecs.Poison("wrong_topic", home.name)
    if given.partition != place_of(given.topic, given.key, config):
        raise codecs.Poison("wrong_partition", home.name)
    if not seal.genuine(given, home, config):
        raise codecs.Poison("forged", home.name)
    if seal.from_the_future(head, given, home):
        raise codecs.Poison("from_the_future", home.name)


def _take_row(facts: Facts, given: Record) -> None:
    key = (given.key or b"").decode()
    if given.topic == changelog_of(stock_table):
        facts.shelves.pop(key, None)
        if given.value is not None:
            memory = row.decode_row(stock_table, given.value).memory
            facts.shelves[key] = Shelf(
                received=memory.received,
                on_hand=memory.on_hand,
                held=sum(memory.held.values()),
                shipped=memory.shipped,
            )
        return
    facts.overdue_at_ms.pop(key, None)
    if given.value is not None:
        due_ms = overdue_at_ms(row.decode_row(order_table, given.value).memory)
        if due_ms is not None:
            facts.overdue_at_ms[key] = due_ms


def _take_dead(facts: Facts, given: Record) -> None:
    cause = record.header(given, "x-dead-cause")
    origin = record.header(given, "x-dead-origin")
    facts.dead.setdefault(given.topic, Counter())[cause or "unknown"] += 1
    # One of them has the bytes that were told: others may be edited, or say an origin of another's.
    laid_aside = facts.dead_digests.setdefault(origin, {})
    laid_aside.setdefault(given.topic, set()).add(record.digest_laid_aside(given))
    bytes_lost = given.value is None and record.header(given, record.DEAD_BYTES) != "none"
    if not cause or not origin or bytes_lost:
        facts.nameless.append(f"{given.topic}/{given.partition}/{given.offset}")


def _take_parked(facts: Facts, given: Record, at_ms: int, now_ms: int) -> None:
    facts.parked += 1
    facts.pending.add(record.header(given, "ce_correlationid"))
    # Nothing is due before it was told, whatever it says.
    if now_ms - max(record.due_ms(given), at_ms) > PARKED_MS_MAX:
        facts.parked_late.append(f"{given.topic}/{given.partition}/{given.offset}")


@asynccontextmanager
async def _clients(
    config: Config,
) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer]]:
    options = client_options(config)
    admin = AIOKafkaAdminClient(client_id="payflow-verify", **options)
    consumer = AIOKafkaConsumer(
        client_id="payflow-verify",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
        **options,
    )
    try:
        await admin.start()
        await consumer.start()
        yield admin, consumer
    finally:
        await stop_consumer(consumer)
        await admin.close()


async def _read_to_ends(
    consumer: AIOKafkaConsumer, ends: Mapping[Place, int], reader: _Reader
) -> None:
    """Hand every record before its partition's end to `reader`."""
    todo = set(ends)
    loop = asyncio.get_running_loop()
    moved_at = loop.time()
    while todo:
        fetched = await consumer.getmany(timeout_ms=500, max_records=FETCH_RECORDS_MAX)
        for tp, members in fetched.items():
            moved_at = loop.time()
            end = ends[(tp.topic, tp.partition)]
            for member in members:
                if member.offset < end:
                    reader.take(record.as_read(member), member.timestamp)
        for place in list(todo):
            # Compaction leaves gaps: the position tells, not the last record.
            if await consumer.position(TopicPartition(*place)) >= ends[place]:
                todo.discard(place)
                consumer.pause(TopicPartition(*place))
        if loop.time() - moved_at > STALL_SECONDS:
            raise Unreadable(f"{min(todo)[0]} gave no records for {STALL_SECONDS:.0f} s")
