"""Live figures: what analytics has told so far, summed, and pushed to whoever looks."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import structlog
from aiohttp import web
from aiokafka import AIOKafkaConsumer, TopicPartition

from app import codecs, envelope, topics
from app.admin import client_options, stop_consumer
from app.api.problems import Problem, json_response
from app.config import Config
from app.record import as_read
from app.seal import of_the_house
from workflows.analytics import SHIPPED_WITHIN_MS
from workflows.words.analytics import FiguresUpdated

PUSH_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0
CLIENTS_MAX = 100
MINUTES_SHOWN = 30
BOUNDS = (*SHIPPED_WITHIN_MS, None)

log = structlog.get_logger(__name__)


class Figures:
    """The latest word on every minute, country and partition; sums are kept as words come."""

    def __init__(self) -> None:
        self._latest: dict[tuple[int, str, int], FiguresUpdated] = {}
        self._total: Counter[str] = Counter()
        self._by_minute: dict[int, Counter[str]] = {}
        self._by_country: dict[str, Counter[str]] = {}
        self.version = 0

    async def run(self, config: Config) -> None:
        """Listen to what analytics tells, for ever."""
        consumer = AIOKafkaConsumer(**client_options(config), fetch_max_wait_ms=100)
        await consumer.start()
        places = [TopicPartition(topics.figures.name, at) for at in range(config.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        try:
            async for record in consumer:
                if of_the_house(as_read(record), config):
                    self._read(record)
                else:
                    log.warning("no figures of ours", offset=record.offset)
        finally:
            await stop_consumer(consumer)

    def _read(self, record: Any) -> None:
        try:
            head = envelope.from_headers(record.headers)
            word = codecs.decode(record.value, head, record.key)
        except (codecs.Poison, envelope.BadEnvelope) as error:
            log.warning("no figures", error=str(error), offset=record.offset)
            return
        if isinstance(word, FiguresUpdated):
            self.hear(word)

    def hear(self, word: FiguresUpdated) -> None:
        """Replace what was known of the word's minute, country and partition."""
        at = (word.minute_ms, word.country, word.partition)
        change = _flat(word)
        before = self._latest.get(at)
        if before is not None and sum(word.counts.values()) < sum(before.counts.values()):
            # Figures only grow: somebody has told old ones again.
            return
        if before is not None:
            change.subtract(_flat(before))
        self._latest[at] = word
        minute = self._by_minute.setdefault(word.minute_ms, Counter())
        country = self._by_country.setdefault(word.country, Counter())
        for sums in (self._total, minute, country):
            sums.update(change)
        self.version += 1

    def shown(self) -> dict[str, Any]:
        """Return totals, the latest minutes, countries and percentiles of the time to ship."""
        total = self._total
        ended = total["completed"] + total["cancelled"]
        return {
            "version": self.version,
            "totals": {**total, "open": max(total["orders"] - ended, 0)},
            "to_shipped_ms": {f"p{at}": self._percentile(at) for at in (50, 95, 99)},
            "minutes": [
                {"minute_ms": minute, **self._by_minute[minute]}
                for minute in sorted(self._by_minute)[-MINUTES_SHOWN:]
            ],
            "countries": [
                {"country": name, **sums}
                for name, sums in sorted(self._by_country.items(), key=lambda at: -at[1]["orders"])
            ],
        }

    def _percentile(self, percent: int) -> int | None:
        """Return the bound of the bucket that holds the percentile; None above the last."""
        counts = [self._total[f"shipped_le_{'inf' if b is None else b}"] for b in BOUNDS]
        wanted = sum(counts) * percent / 100
        seen = 0
        for bound, count in zip(BOUNDS, counts, strict=True):
            seen += count
            if count and seen >= wanted:
                return bound
        return None


FIGURES: web.AppKey[Figures] = web.AppKey("figures")
STREAMS: web.AppKey[set[asyncio.Task[Any]]] = web.AppKey("streams")


async def show(request: web.Request) -> web.Response:
    """Return the live figures."""
    return json_response(request.app[FIGURES].shown())


async def live(request: web.Request) -> web.StreamResponse:
    """Stream the live figures as server-sent events: a snapshot, then every change."""
    streams = request.app[STREAMS]
    if len(streams) >= CLIENTS_MAX:
        raise Problem(503, "Service Unavailable", "too many streams are open; close one")
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a request runs in a task")
    streams.add(task)
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    try:
        await response.prepare(request)
        await _push(response, request.app[FIGURES])
    except (ConnectionResetError, asyncio.CancelledError):
        log.debug("stream closed")
    finally:
        streams.discard(task)
    return response


async def _push(response: web.StreamResponse, figures: Figures) -> None:
    pushed, silent = -1, 0.0
    while True:
        if figures.version != pushed:
            pushed, silent = figures.version, 0.0
            body = msgspec.json.encode(figures.shown())
            await response.write(b"event: figures\nid: %d\ndata: %s\n\n" % (pushed, body))
        elif silent >= HEARTBEAT_SECONDS:
            silent = 0.0
            await response.write(b": still here\n\n")
        await asyncio.sleep(PUSH_SECONDS)
        silent += PUSH_SECONDS


async def close_streams(app: web.Application) -> None:
    """End every stream, so that a stop does not wait for them."""
    for task in list(app[STREAMS]):
        task.cancel()


def _flat(word: FiguresUpdated) -> Counter[str]:
    return Counter({**word.counts, **word.sums})
