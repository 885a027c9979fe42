"""Flow metrics of all workers: rates of topics, latency of agents, lag of services.

Workers are asked only while a client reads, and once for all clients. A rate is the difference of
two readings; a worker that was restarted in between counts from zero.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TypedDict

import aiohttp
import msgspec
import structlog
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from app.console.api.context import ApiContext
from app.console.api.problems import JsonResponse, json_response
from app.delivery.agent import registered
from app.kafka.errors import KAFKA_ERRORS
from app.operations.search.consumer_groups import groups
from app.registry import services
from app.wire.http_answers import read_answer, session_of
from app.wire.topics import topic_name

CHECK_SECONDS, LAG_SECONDS = 2.0, 5.0
WINDOW_SECONDS = 20.0
ASK_SECONDS = 2.0
SHARES = (0.5, 0.95, 0.99)

Place = tuple[str, tuple[tuple[str, str], ...]]
"""The name of a sample and its labels."""
log = structlog.get_logger(__name__)


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """A topic, who produces or consumes it, and events per second: None before two readings."""

    topic: str
    who: str
    service: str
    declared: bool
    total: float
    rate: float | None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One agent: from the time of an event to its answer.

    Bounds in seconds, None above the last.
    """

    agent: str
    service: str
    events: float
    p50: float | None
    p95: float | None
    p99: float | None


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One service: its workers, its lag, and its failures since they started."""

    name: str
    workers: int
    lag: int | None
    lag_seconds: float | None
    retries: float
    failures: float
    unreadable: float
    """Batches of records that nobody can read, which were set aside."""


class Flow(TypedDict):
    """The flow metrics, from readings that are `seconds` apart."""

    seconds: float
    produced: list[Edge]
    consumed: list[Edge]
    steps: list[Step]
    services: list[Service]


class FlowMetrics:
    """The latest readings of all workers."""

    def __init__(self, context: ApiContext, clock: Callable[[], float] = time.monotonic) -> None:
        self._context, self._clock = context, clock
        self._queries: deque[tuple[float, dict[str, dict[Place, float]]]] = deque()
        self._lag: tuple[float, dict[str, tuple[int, float | None]]] = (-LAG_SECONDS, {})
        self._lock = asyncio.Lock()

    async def query(self) -> Flow:
        """Return edges, steps and services as they are now."""
        async with self._lock:
            if not self._queries or self._clock() - self._queries[-1][0] >= CHECK_SECONDS:
                self._take(await self._ask_all())
            if self._clock() - self._lag[0] >= LAG_SECONDS:
                self._lag = (self._clock(), await self._behind())
        now, changed, seconds = self._sums()
        return {
            "seconds": seconds,
            "produced": _emitted(now, changed, seconds),
            "consumed": _received(now, changed, seconds),
            "steps": _steps(now),
            "services": [self._service(name, now) for name in services()],
        }

    def _take(self, readings: dict[str, dict[Place, float]]) -> None:
        self._queries.append((self._clock(), readings))
        while len(self._queries) > 2 and self._clock() - self._queries[1][0] >= WINDOW_SECONDS:  # noqa: PLR2004  two make a rate
            self._queries.popleft()

    async def _ask_all(self) -> dict[str, dict[Place, float]]:
        workers = self._context.directory.workers()
        async with session_of(ASK_SECONDS) as session:
            texts = await asyncio.gather(*(_metrics(session, each.url) for each in workers))
        return await asyncio.to_thread(
            lambda: {each.url: _read(text) for each, text in zip(workers, texts, strict=True)}
        )

    async def _behind(self) -> dict[str, tuple[int, float | None]]:
        try:
            consumer_groups = await groups(self._context.config)
        except KAFKA_ERRORS as error:
            log.warning("consumer lag unknown", error=str(error))
            return {}
        return {
            each.name.removeprefix("payflow-"): (each.lag, each.seconds) for each in consumer_groups
        }

    def _sums(self) -> tuple[dict[Place, float], dict[Place, float], float]:
        """Return current sums, their increase since the oldest reading, and the seconds between."""
        (first_s, first), (last_s, last) = self._queries[0], self._queries[-1]
        now: dict[Place, float] = {}
        changed: dict[Place, float] = {}
        for url, values in last.items():
            before = first.get(url, {})
            for place, value in values.items():
                now[place] = now.get(place, 0.0) + value
                old = before.get(place, 0.0)
                more = value - old if value >= old else value
                changed[place] = changed.get(place, 0.0) + more
        return now, changed, last_s - first_s

    def _service(self, name: str, now: Mapping[Place, float]) -> Service:
        lag, seconds = self._lag[1].get(name, (None, None))
        workers = sum(each.service == name for each in self._context.directory.workers())
        return Service(
            name=name,
            workers=workers,
            lag=lag,
            lag_seconds=seconds,
            retries=_of(now, "payflow_retries_total", service=name),
            failures=_of(now, "payflow_failures_total", service=name),
            unreadable=_of(now, "payflow_unreadable_batches_total", service=name),
        )


async def _metrics(session: aiohttp.ClientSession, url: str) -> str:
    try:
        async with session.get(f"{url}/metrics") as answer:
            return (await read_answer(answer)).decode()
    except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError):
        # A worker that does not answer is gone or busy: the directory knows which.
        return ""


def _read(text: str) -> dict[Place, float]:
    try:
        families = list(text_string_to_metric_families(text))
    except (ValueError, LookupError):
        # No metrics: it counts as no answer.
        return {}
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        if family.name.startswith("payflow_")
        for sample in family.samples
    }


def _of(sums: Mapping[Place, float], name: str, **labels: str) -> float:
    label_pairs = labels.items()
    return sum(
        v
        for (n, place_labels), v in sums.items()
        if n == name and label_pairs <= dict(place_labels).items()
    )


def _emitted(
    now: Mapping[Place, float], changed: Mapping[Place, float], seconds: float
) -> list[Edge]:
    declared = {
        (agent.service, topic.name) for agent in registered.values() for topic in agent.produces
    }
    return _edges(now, changed, seconds, "payflow_told_total", "service", declared)


def _received(
    now: Mapping[Place, float], changed: Mapping[Place, float], seconds: float
) -> list[Edge]:
    declared = {
        (agent.name, topic.name) for agent in registered.values() for topic in agent.consumes
    }
    return _edges(now, changed, seconds, "payflow_events_total", "room", declared)


def _edges(  # noqa: PLR0913  two sums, the time between them, and what to look for
    now: Mapping[Place, float],
    changed: Mapping[Place, float],
    seconds: float,
    name: str,
    label: str,
    declared: set[tuple[str, str]],
) -> list[Edge]:
    """Return every edge that is declared or measured."""
    measured = {
        (dict(labels)[label], dict(labels)["topic"])
        for (sample, labels), value in now.items()
        if sample == name and value and _is_event(dict(labels)["topic"])
    }
    return [
        Edge(
            topic=topic,
            who=who,
            service=registered[who].service if who in registered else who,
            declared=(who, topic) in declared,
            total=_of(now, name, **{label: who, "topic": topic}),
            rate=_of(changed, name, **{label: who, "topic": topic}) / seconds if seconds else None,
        )
        for who, topic in sorted(declared | measured)
    ]


def _is_event(topic: str) -> bool:
    """Return whether `topic` carries events, not copies or deadlines."""
    return topic_name(topic).kind in ("event", "internal", "other")


def _steps(now: Mapping[Place, float]) -> list[Step]:
    steps = []
    for agent in sorted(registered.values(), key=lambda agent: (agent.service, agent.name)):
        buckets = sorted(
            (float(dict(labels)["le"]), value)
            for (name, labels), value in now.items()
            if name == "payflow_step_seconds_bucket" and dict(labels)["room"] == agent.name
        )
        events = buckets[-1][1] if buckets else 0.0
        p50, p95, p99 = (_bound(buckets, events * share) for share in SHARES)
        steps.append(
            Step(agent=agent.name, service=agent.service, events=events, p50=p50, p95=p95, p99=p99)
        )
    return steps


def _bound(buckets: list[tuple[float, float]], rank: float) -> float | None:
    """Return the bound of the bucket in which the `rank`-th event lies; None above the last."""
    bound = next((le for le, count in buckets if count and count >= rank), None)
    return None if bound is None or bound == float("inf") else bound


FLOW_METRICS: web.AppKey[FlowMetrics] = web.AppKey("flow_metrics")


async def show(request: web.Request) -> JsonResponse[Flow]:
    """Return edges, steps and services."""
    return json_response(await request.app[FLOW_METRICS].query())
