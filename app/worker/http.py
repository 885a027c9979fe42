"""The small web server that every worker has: health, metrics, and the rows it holds.

Rows are unmasked, so only processes of Payflow may read them: a request carries a token that needs
the signing key, and names this server in `Host`. People use the console, which masks. What watches
processes needs neither for `/livez`, `/readyz` and `/metrics`, which name nobody.
"""

import asyncio
import errno
from typing import Protocol

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.config import Config, ConfigError
from app.host.exit import hard_stop
from app.host.incoming import LimitedSite, readable, runner_of
from app.host.parameters import BadParameter, header, path_text, refuse_unknown, text_of, whole
from app.host.processes import url_of
from app.host.routes import Audience, Handler, Route, is_called, serve_routes
from app.wire.json_output import json_bytes
from app.wire.known_secrets import check_secrets
from app.wire.signing import ROWS_PASS, is_rows_token
from app.worker.metrics import totals

SHUTDOWN_SECONDS = 0.5
LIMIT_MAX = 1_000
"""Rows of one page."""
LIMIT_SAID_MAX = 1_000_000
"""More may be asked for; it is a page all the same."""
ROWS_BYTES_MAX = 4_000_000
"""Keys and bodies of a page, but for the rows of its last key: a row may be longer than that."""


class RowPage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in key order."""

    rows: list[dict[str, object]]
    next: str | None = None
    """The last key, where the page has ended for its bytes: there may be more."""


class LocalQueries(Protocol):
    """What a worker answers about itself."""

    service: str

    def ready(self) -> tuple[bool, str]:
        """Return whether events flow, and otherwise what the worker waits for."""
        ...

    def get(self, table: str, key: str) -> dict[str, object] | None:
        """Return the row, None when this worker has none; raises KeyError for no such table."""
        ...

    def scan(self, table: str, prefix: str, limit: int, after: str) -> RowPage:
        """Return rows in key order; raises KeyError for no such table."""
        ...

    def partitions(self) -> dict[str, list[int]]:
        """Return the partitions held here, by table."""
        ...


QUERIES: web.AppKey[LocalQueries] = web.AppKey("queries")
CONFIG: web.AppKey[Config] = web.AppKey("config")


class RunningServer:
    """A running server: its address, and how to stop it."""

    def __init__(self, runner: web.AppRunner, url: str) -> None:
        self._runner = runner
        self.url = url

    async def stop(self) -> None:
        """Stop at once, without waiting for open requests."""
        await self._runner.cleanup()


def make_site(queries: LocalQueries, config: Config) -> web.Application:
    """Return the worker's site over `instance`."""
    site = web.Application(middlewares=[_refusals, readable, _payflow_alone])
    site[QUERIES] = queries
    site[CONFIG] = config
    serve_routes(site, ROUTES)
    return site


async def serve(queries: LocalQueries, config: Config) -> RunningServer:
    """Serve the worker's site on `config.host` and `config.worker_port` (0: any free port).

    Ends the process where a secret that everybody knows would be within reach of others.
    """
    try:
        check_secrets(config)
    except ConfigError as error:
        hard_stop(f"this worker does not start: {error}")
    return await serve_site(make_site(queries, config), config, "worker_port")


async def serve_site(site: web.Application, config: Config, port_field: str) -> RunningServer:
    """Serve `site` on the port of that setting; raises OSError when it is taken."""
    host, port = config.host, getattr(config, port_field)
    runner = await runner_of(site, SHUTDOWN_SECONDS)
    listener = LimitedSite(runner, host, port)
    try:
        await listener.start()
    except OSError as error:
        await runner.cleanup()
        if error.errno != errno.EADDRINUSE:
            raise
        text = f"the port {port} of {host} is taken; PAYFLOW_{port_field.upper()} names another"
        raise OSError(text) from error
    actual = runner.addresses[0][1]
    return RunningServer(runner, url_of(host, actual))


async def _livez(_request: web.Request) -> web.Response:
    await asyncio.sleep(0)
    return _json({"status": "alive"})


async def _readyz(request: web.Request) -> web.Response:
    queries = request.app[QUERIES]
    ready, reason = queries.ready()
    body = {"service": queries.service, "ready": ready, "reason": reason}
    return _json(body, status=200 if ready else 503)


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _totals(_request: web.Request) -> web.Response:
    return _json(totals())


async def _tables(request: web.Request) -> web.Response:
    return _json(request.app[QUERIES].partitions())


async def _table(request: web.Request) -> web.Response:
    try:
        limit = whole(request, "limit", 100, 1, LIMIT_SAID_MAX)
        prefix, after = text_of(request, "prefix"), text_of(request, "after")
        rows = request.app[QUERIES].scan(
            path_text(request, "name"), prefix, min(limit, LIMIT_MAX), after
        )
    except KeyError:
        return _json({"error": "no such table here"}, 404)
    return _json(rows)


async def _row(request: web.Request) -> web.Response:
    try:
        row = request.app[QUERIES].get(path_text(request, "name"), path_text(request, "key"))
    except KeyError:
        return _json({"error": "no such table here"}, 404)
    return _json({"error": "no such row here"}, 404) if row is None else _json(row)


_SERVED: tuple[tuple[str, Handler, Audience], ...] = (
    ("/livez", _livez, "machine"),
    ("/readyz", _readyz, "machine"),
    ("/metrics", _metrics, "machine"),
    ("/totals", _totals, "worker"),
    ("/tables", _tables, "worker"),
    ("/tables/{name}", _table, "worker"),
    ("/tables/{name}/{key}", _row, "worker"),
)
QUERIED = {"/tables/{name}": ("prefix", "limit", "after")}
"""Query parameters, by path; what watches processes may add its own to other paths."""
ROUTES = tuple(
    Route(method=method, path=path, handler=handler, audience=audience, role=None)
    for path, handler, audience in _SERVED
    for method in ("GET", "HEAD")
)
_OWN = {(route.method, route.path) for route in ROUTES if route.audience == "worker"}


@web.middleware
async def _payflow_alone(request: web.Request, handler: Handler) -> web.StreamResponse:
    resource = request.match_info.route.resource
    if resource is None or (request.method, resource.canonical) not in _OWN:
        return await handler(request)
    config, token = request.app[CONFIG], header(request, ROWS_PASS)
    if not is_called(request, {config.host}):
        return _json({"error": "this host name is not served here"}, 421)
    if not is_rows_token(token, request.raw_path, config):
        return _json({"error": "rows are shown to Payflow alone; ask the console for them"}, 403)
    refuse_unknown(request, QUERIED.get(resource.canonical, ()))
    return await handler(request)


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadParameter as error:
        return _json({"error": str(error), "field": error.field}, 400)


def _json(value: object, status: int = 200) -> web.Response:
    body = json_bytes(value)
    return web.Response(body=body, content_type="application/json", status=status)
