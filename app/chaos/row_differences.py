"""Compares the tables on disk with their changelogs, byte for byte."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import rocksdict

from app.config import Config
from app.kafka.reader import declared_places, read_to_end, reader, span
from app.wire.byte_limits import ROW_BYTES_MAX
from app.wire.records import Consumed, UnreadableBatch
from app.wire.topics import changelog_topic
from tables import Table

OWN_KEYS = b"__faust"
"""The prefix of Faust's own keys in the same store."""

Rows = dict[tuple[int, bytes], bytes]
"""By partition and key."""


async def differences(config: Config, tables: Iterable[Table]) -> list[str]:
    """Return `table/partition/key` of rows that differ between disks and changelogs."""
    row_names: list[str] = []
    for table in tables:
        due = await _changelog(config, changelog_topic(table))
        disk_rows = await asyncio.to_thread(_disk, config.data_path / table.service, table.name)
        wrong = [
            place
            for place in due.keys() | disk_rows.keys()
            if due.get(place) != disk_rows.get(place)
        ]
        row_names += [
            f"{table.name}/{partition}/{key.decode(errors='replace')}"
            for partition, key in sorted(wrong)
        ]
    return row_names


async def _changelog(config: Config, topic: str) -> Rows:
    latest: Rows = {}
    async with reader(config, ROW_BYTES_MAX) as consumer:
        begins, ends = await span(consumer, declared_places(topic, config))
        async for record in read_to_end(consumer, begins, ends):
            take(latest, record)
    return latest


def take(latest: Rows, record: Consumed) -> None:
    """Apply one record of a changelog to the latest rows."""
    if record.key is None or isinstance(record.value, UnreadableBatch):
        # No row: a recovery passes it over too, and names it.
        return
    place = (record.partition, record.key)
    if record.value is None:
        latest.pop(place, None)
    else:
        latest[place] = record.value


def _disk(folder: Path, table: str) -> Rows:
    rows: Rows = {}
    for store in sorted(folder.glob(f"**/{table}-*.db")):
        database = rocksdict.Rdict(
            str(store),
            rocksdict.Options(raw_mode=True),
            access_type=rocksdict.AccessType.read_only(),
        )
        partition = int(store.stem.rpartition("-")[2])
        for key, body in database.items():
            # In raw mode keys and values are bytes.
            if isinstance(key, bytes) and not key.startswith(OWN_KEYS):
                rows[partition, key] = body
        database.close()
    return rows
