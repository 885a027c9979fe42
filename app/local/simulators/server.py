"""What both simulators share: starting, health, delayed answers, and background tasks."""

import asyncio
import errno
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial

import structlog
from aiohttp import web

from app.config import Config, ConfigError, current
from app.host.incoming import LimitedSite, runner_of
from app.host.logs import configure_logging
from app.wire.json_output import json_bytes
from app.wire.known_secrets import check_secrets

SHUTDOWN_SECONDS = 1.0
"""Delayed answers must not delay the end of the process."""
HOLD_STEP_SECONDS = 0.02
PAUSE_SECONDS_MIN = 0.005

log = structlog.get_logger(__name__)

_failed: list[BaseException] = []
"""What ended the work beside the server."""

_ENDED: web.AppKey[asyncio.Event] = web.AppKey("ended")
"""Of a simulator that serves: what ends it."""

Work = Callable[[], Coroutine[object, object, None]]
Context = Callable[[web.Application], AsyncIterator[None]]


def run(name: str, make_app: Callable[[Config], web.Application], port_field: str) -> None:
    """Serve the simulator `name` on the configured port until a signal ends it.

    Exits with one line that says what to do when the configuration or the port is of no use.
    """
    try:
        config = current()
        check_secrets(config)
        port = getattr(config, port_field)
        configure_logging(config)
        log.info("external system listens", system=name, host=config.host, port=port)
        asyncio.run(_serve(make_app(config), config.host, port))
        for failure in _failed:
            raise failure
    except ConfigError as error:
        sys.exit(f"{name}: {error}")
    except sqlite3.Error as error:
        where = config.data_path / f"{name}.sqlite"
        sys.exit(f"{name}: {where}: {error}. Operator: put that right; it goes on by itself")
    except OSError as error:
        sys.exit(f"{name}: {_reason(error, port_field)}")


async def _serve(app: web.Application, host: str, port: int) -> None:
    """Serve `app` until a signal comes, or work beside it has failed."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    app[_ENDED] = ended
    runner = await runner_of(app, SHUTDOWN_SECONDS)
    try:
        await LimitedSite(runner, host, port).start()
        await ended.wait()
    finally:
        await runner.cleanup()


def _reason(error: OSError, port_field: str) -> str:
    if error.errno != errno.EADDRINUSE:
        return str(error)
    return f"{error}. Operator: PAYFLOW_{port_field.upper()} names another port"


def beside(*works: Work) -> Context:
    """Return an aiohttp cleanup context that runs `works` while the server runs.

    A failure of one ends the process: a simulator that sends no webhooks must not look healthy.
    """

    async def context(app: web.Application) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work()) for work in works]
        for task in tasks:
            task.add_done_callback(partial(_stop_when_failed, app.get(_ENDED)))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    return context


def closing(close: Callable[[], None]) -> Callable[[web.Application], Awaitable[None]]:
    """Return an aiohttp clean-up that calls `close` when the server has ended."""

    async def closed(_app: web.Application) -> None:
        close()

    return closed


async def hold(request: web.Request, seconds: float) -> web.Response:
    """Keep the answer back for `seconds`, or until the client has left; then 504."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    while loop.time() < ends_at:
        if request.transport is None or request.transport.is_closing():
            break
        await asyncio.sleep(HOLD_STEP_SECONDS)
    return web.Response(status=504)


async def until_due(news: asyncio.Event, due_ms: int | None, now_ms: int) -> None:
    """Wait until `due_ms`, if there is such a time, or for `news`."""
    pause_seconds = None if due_ms is None else max(PAUSE_SECONDS_MIN, (due_ms - now_ms) / 1_000)
    with suppress(TimeoutError):
        await asyncio.wait_for(news.wait(), pause_seconds)


def json_answer(value: object, status: int = 200) -> web.Response:
    """Return `value` as the answer to a request."""
    return web.Response(body=json_bytes(value), status=status, content_type="application/json")


async def livez(_request: web.Request) -> web.Response:
    """Answer that this process is alive."""
    return json_answer({"status": "ok"})


def _stop_when_failed(ended: asyncio.Event | None, task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        if not isinstance(error, sqlite3.Error):
            log.error("work beside the server failed", exc_info=error)
        _failed.append(error)
        if ended is not None:
            ended.set()
