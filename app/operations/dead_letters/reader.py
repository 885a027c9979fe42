"""Gathers what says where letters stand: topics up to their ends, and who committed what."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.composition import open_rooms
from app.config import Config
from app.kafka.admin import client_options, stop_consumer
from app.operations.dead_letters.dead_letter import Letter
from app.operations.dead_letters.status import Known, Sending
from app.wire import codecs, envelope, topics
from app.wire import records as record
from app.wire import signing as seal
from app.wire.records import Record, header
from app.worker.faust_app import heard_topics
from workflows.audit.messages import LetterDropped

READ_MS = 300
FETCH_BYTES_MAX = 4 << 20

Place = tuple[str, int]
Committed = Mapping[str, Mapping[Place, int]]
"""By service: the next offset of each topic and partition."""


async def gather(config: Config) -> Known:
    """Return where every letter of the house stands now."""
    async with reading(config) as reader:
        return await reader.look()


@asynccontextmanager
async def reading(config: Config) -> AsyncIterator["Reader"]:
    """Open a reader, for whoever looks more than once."""
    async with _clients(config) as (admin, consumer):
        yield Reader(config, admin, consumer)


class Reader:
    """Reads every record once: each look goes on from where the one before has ended."""

    def __init__(self, config: Config, admin: Any, consumer: Any) -> None:
        self._config = config
        self._admin = admin
        self._consumer = consumer
        self._next: dict[TopicPartition, int] = {}
        self._letters: list[Letter] = []
        self._sendings: dict[str, Sending] = {}
        self._parked: list[Record] = []
        """Letters sent back that came to a retry topic, whether or not they wait there still."""
        self._dropped: dict[str, str] = {}

    async def look(self) -> Known:
        """Return where every letter of the house stands now."""
        # Before the ends: what a room is past, and has laid aside again, lies before them.
        committed = await _committed(self._admin)
        async for given, at_ms in self._new_records():
            self._take(given, at_ms)
        self._letters.sort(key=lambda letter: (letter.given.topic, letter.given.offset))
        waiting = (given for given in self._parked if _waits(given, committed))
        return Known(
            letters=tuple(self._letters),
            sendings=dict(self._sendings),
            through=_through(committed),
            parked=frozenset(header(given, record.REDRIVE_ID) for given in waiting),
            dropped=dict(self._dropped),
        )

    def _take(self, given: Record, at_ms: int) -> None:
        if given.topic.endswith(".dead"):
            self._letters.append(Letter(given=given, at_ms=at_ms))
        elif record.is_redriven(given):
            sending = _sending(given)
            self._sendings.setdefault(sending.of, sending)
        elif record.is_retry(given):
            if header(given, record.REDRIVE_ID):
                self._parked.append(given)
        else:
            _take_act(given, self._dropped, self._config)

    async def _new_records(self) -> AsyncIterator[tuple[Record, int]]:
        """Yield every record up to where topics end now, and its time (ms)."""
        consumer, places = self._consumer, await _places(self._admin)
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        # What is deleted in the meantime is not waited for.
        begins = await consumer.beginning_offsets(places)
        starts = {place: max(self._next.get(place, 0), begins[place]) for place in places}
        todo = [place for place in places if starts[place] < ends[place]]
        consumer.assign(todo)
        for place in todo:
            consumer.seek(place, starts[place])
        while todo:
            for place, found in (await consumer.getmany(timeout_ms=READ_MS)).items():
                for given in found:
                    if given.offset < ends[place]:
                        self._next[place] = given.offset + 1
                        yield record.as_read(given), given.timestamp
            todo = [place for place in todo if await consumer.position(place) < ends[place]]
        # Markers and what was compacted away leave gaps behind the last record.
        self._next |= ends


def _sending(given: Record) -> Sending:
    return Sending(
        redrive_id=header(given, record.REDRIVE_ID),
        of=header(given, record.REDRIVE_OF),
        topic=given.topic,
        partition=given.partition,
        offset=given.offset,
    )


def _waits(given: Record, committed: Committed) -> bool:
    service = given.topic.split(".retry-")[0].rpartition(".")[2]
    through = committed.get(service, {}).get((given.topic, given.partition), 0)
    return given.offset >= through


def _take_act(given: Record, dropped: dict[str, str], config: Config) -> None:
    try:
        word = codecs.decode(given.value, envelope.from_headers(given.headers), given.key)
    except (codecs.Poison, envelope.BadEnvelope):
        return  # What is no act drops no letter; `topics tail audit` shows what it is.
    if isinstance(word, LetterDropped) and seal.of_the_house(given, config):
        dropped[word.about] = word.why


def _through(committed: Committed) -> dict[Place, int]:
    return {
        place: offset
        for offsets in committed.values()
        for place, offset in offsets.items()
        if place[0].endswith(".redrive")
    }


async def _committed(admin: AIOKafkaAdminClient) -> Committed:
    found: dict[str, dict[Place, int]] = {}
    for service in {room.service for room in open_rooms().values()}:
        offsets = await admin.list_consumer_group_offsets(f"payflow-{service}")
        found[service] = {(tp.topic, tp.partition): known.offset for tp, known in offsets.items()}
    return found


async def _places(admin: AIOKafkaAdminClient) -> list[TopicPartition]:
    retried = {
        name for room in open_rooms().values() for name in heard_topics(room) if ".retry-" in name
    }
    return [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in await admin.describe_topics()
        if topic["topic"].endswith((".dead", ".redrive"))
        or topic["topic"] in retried | {topics.audit.name}
        for partition in topic["partitions"]
    ]


@asynccontextmanager
async def _clients(config: Config) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer]]:
    options = client_options(config)
    admin = AIOKafkaAdminClient(client_id="payflow-letters", **options)
    consumer = AIOKafkaConsumer(
        client_id="payflow-letters",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
        **options,
    )
    try:
        await admin.start()
        await consumer.start()
        yield admin, consumer
    finally:
        await stop_consumer(consumer)
        await admin.close()
