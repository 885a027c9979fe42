"""Gathers what says where letters stand: topics up to their ends, and who committed what."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app import codecs, envelope, record, seal, topics
from app.admin import client_options, stop_consumer
from app.bus import heard_topics
from app.config import Config
from app.house import open_rooms
from app.letters.letter import Letter
from app.letters.state import Known, Sending
from app.record import Record, header
from workflows.words.audit import LetterDropped

READ_MS = 300
FETCH_BYTES_MAX = 4 << 20

Place = tuple[str, int]
Committed = Mapping[str, Mapping[Place, int]]
"""By service: the next offset of each topic and partition."""


async def gather(config: Config) -> Known:
    """Return where every letter of the house stands now."""
    async with _clients(config) as (admin, consumer):
        committed = await _committed(admin)
        letters: list[Letter] = []
        sendings: dict[str, Sending] = {}
        parked: set[str] = set()
        dropped: dict[str, str] = {}
        async for given, at_ms in _records(consumer, await _places(admin)):
            if given.topic.endswith(".dead"):
                letters.append(Letter(given=given, at_ms=at_ms))
            elif record.is_redriven(given):
                sending = _sending(given)
                sendings.setdefault(sending.of, sending)
            elif record.is_retry(given):
                if _waits(given, committed):
                    parked.add(header(given, record.REDRIVE_ID))
            else:
                _take_act(given, dropped, config)
    letters.sort(key=lambda letter: (letter.given.topic, letter.given.offset))
    return Known(
        letters=tuple(letters),
        sendings=sendings,
        through=_through(committed),
        parked=frozenset(parked - {""}),
        dropped=dropped,
    )


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


async def _records(
    consumer: Any, places: Iterable[TopicPartition]
) -> AsyncIterator[tuple[Record, int]]:
    """Yield every record of `places` up to where they end now, and its time (ms)."""
    every = list(places)
    consumer.assign(every)
    ends = await consumer.end_offsets(every)
    begins = await consumer.beginning_offsets(every)
    todo = [place for place in every if begins[place] < ends[place]]
    consumer.assign(todo)
    for place in todo:
        consumer.seek(place, begins[place])
    while todo:
        for place, found in (await consumer.getmany(timeout_ms=READ_MS)).items():
            for given in found:
                if given.offset < ends[place]:
                    yield record.as_read(given), given.timestamp
        todo = [place for place in todo if await consumer.position(place) < ends[place]]


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
