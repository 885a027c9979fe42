"""Compares the tables on disk with their changelogs, before Faust opens them, and fills those.

A changelog that was made again or cut off does not hold what its table holds. Faust refuses the
second of the two, a hundred lines before the end of its log, and not the first: it goes on with
rows that are nowhere else, and the next disk that is lost takes them with it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import rocksdict
import structlog
from aiokafka import AIOKafkaProducer, TopicPartition

from app.config import Config
from app.delivery.row import LOGS_KEY
from app.kafka.applied_logs import AppliedLog, AppliedLogs, decode_logs, encode_logs, marks_of
from app.kafka.logs import LogIdentity, PlaceFacts, place_facts
from app.kafka.producer import produce
from app.wire.records import Outgoing
from app.wire.topics import changelog_of, partitions_of
from app.worker.log_identity import (
    LogRefused,
    Source,
    check_changelog,
    check_stored,
    stored_of,
)
from app.worker.store import Store
from app.worker.store_repair import OFFSET_KEY

log = structlog.get_logger(__name__)

PutRows = Callable[[Store, int, Mapping[bytes, bytes | None]], Awaitable[None]]
"""Stores rows of one partition, and produces them to its changelog; see `put_rows`."""


class TableFile(msgspec.Struct, frozen=True, kw_only=True):
    """One partition of a table on disk, and what it says of itself."""

    path: Path
    changelog: str
    partition: int
    offset: int
    """How far its changelog is in it."""
    logs: AppliedLogs


async def check_files(
    folder: Path, config: Config, group: str, sources: Mapping[str, Sequence[str]]
) -> None:
    """Compare every table under `folder`. `sources`: by changelog, what its agent reads.

    What an operator has adopted is taken as it lies on disk. Raises LogRefused for the rest.
    """
    files = await asyncio.to_thread(_files, folder, config.service, sources)
    if not files:
        return
    own = [TopicPartition(each.changelog, each.partition) for each in files]
    read = {TopicPartition(name, at) for changelog, at in own for name in sources[changelog]}
    facts = await place_facts(config, group, [*own, *read])
    marks = marks_of(facts)
    for place, each in zip(own, files, strict=True):
        of = [(name, each.partition) for name in sources[each.changelog]]
        own_marks = [marks[source] for source in of if source in marks]
        await _check_file(each, config, facts.get(place), own_marks)


async def _check_file(
    file: TableFile, config: Config, now: PlaceFacts | None, marks: Sequence[AppliedLog]
) -> None:
    is_taken = any(mark.adopted for mark in marks)
    source = Source(
        service=config.service,
        topic=file.changelog,
        partition=file.partition,
        partitions=partitions_of(file.changelog, config),
    )
    identity = now.log.identity if now is not None else None
    applied_log = file.logs.get(file.changelog)
    refill = check_changelog(source, applied_log, identity, is_adopted=is_taken)
    if now is None or not (refill or file.offset >= now.end):
        return
    if not is_taken:
        raise LogRefused(
            f"the changelog {file.changelog}/{file.partition} ends at {now.end}, and the table on "
            f"disk holds it up to {file.offset}: it has been cut off. Operator: stop Payflow and "
            f"see `payflow adopt {config.service} --dry-run` (docs/operators.md), or delete "
            f"{file.path} where another worker has its rows."
        )
    stored = stored_of(marks)
    # Without an identity it was taken already, and its offset is that of the changelog of now.
    if stored is not None and applied_log is not None and applied_log.identity != LogIdentity():
        check_stored(source, stored, file.offset + 1)
    await asyncio.to_thread(_take_as_it_is, file, now.end - 1)


def _files(folder: Path, service: str, sources: Mapping[str, Sequence[str]]) -> list[TableFile]:
    files: list[TableFile] = []
    for path in sorted(folder.glob("**/*.db")):
        table, _, partition = path.stem.rpartition("-")
        changelog = changelog_of(service, table)
        if changelog in sources and (path / "CURRENT").exists():
            database = _open(path)
            offset, logs = database.get(OFFSET_KEY), database.get(LOGS_KEY)
            database.close()
            if offset is not None:
                files.append(
                    TableFile(
                        path=path,
                        changelog=changelog,
                        partition=int(partition),
                        offset=int(offset),
                        logs=decode_logs(logs),
                    )
                )
    return files


def _take_as_it_is(table: TableFile, offset: int) -> None:
    """Keep the rows on disk: skip the changelog up to `offset`, and write all rows to it."""
    # The identity of no log differs from any: the changelog is filled once the table is open.
    logs = {**table.logs, table.changelog: AppliedLog(identity=LogIdentity())}
    database = _open(table.path)
    database.put(LOGS_KEY, encode_logs(logs))
    if offset < 0:
        database.delete(OFFSET_KEY)
    else:
        database.put(OFFSET_KEY, b"%d" % offset)
    database.close()


def _open(path: Path) -> rocksdict.Rdict:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(False)  # noqa: FBT003  the library's signature
    return rocksdict.Rdict(str(path), options)


async def refill(put: PutRows, store: Store, at: int, go_on: Callable[[], None]) -> None:
    """Put all that a partition holds into its changelog again, a page at a time.

    `go_on` is called before each page, as a sign of progress. It raises where the partition may be
    another worker's by then, whose newer rows must not be written over.
    """
    # Until all of it is there, the changelog says of no log that it was applied: a worker that has
    # nothing but the changelog would take the part for the whole.
    await put(store, at, {LOGS_KEY: None})
    count = 0
    last: bytes | None = None
    while page := store.page(at, last):
        go_on()
        await put(store, at, dict(page))
        count, last = count + len(page), page[-1][0]
    log.warning("changelog filled from disk", changelog=store.changelog, partition=at, rows=count)


async def put_rows(
    producer: AIOKafkaProducer,
    store: Store,
    at: int,
    rows: Mapping[bytes, bytes | None],
    config: Config,
) -> None:
    """Store `rows` of one partition, and produce them to its changelog.

    None: it is deleted in the changelog alone.
    """
    store.put(at, {key: body for key, body in rows.items() if body is not None})
    records = [
        Outgoing(topic=store.changelog, key=key, value=body, headers=[], partition=at)
        for key, body in rows.items()
    ]
    highest = await produce(producer, records, config)
    for offset in highest.values():
        store.drain(at, offset)
