"""Copies of records that lie on topics already: read, and produced again."""

import asyncio
from collections.abc import Iterable
from random import Random

from app.chaos.instance import Site
from app.config import Config
from app.kafka.producer import open_producer
from app.kafka.reader import (
    AIOKafkaConsumer,
    TopicPartition,
    declared_places,
    read_to_end,
    reader,
    span,
)
from app.wire.byte_limits import DEAD_LETTER_TOPIC_BYTES_MAX
from app.wire.records import Consumed


async def repeat(
    site: Site,
    names: list[str],
    limit: int,
    random: Random,
    delay_seconds: float = 0.0,
) -> int:
    """Produce the latest records of the topics `names` again; return how many were emitted."""
    async with (
        open_producer(site.config, max_request_size=DEAD_LETTER_TOPIC_BYTES_MAX) as producer,
        reader(site.config) as consumer,
    ):
        streams = await latest_records(consumer, site.config, names, limit)
        emitted = 0
        while streams and emitted < limit:
            place = random.choice(list(streams))
            record = streams[place].pop()
            if not streams[place]:
                del streams[place]
            if delay_seconds and emitted % 200 == 0:
                await asyncio.sleep(random.uniform(0, delay_seconds / 10))
            await producer.send(
                record.topic,
                record.value,
                record.key,
                record.partition,
                headers=list(record.headers),
            )
            emitted += 1
        await producer.flush()
    return emitted


async def latest_records(
    consumer: AIOKafkaConsumer, config: Config, names: Iterable[str], limit: int
) -> dict[TopicPartition, list[Consumed]]:
    """Return the latest records of each partition, newest first, so that popping is in order."""
    begins, ends = await span(
        consumer, [place for name in names for place in declared_places(name, config)]
    )
    each = max(1, limit // len(ends) * 2)
    starts = {place: max(begin, ends[place] - each) for place, begin in begins.items()}
    records_by_place: dict[TopicPartition, list[Consumed]] = {}
    async for record in read_to_end(consumer, starts, ends):
        place = TopicPartition(record.topic, record.partition)
        records_by_place.setdefault(place, []).append(record)
    return {place: list(reversed(records)) for place, records in records_by_place.items()}
