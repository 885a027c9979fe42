"""Whether the tables on disk hold what their changelogs say, byte for byte."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rocksdict
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.config import Config
from app.kafka.admin import client_options, stop_consumer
from app.wire.topics import changelog_topic, partitions_of
from tables import Table

OWN_KEYS = b"__faust"
"""What Faust notes of itself in the same store begins with this."""

Rows = dict[tuple[int, bytes], bytes]
"""By partition and key."""


async def differences(config: Config, tables: Iterable[Table]) -> list[str]:
    """Return `table/partition/key` of rows that differ between disks and changelogs."""
    found: list[str] = []
    for table in tables:
        due = await _changelog(config, changelog_topic(table))
        kept = await asyncio.to_thread(_disk, config.data_path / table.service, table.name)
        wrong = [place for place in due.keys() | kept.keys() if due.get(place) != kept.get(place)]
        found += [
            f"{table.name}/{partition}/{key.decode(errors='replace')}"
            for partition, key in sorted(wrong)
        ]
    return found


async def _changelog(config: Config, topic: str) -> Rows:
    consumer = AIOKafkaConsumer(
        # A reset that is under way would otherwise win over the seek, and skip to the end.
        **client_options(config),
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    latest: Rows = {}
    try:
        places = [TopicPartition(topic, at) for at in range(partitions_of(topic, config))]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    _take(latest, record)
    finally:
        await stop_consumer(consumer)
    return latest


def _take(latest: Rows, record: Any) -> None:
    place = (record.partition, record.key)
    if record.value is None:
        latest.pop(place, None)
    else:
        latest[place] = record.value


def _disk(folder: Path, table: str) -> Rows:
    kept: Rows = {}
    for store in sorted(folder.glob(f"**/{table}-*.db")):
        database = rocksdict.Rdict(
            str(store),
            rocksdict.Options(raw_mode=True),
            access_type=rocksdict.AccessType.read_only(),
        )
        partition = int(store.stem.rpartition("-")[2])
        kept |= {
            (partition, key): body for key, body in database.items() if not key.startswith(OWN_KEYS)
        }
        database.close()
    return kept
