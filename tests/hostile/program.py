"""Orders go on as ever while somebody produces lies on every topic; then everything is counted."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import aiohttp
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from app.chaos.load import Load
from app.config import Config
from app.delivery.agent import due_of, retries, topic_received_on
from app.entrypoints.requests import client_scopes
from app.kafka.admin import client_options, stop_consumer
from app.kafka.reader import consumer_options
from app.local.instance_folder import client_key
from app.operations.verification.auditor import Auditor
from app.operations.verification.verdict import Verdict
from app.registry import load_agents, wanted_topics
from app.wire import records
from app.wire.records import Record, header
from app.wire.signing import is_authentic_dead_letter
from app.wire.topics import dead_topic, first_topic_of, timers_topic
from tests.hostile.attacks import TRICKS, Sent
from tests.hostile.envelope_attacks import WILDER

SAMPLE_RECORDS = 300
MARK = "x-lie"
"""What every lie carries, so that none is taken for an honest record and passed on."""
DRAIN_SECONDS_MAX = 400.0
CHECK_SECONDS = 3.0
GZIP = 1

Say = Callable[[str], None]


class Emitted(msgspec.Struct, frozen=True, kw_only=True):
    """One poison message, and where it must lie in the end."""

    trick: str
    origin: str
    digest: bytes
    dead: frozenset[str]


class DrillOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How long, how many lies and honest orders per second, and which of them."""

    seconds: float
    rate: float
    orders_rate: float
    seed: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    verdict: Verdict
    tricks: dict[str, int]
    poison: int
    missing: list[str]
    """Poison that does not lie where it must, with its bytes."""
    orders: int
    lost: list[str]


class Odd(str):
    """A header name as a careless client writes it: bytes of any kind."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"od\xff"


class Hostile:
    """A producer that means harm."""

    def __init__(self, config: Config, seed: int) -> None:
        self._config = config
        self._random = Random(f"hostile {seed}")
        self._topics = {
            spec.name: spec.partitions
            for spec in wanted_topics(config)
            if not spec.name.endswith("-changelog")
        }
        self._records: dict[str, list[Record]] = {}
        self.tricks: Counter[str] = Counter()
        self.poison: list[Emitted] = []

    async def run(self, rate: float, seconds: float) -> None:
        """Produce lies at `rate` a second for so long."""
        producer = AIOKafkaProducer(**client_options(self._config), max_request_size=4 << 20)
        consumer = AIOKafkaConsumer(
            **consumer_options(self._config), max_partition_fetch_bytes=4 << 20
        )
        await producer.start()
        await consumer.start()
        watching = asyncio.create_task(self._watch(consumer))
        began = time.monotonic()
        count = 0
        while time.monotonic() - began < seconds:
            await asyncio.sleep(max(0.0, began + count / rate - time.monotonic()))
            count += 1
            await self._lie(producer)
        watching.cancel()
        await asyncio.wait({watching})
        await producer.stop()
        await stop_consumer(consumer)

    async def _watch(self, consumer: Any) -> None:
        """Keep the latest records of every topic to work with."""
        places = [TopicPartition(n, at) for n, count in self._topics.items() for at in range(count)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        async for record in consumer:
            if any(name == MARK for name, _ in record.headers):
                continue  # A lie, or what became of one.
            samples = self._records.setdefault(record.topic, [])
            samples.append(records.as_read(record))
            del samples[:-SAMPLE_RECORDS]

    async def _lie(self, producer: Any) -> None:
        random = self._random
        full = [name for name, samples in self._records.items() if samples]
        if not full:
            return
        record = random.choice(self._records[random.choice(full)])
        target = random.choice(list(self._topics))
        sent = random.choice(TRICKS + WILDER)(
            record, random, list(self._topics), self._config.partitions
        )
        if sent.trick in {"garble", "stall"}:
            partition = random.randrange(self._topics[target])
            sent = msgspec.structs.replace(sent, topic=target, partition=partition)
        sent = msgspec.structs.replace(sent, headers=(*sent.headers, (MARK, b"1")))
        partition = sent.partition % self._topics[sent.topic]
        try:
            metadata = await _put(producer, sent, partition)
        except (KafkaError, ValueError, AssertionError):
            # Compacted topics take no record without a key, and aiokafka none without anything.
            return
        self.tricks[sent.trick] += 1
        self._note(sent, partition, metadata.offset)

    def _note(self, sent: Sent, partition: int, offset: int) -> None:
        """Remember where `sent` must lie in the end, if anybody consumes it."""
        record = Record(
            topic=sent.topic,
            partition=partition,
            offset=offset,
            key=sent.key,
            value=sent.value,
            headers=sent.headers,
        )
        dead = due(record)
        if sent.poison and dead:
            self.poison.append(
                Emitted(
                    trick=sent.trick, origin=record.origin, digest=records.digest(record), dead=dead
                )
            )


async def _put(producer: Any, sent: Sent, partition: int) -> Any:
    """Send `sent`; return where it lies."""
    headers = list(sent.headers)
    if sent.odd:
        headers.append((Odd("odd"), b"1"))
    # The client's own builder takes no such names, and one producer only one way to compress.
    builder = _DefaultRecordBatchBuilderPy(2, GZIP if sent.compressed else 0, 0, -1, -1, -1, 1)
    batch = producer.create_batch()
    batch._builder = builder
    batch.append(key=sent.key, value=sent.value, timestamp=None, headers=headers)
    return await (await producer.send_batch(batch, sent.topic, partition=partition))


def due(record: Record) -> frozenset[str]:
    """Return the dead topics of those who receive the topic of `record`."""
    dead_topics: set[str] = set()
    for agent in load_agents().values():
        received = {topic.name for topic in agent.consumes}
        if due_of(agent) is not None:
            received.add(timers_topic(agent.name))
        retried = retries(agent) and f".{agent.service}.retry-" in record.topic
        first_topic = (
            topic_received_on(agent, record) if record.topic == f"{agent.name}.redrive" else ""
        )
        if record.topic in received:
            first_topic = record.topic
        if retried and first_topic_of(record.topic, agent.service) in received:
            first_topic = first_topic_of(record.topic, agent.service)
        if first_topic:
            dead_topics.add(dead_topic(first_topic, agent.service))
    return frozenset(dead_topics)


async def attack(config: Config, options: DrillOptions, say: Say) -> Found:
    """Return what came of lies to the running instance of `config`."""
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        load = Load(options.seed, config.console_url, session, client_key(config, client_scopes()))
        await load.stock_up(lambda: asyncio.sleep(CHECK_SECONDS))
        playing = asyncio.create_task(load.play(options.orders_rate))
        hostile = Hostile(config, options.seed)
        await asyncio.sleep(CHECK_SECONDS)
        await hostile.run(options.rate, options.seconds)
        playing.cancel()
        say(f"{sum(hostile.tricks.values())} lies produced, {len(hostile.poison)} of them poison")
        await load.join()
        verdict = await _quiet(config, say)
        missing = await _missing(config, hostile.poison)
        return Found(
            verdict=verdict,
            tricks=dict(hostile.tricks),
            poison=len(hostile.poison),
            missing=missing,
            orders=load.accepted,
            lost=load.failed,
        )


async def _quiet(config: Config, say: Say) -> Verdict:
    """Return the verdict once nothing moves any more, or time is up."""
    auditor = Auditor(config)
    limit = time.monotonic() + DRAIN_SECONDS_MAX
    while True:
        verdict = await auditor.verdict()
        moving = verdict.unsettled
        say(f"{moving} unsettled")
        if not moving or time.monotonic() > limit:
            return verdict
        await asyncio.sleep(CHECK_SECONDS)


async def _missing(config: Config, poison: list[Emitted]) -> list[str]:
    """Return each poison message that does not lie in a dead topic of each who received it."""
    dead_letters: dict[tuple[str, str], set[bytes]] = {}
    topics = sorted({name for emitted in poison for name in emitted.dead})
    consumer = AIOKafkaConsumer(
        **consumer_options(config), auto_offset_reset="earliest", max_partition_fetch_bytes=8 << 20
    )
    await consumer.start()
    places = [TopicPartition(name, 0) for name in topics]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    while any([await consumer.position(place) < ends[place] for place in places]):
        for batch in (await consumer.getmany(timeout_ms=500)).values():
            for record in batch:
                dead_letter = records.as_read(record)
                if not is_authentic_dead_letter(dead_letter, config):
                    continue
                place = (dead_letter.topic, header(dead_letter, "x-dead-origin"))
                dead_letters.setdefault(place, set()).add(records.digest_dead_lettered(dead_letter))
    await stop_consumer(consumer)
    return [
        f"{emitted.trick} {emitted.origin} in {name}"
        for emitted in poison
        for name in sorted(emitted.dead)
        if emitted.digest not in dead_letters.get((name, emitted.origin), ())
    ]
