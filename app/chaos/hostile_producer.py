"""A hostile producer: transactions, codecs, broken batches and holes on every topic of Payflow.

It leaves changelogs alone: whatever lies there counts as a row (ADR 11), and ACLs keep others out.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from msgspec.structs import replace

from app.chaos.batch_shapes import NAMES, SHAPES, last_delta, unreadable_tombstone
from app.chaos.hostile_records import GARBAGE, KINDS, ForgedRecord, forged, with_key
from app.chaos.instance import Site
from app.chaos.load import Load
from app.chaos.plan import Step
from app.chaos.record_copies import latest_records
from app.chaos.written_records import (
    Written,
    check_dead_letters,
    consumed_offsets,
    dead_letter_ends,
    wait_until_consumed,
)
from app.kafka.admin import TopicSpec, admin_client, alter_topics, delete_before
from app.kafka.errors import IllegalOperation, KafkaError, ProducerFenced
from app.kafka.producer import AIOKafkaProducer, open_producer
from app.kafka.raw_batches import send_bytes
from app.kafka.reader import TopicPartition, reader
from app.registry import wanted_topics
from app.wire.byte_limits import DEAD_LETTER_TOPIC_BYTES_MAX
from app.wire.clock import now_ms
from app.wire.records import Record, as_read
from app.wire.topics import topic_name

Mark = float
COMMITTED, ABORTED, LEFT_OPEN, PLAIN = "committed", "aborted", "left open", "of no transaction"
ENDS = (COMMITTED, ABORTED, LEFT_OPEN, PLAIN)
"""How what is written ends. The producer of a transaction left open dies."""
CODECS = (*NAMES.values(), None)
TOPICS_AT_ONCE = 10
RECORDS_A_TOPIC = 4
BATCHES_AT_ONCE = 4
OPEN_MS, TRANSACTION_MS = 5_000, 60_000
"""After so long the broker aborts a transaction: one that was left open, and any other one."""
ORIGINALS_MAX = 2_000
COMPACTED_SOON = {
    "segment.ms": "60000",
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
}
"""Settings of compacted topics while it writes, so that compaction leaves holes."""


async def hostile_producer(site: Site, _step: Step, _load: Load, random: Random) -> Mark:
    """Write what no reader may stop at, on every topic; raises DrillError when one does."""
    pids = site.pids()
    specs = [
        spec for spec in wanted_topics(site.config) if topic_name(spec.name).kind != "changelog"
    ]
    compacted = [spec for spec in specs if spec.cleanup == "compact"]
    ends = await dead_letter_ends(site.config)
    hostile = Hostile(site, random, specs)
    async with admin_client(site.config) as admin:
        soon = [replace(spec, config=spec.config | COMPACTED_SOON) for spec in compacted]
        await alter_topics(admin, soon)
        try:
            await hostile.write()
        finally:
            await alter_topics(admin, compacted)
    mark = time.monotonic()
    site.counts += hostile.counts
    await wait_until_consumed(site, hostile.written.last)
    site.check_pids(pids, "a hostile producer")
    count = await check_dead_letters(site.config, ends, hostile.written)
    site.counts["dead letters checked"] += count
    return mark


class Hostile:
    """The producer, and what it has written."""

    def __init__(self, site: Site, random: Random, specs: Sequence[TopicSpec]) -> None:
        self.counts: Counter[str] = Counter()
        self.written = Written()
        self._site = site
        self._random = random
        self._specs = list(specs)
        self._kinds = itertools.cycle(random.sample(KINDS, len(KINDS)))
        self._shapes = itertools.cycle(random.sample(sorted(SHAPES), len(SHAPES)))
        self._originals: list[Record] = []

    async def write(self) -> None:
        """Write to every topic once, and on until the time of the drill is over."""
        size = self._site.size
        limit = time.monotonic() + size.hostile_seconds
        self._originals = await self._latest()
        for number, (end, codec, specs) in enumerate(self._turns()):
            if number * TOPICS_AT_ONCE >= len(self._specs) and time.monotonic() > limit:
                return
            options: dict[str, object] = {"compression_type": codec}
            if end != PLAIN:
                name = f"hostile-{self._random.random()}"
                limit_ms = OPEN_MS if end == LEFT_OPEN else TRANSACTION_MS
                options |= {"transactional_id": name, "transaction_timeout_ms": limit_ms}
            async with open_producer(
                self._site.config, max_request_size=DEAD_LETTER_TOPIC_BYTES_MAX, **options
            ) as producer:
                await self._produce(producer, end, specs)
            self.counts[f"codec {codec}"] += 1
            await asyncio.sleep(size.hostile_pause_seconds)

    async def _latest(self) -> list[Record]:
        names = [spec.name for spec in self._specs if spec.cleanup == "delete"]
        async with reader(self._site.config) as consumer:
            records_by_place = await latest_records(
                consumer, self._site.config, names, ORIGINALS_MAX
            )
        return [as_read(record) for records in records_by_place.values() for record in records]

    def _turns(self) -> Iterator[tuple[str, str | None, list[TopicSpec]]]:
        """Yield an end, a codec and topics: after a while, every combination."""
        numbers = itertools.count()
        while True:
            self._random.shuffle(self._specs)
            for first in range(0, len(self._specs), TOPICS_AT_ONCE):
                number = next(numbers)
                end, codec = ENDS[number % len(ENDS)], CODECS[number % len(CODECS)]
                yield end, codec, self._specs[first : first + TOPICS_AT_ONCE]

    async def _produce(
        self, producer: AIOKafkaProducer, end: str, specs: Sequence[TopicSpec]
    ) -> None:
        if end == PLAIN:
            await self._records(producer, end, specs)
            await self._batches(producer)
            await self._delete_consumed()
            return
        await producer.begin_transaction()
        try:
            await self._records(producer, end, specs)
            if end == COMMITTED:
                await producer.commit_transaction()
            elif end == ABORTED:
                await producer.abort_transaction()
        except (IllegalOperation, ProducerFenced):
            # It was slow, and the broker has aborted it.
            end = ABORTED
        self.counts[f"transactions {end}"] += 1

    async def _records(
        self, producer: AIOKafkaProducer, end: str, specs: Sequence[TopicSpec]
    ) -> None:
        is_read = end in (COMMITTED, PLAIN)
        forgeries: list[ForgedRecord] = []
        for spec in [*specs] * RECORDS_A_TOPIC:
            kind = next(self._kinds)
            if spec.cleanup == "compact" and is_read:
                # Its latest record of a key counts, such as a rule.
                kind = GARBAGE
            each = forged(self._random, kind, spec.name, spec.partitions, self._originals)
            if spec.cleanup == "compact":
                # The broker refuses a record there that has no key, or its whole transaction.
                each = with_key(each, self._random.randbytes(12))
            forgeries.append(each)
        sending = [
            await producer.send(
                each.record.topic,
                each.record.value,
                each.record.key,
                each.record.partition,
                headers=each.record.headers,
            )
            for each in forgeries
        ]
        await producer.flush()
        for each, acknowledged in zip(forgeries, sending, strict=True):
            at = await acknowledged
            record = Record(
                topic=at.topic,
                partition=at.partition,
                offset=at.offset,
                key=each.record.key,
                value=each.record.value,
                headers=tuple(each.record.headers),
            )
            self.counts[f"record {each.kind}"] += 1
            self.counts["records read" if is_read else "records aborted"] += 1
            self.written.add(record, is_poison=each.is_poison, is_read=is_read)

    async def _batches(self, producer: AIOKafkaProducer) -> None:
        """Send batches as bytes; the broker refuses most of them."""
        for spec in self._random.sample(self._specs, BATCHES_AT_ONCE):
            place = TopicPartition(spec.name, self._random.randrange(spec.partitions))
            name, at_ms = next(self._shapes), now_ms()
            shape = SHAPES[name]
            if spec.cleanup == "compact":
                name, shape = "unreadable tombstone", unreadable_tombstone
            body = shape(self._random, at_ms)
            try:
                offset = await send_bytes(producer, place, body)
            except KafkaError as error:
                self.counts[f"batch refused, {name}: {type(error).__name__}"] += 1
                continue
            self.counts[f"batch {name}"] += 1
            for each in range(offset, offset + last_delta(body) + 1):
                record = Record(topic=place[0], partition=place[1], offset=each, key=b"", value=b"")
                self.written.add(record, is_poison=True, is_read=True)

    async def _delete_consumed(self) -> None:
        """Delete what has been consumed of a topic whose past nobody reads again."""
        names = [
            spec.name for spec in self._specs if topic_name(spec.name).kind in ("retry", "timer")
        ]
        name = self._random.choice(names)
        async with admin_client(self._site.config) as admin:
            ends = {
                place: offset
                for place, offset in (await consumed_offsets(admin, name)).items()
                if offset > 0
            }
            await delete_before(admin, ends)
        self.counts["partitions with deleted records"] += len(ends)
