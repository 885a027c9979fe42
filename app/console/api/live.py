"""The live page's stream: a snapshot first, then every change, to all clients."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from aiohttp import web

from app.console.api.figures import FIGURES
from app.console.api.flow_metrics import FLOW_METRICS
from app.console.api.live_state import LiveState
from app.console.api.open_orders import open_by_workflow
from app.console.api.problems import Problem
from app.console.api.streams import write
from app.host.parameters import header
from app.wire.clock import now_ms

PUSH_SECONDS = 0.5
FLOW_METRICS_SECONDS = 2.0
CLIENTS_MAX = 100

log = structlog.get_logger(__name__)


class Live:
    """Updates the live state while a client is connected, once for all clients."""

    def __init__(self, app: web.Application) -> None:
        self.live_state = LiveState()
        self._app = app
        self._clients = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._moved = asyncio.Event()

    def begin(self) -> None:
        """Count one more client."""
        self._clients += 1
        if self._clients == 1:
            self._refresh()
            self._tasks = [
                asyncio.create_task(_again(self._checkpoint, FLOW_METRICS_SECONDS)),
                asyncio.create_task(_again(self._move, PUSH_SECONDS)),
            ]

    def end(self) -> None:
        """Count one less."""
        self._clients -= 1
        if not self._clients:
            for task in self._tasks:
                task.cancel()

    async def wait_for_change(self) -> None:
        """Wait until the live state may have changed."""
        await self._moved.wait()

    async def _move(self) -> None:
        self._refresh()
        wait_for_change, self._moved = self._moved, asyncio.Event()
        wait_for_change.set()

    def _refresh(self) -> None:
        figures, at_ms = self._app[FIGURES], now_ms()
        facts = figures.facts()
        put = self.live_state.put
        put("clock", {"second": at_ms // 1_000})
        put("totals", facts["totals"])
        put(figures.latency, {"bounds": facts[figures.latency]})
        put("minutes", {str(each["minute_ms"]): each for each in facts["minutes"]})
        put("countries", {each["country"]: each for each in facts["countries"]})
        put("seconds", figures.seconds())
        open_first, open_further = open_by_workflow(self._app, at_ms)
        put("open_orders", open_first)
        put("open_by_workflow", open_further)
        put("workflows", facts["workflows"])

    async def _checkpoint(self) -> None:
        flow = await self._app[FLOW_METRICS].query()
        for section, name in (("steps", "agent"), ("services", "name")):
            rows = (msgspec.to_builtins(each) for each in flow[section])
            self.live_state.put(section, {row[name]: row for row in rows})


async def _again(action: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        try:
            await action()
        except Exception as error:
            # A failed update must not end the loop.
            log.exception("live update failed", error=repr(error))
        await asyncio.sleep(seconds)


LIVE: web.AppKey[Live] = web.AppKey("live")
STREAMS: web.AppKey[set[asyncio.Task[object]]] = web.AppKey("streams")


async def stream(request: web.Request) -> web.StreamResponse:
    """Stream the live state: a snapshot, or the changes since `Last-Event-ID`."""
    streams, live = request.app[STREAMS], request.app[LIVE]
    if len(streams) >= CLIENTS_MAX:
        raise Problem(503, "Service Unavailable", "too many streams are open; close one")
    task = asyncio.current_task()
    assert task is not None, "a request runs in a task"
    streams.add(task)
    live.begin()
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    try:
        await response.prepare(request)
        await _push(request, response, live)
    except (ConnectionResetError, asyncio.CancelledError):
        log.debug("stream closed")
    finally:
        live.end()
        streams.discard(task)
    return response


async def _push(request: web.Request, response: web.StreamResponse, live: Live) -> None:
    live_state = live.live_state
    version = live_state.version_in(header(request, "Last-Event-ID"))
    while True:
        if not version or live_state.version != version:
            event, version = live_state.event(version), live_state.version
            await write(request, response, event)
        await live.wait_for_change()


async def close_streams(app: web.Application) -> None:
    """End every stream, so that a stop does not wait for them."""
    for task in list(app[STREAMS]):
        task.cancel()
