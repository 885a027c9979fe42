"""What every HTTP server of ours allows: how many connections, for how long, and what of a request.

aiohttp has no time-out for a head that never ends, and no most of connections.
"""

import asyncio
import functools
from collections.abc import Callable
from typing import cast

from aiohttp import web, web_urldispatcher

from app.host.parameters import check_headers, header, is_text, media_type
from app.host.routes import Handler

CONNECTIONS_MAX = 500
"""Of one server: a further one takes the place of the one that has waited longest."""
ADDRESS_SHARE = 0.8
"""Of all connections, those of one address: a machine that holds its own leaves some for others."""
HEADERS_SECONDS = 10.0
"""From the first byte of a request, or from the start of its connection, to the end of its head."""
BODY_SECONDS = 30.0
"""From the end of the head to the end of the body."""
IDLE_SECONDS = 75.0
"""Between two requests; clients of ours close theirs earlier."""
IDENTITY = frozenset({"", "identity"})
"""Content encodings that are read: a compressed body can unfold to a thousand times its size."""


class Limits:
    """The connections of one server, those that wait for (the rest of) a request in order."""

    def __init__(
        self,
        connections_max: int = CONNECTIONS_MAX,
        headers_seconds: float = HEADERS_SECONDS,
        body_seconds: float = BODY_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.connections_max = connections_max
        self.address_max = max(1, int(connections_max * ADDRESS_SHARE))
        self.headers_seconds = headers_seconds
        self.body_seconds = body_seconds
        self.idle_seconds = idle_seconds
        self.open: set[Connection] = set()
        self.waiting: dict[Connection, None] = {}

    def admit(self, connection: "Connection") -> None:
        """Count `connection`, in the place of another where there are too many."""
        of_address = sum(each.address == connection.address for each in self.open)
        # Half requests go first; while every other one is answered, the new one goes.
        if of_address >= self.address_max:
            own = (each for each in self.waiting if each.address == connection.address)
            next(own, connection).abort()
        elif len(self.open) >= self.connections_max:
            next(iter(self.waiting), connection).abort()
        self.open.add(connection)

    def forget(self, connection: "Connection") -> None:
        """Count `connection` no more."""
        self.open.discard(connection)
        self.waiting.pop(connection, None)


class Connection(asyncio.Protocol):
    """A connection of aiohttp, `inner`, which is ended when it lets the server wait too long."""

    def __init__(self, inner: web.RequestHandler, limits: Limits) -> None:
        self._inner = inner
        self._limits = limits
        self._transport: asyncio.WriteTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_idle = False
        self._asked: web.Request | None = None
        self.address = ""
        """Where it comes from, without the port."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a head."""
        # Not `isinstance`: the transports of uvloop, on which workers run, have no base of asyncio.
        self._transport = cast("asyncio.WriteTransport", transport)
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self._inner.connection_made(transport)
        self._limits.admit(self)
        self._wait(self._limits.headers_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_timer()
        self._limits.forget(self)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what came; the time of a head begins with its first byte."""
        if self._is_idle:
            self._wait(self._limits.headers_seconds)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._inner.resume_writing()

    def abort(self) -> None:
        """End the connection at once."""
        self._limits.forget(self)
        if self._transport is not None:
            self._transport.abort()

    def begin(self, request: web.Request) -> None:
        """Wait for no head: `request` is answered, and its body has a time.

        Until its body is there, others may have its place: a request without one costs nothing.
        """
        self._stop_timer()
        self._is_idle = False
        self._limits.waiting.pop(self, None)
        if not request.content.is_eof():
            self._asked = request
            self._limits.waiting[self] = None
            request.content.on_eof(functools.partial(self._whole, request))
            self._call_later(self._limits.body_seconds, functools.partial(_too_late, request))

    def end(self) -> None:
        """Wait for the next request."""
        self._asked = None
        if self in self._limits.open:
            self._wait(self._limits.idle_seconds)
            self._is_idle = True

    def _whole(self, request: web.Request) -> None:
        # A body that nobody read may end after its answer: then the connection waits again.
        if self._asked is request:
            self._limits.waiting.pop(self, None)

    def _wait(self, seconds: float) -> None:
        self._is_idle = False
        self._limits.waiting.setdefault(self)
        self._call_later(seconds, self.abort)

    def _call_later(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _too_late(request: web.Request) -> None:
    if not request.content.is_eof():
        detail = f"the body did not come within {BODY_SECONDS:.0f} s"
        request.content.set_exception(web.HTTPRequestTimeout(text=detail))


class LimitedSite(web.BaseSite):
    """An address at which a server listens, with limits."""

    def __init__(
        self, runner: web.BaseRunner, host: str, port: int, limits: Limits | None = None
    ) -> None:
        super().__init__(runner)
        self._host = host
        self._port = port
        self._limits = limits or Limits()

    @property
    def name(self) -> str:
        """Return the address."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        await super().start()
        server = self._runner.server
        assert server is not None

        def connect() -> Connection:
            return Connection(server(), self._limits)

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(connect, self._host, self._port)


async def runner_of(app: web.Application, shutdown_seconds: float) -> web.AppRunner:
    """Return a runner of `app`, set up; it decompresses nothing."""
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=shutdown_seconds, auto_decompress=False
    )
    await runner.setup()
    return runner


@web.middleware
async def readable(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a request with a header that is not text, or a body that is compressed or in parts."""
    connection = None if request.transport is None else request.transport.get_protocol()
    limited = connection if isinstance(connection, Connection) else None
    if limited is not None:
        limited.begin(request)
    try:
        _check(request)
        return await handler(request)
    finally:
        if limited is not None:
            limited.end()


def _check(request: web.Request) -> None:
    check_headers(request)
    encoding = header(request, "Content-Encoding").strip().lower()
    if encoding not in IDENTITY:
        detail = "send the body as it is, without a Content-Encoding"
        raise web.HTTPUnsupportedMediaType(text=detail, headers={"Accept-Encoding": "identity"})
    if media_type(request).startswith("multipart/"):
        raise web.HTTPUnsupportedMediaType(text="a body in parts is not read here")


_aiohttp_expects = web_urldispatcher._default_expect_handler  # noqa: SLF001  see below


async def _expects(request: web.Request) -> None:
    """Answer `Expect`; one that is not text is left to `readable`.

    aiohttp would repeat it in its refusal, before any middleware, which cannot be encoded: a 500.
    Also for paths that are not there, so a handler of our routes is not enough.
    """
    if is_text(header(request, "Expect")):
        await _aiohttp_expects(request)


web_urldispatcher._default_expect_handler = _expects  # noqa: SLF001
