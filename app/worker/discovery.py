"""Which workers are alive and hold which partitions: workers announce it, the console reads it."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from app.config import Config
from app.kafka.reader import TopicPartition, reader
from app.wire.clock import now_ms
from app.wire.records import Outgoing, as_read
from app.wire.signing import is_signed
from app.wire.topics import WORKERS
from app.worker.http import LocalQueries

ANNOUNCE_SECONDS = 2.0
LIVE_MS = 10_000
"""A worker that has announced nothing for so long counts as gone."""
CLOCK_MS_MAX = 60_000
"""By how much the clocks of a worker and of the broker may differ."""

log = structlog.get_logger(__name__)


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """The latest announcement of one worker."""

    service: str
    url: str
    pid: int
    at_ms: int
    ready: bool = False
    partitions: dict[str, list[int]] = {}


async def announce(
    queries: LocalQueries, url: str, send: Callable[[Sequence[Outgoing]], Awaitable[None]]
) -> None:
    """Announce address and partitions of this worker in a loop, and at once when they change."""
    announcement: tuple[object, float] = (None, 0.0)
    while True:
        holds = queries.partitions()
        if holds != announcement[0] or time.monotonic() - announcement[1] > ANNOUNCE_SECONDS:
            worker = Worker(
                service=queries.service,
                url=url,
                pid=os.getpid(),
                at_ms=now_ms(),
                ready=queries.ready()[0],
                partitions=holds,
            )
            body = msgspec.json.encode(worker)
            record = Outgoing(topic=WORKERS, key=url.encode(), value=body, headers=[], partition=0)
            await send([record])
            announcement = (holds, time.monotonic())
        await asyncio.sleep(0.25)


class Directory:
    """The workers by their latest announcements."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}

    async def run(self, config: Config) -> None:
        """Follow the announcements of workers, for ever."""
        place = TopicPartition(WORKERS, 0)
        async with reader(config, auto_offset_reset="latest") as consumer:
            consumer.assign([place])
            since = await consumer.offsets_for_times({place: now_ms() - LIVE_MS})
            if since[place] is not None:
                consumer.seek(place, since[place].offset)
            else:
                await consumer.seek_to_end(place)
            async for record in consumer:
                if is_signed(as_read(record), config):
                    self.receive(record.value, record.timestamp)
                else:
                    log.warning("announcement with a wrong signature", offset=record.offset)

    def receive(self, body: bytes | None, arrived_ms: int = 0) -> None:
        """Note an announcement; log and skip any other record.

        `arrived_ms`: when the broker got it, by its own clock; 0 where that is not known.
        """
        try:
            worker = msgspec.json.decode(body or b"", type=Worker)
        except msgspec.DecodeError as error:
            log.warning("unreadable announcement", error=str(error))
            return
        ahead_ms = worker.at_ms - arrived_ms
        if arrived_ms and abs(ahead_ms) > CLOCK_MS_MAX and worker.url not in self._workers:
            log.warning(
                "clock skew of a worker. Operator: set its clock; deadlines are reckoned by it",
                service=worker.service, url=worker.url, ahead_seconds=ahead_ms // 1_000,
            )  # fmt: skip
        self._workers[worker.url] = worker

    def workers(self) -> list[Worker]:
        """Return the live workers by service and url."""
        since_ms = now_ms() - LIVE_MS
        live = [worker for worker in self._workers.values() if worker.at_ms >= since_ms]
        return sorted(live, key=lambda worker: (worker.service, worker.url))

    def holders(self, table: str) -> list[Worker]:
        """Return the live workers that hold partitions of `table`, latest announcement first."""
        workers = [worker for worker in self.workers() if worker.partitions.get(table)]
        return sorted(workers, key=lambda worker: -worker.at_ms)

    def owner(self, table: str, partition: int) -> Worker | None:
        """Return the live worker that holds `partition` of `table`, or None."""
        owners = (w for w in self.holders(table) if partition in w.partitions[table])
        return next(owners, None)
