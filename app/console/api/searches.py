"""Who may search how much: each identity has a share, so that a few leave some for everybody.

Searches run in processes of their own (`app.operations.search.process_pool`).
"""

import asyncio
import functools
import ipaddress
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Literal

from aiohttp import web

from app.auth.operators import PeopleError
from app.console.api.access import AUTH
from app.console.api.addresses import address_of
from app.console.api.callers import owner_of
from app.console.api.context import CONTEXT, asking_kafka, unavailable
from app.console.api.live import STREAMS
from app.console.api.problems import RETRY_AFTER, Problem
from app.host.parameters import header
from app.host.routes import Handler
from app.kafka.errors import NoSuchTopic
from app.operations.search.process_pool import ProcessPool
from app.operations.search.question import Begun, Question
from app.operations.search.scan_events import Event

Kind = Literal["page", "stream", "read"]
"""A page takes a few seconds; a stream is open until its end, or until it is closed.

A read goes through whole topics or all of the broker's, without a search process.
"""
EACH_MAX = 2
"""Searches of a kind that one identity may have at once."""
ANONYMOUS_MAX = 2
"""Searches of a kind for all who have not signed in, together."""
SEARCHES_MAX = 4
"""Searches of a kind at once: each keeps a core busy."""
READS_FACTOR = 2
"""Reads are shorter, and a person opens several pages: there are so many times as many."""
PAGE_BYTES_MAX = 1_000_000
"""Of the records that one page shows."""
STREAM_SECONDS_MAX = 900.0
"""A stream ends then, with a cursor; whoever still wants it goes on."""


class Shares:
    """The searches that are running, by kind and identity."""

    def __init__(self) -> None:
        self._running: Counter[tuple[Kind, str]] = Counter()

    def running(self, kind: Kind) -> int:
        """Return how many of a kind there are."""
        return sum(self._of_kind(kind).values())

    def _of_kind(self, kind: Kind) -> dict[str, int]:
        return {who: n for (each, who), n in self._running.items() if each == kind}

    @contextmanager
    def take(self, kind: Kind, identity: str) -> Iterator[None]:
        """Count one search more. Raises Problem 429 at the share of `identity`, 503 at the end."""
        anonymous = not is_proven(identity)
        factor = READS_FACTOR if kind == "read" else 1
        each_max, anonymous_max = EACH_MAX * factor, ANONYMOUS_MAX * factor
        of_kind = self._of_kind(kind)
        of_nobody = sum(n for who, n in of_kind.items() if not is_proven(who))
        if of_kind.get(identity, 0) >= each_max or (anonymous and of_nobody >= anonymous_max):
            whose = "of callers who have not signed in" if anonymous else "of yours"
            detail = f"{each_max} searches {whose} are under way; end one, or wait for its end"
            raise Problem(429, "Too Many Requests", detail, headers=RETRY_AFTER)
        if self.running(kind) >= SEARCHES_MAX * factor:
            raise unavailable(f"{SEARCHES_MAX * factor} searches are under way; try again soon")
        self._running[kind, identity] += 1
        try:
            yield
        finally:
            self._running[kind, identity] -= 1
            self._running += Counter()  # drops what is zero


_PROVEN = ("client:", "operator:")


def is_proven(identity: str) -> bool:
    """Return whether `identity` is of somebody by name, and not an address."""
    return identity.startswith(_PROVEN)


SHARES: web.AppKey[Shares] = web.AppKey("shares")
POOL: web.AppKey[ProcessPool] = web.AppKey("search_processes")


def add_searches(app: web.Application) -> None:
    """Let `app` search."""
    app[SHARES] = Shares()
    app[POOL] = ProcessPool(app[CONTEXT].config)
    app.on_startup.append(_warm)
    app.on_cleanup.append(_close)


async def _warm(app: web.Application) -> None:
    if app[CONTEXT].config.broker_url:
        app[POOL].warm()


async def _close(app: web.Application) -> None:
    await app[POOL].close()


def identity_of(request: web.Request) -> str:
    """Return who asks, as far as it is proven: a client, an operator, else an address."""
    client = owner_of(request)
    if client is not None:
        return f"client:{client.name}"
    auth = request.app[AUTH]
    with suppress(PeopleError):
        session = auth.session(request)
        if session is not None:
            return f"operator:{session.person.name}"
        credentials = header(request, "Authorization").partition(" ")[2]
        name, _, token = credentials.strip().partition(":")
        if name and auth.sessions.prove(name, token) is not None:
            return f"operator:{name}"
    return address_identity(address_of(request, auth.trusted))


def address_identity(text: str) -> str:
    """Return who an address is: this machine, an address of IPv4, a network of IPv6."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return "this machine"
    if address.version == 4:  # noqa: PLR2004
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


@contextmanager
def searching(request: web.Request, kind: Kind) -> Iterator[None]:
    """Count this request among the searches; the server's stop ends it. Raises Problem 429, 503."""
    task = asyncio.current_task()
    assert task is not None, "a request runs in a task"
    streams = request.app[STREAMS]
    with request.app[SHARES].take(kind, identity_of(request)):
        streams.add(task)
        try:
            yield
        finally:
            streams.discard(task)


def reading(handler: Handler) -> Handler:
    """Return `handler` among the reads: it goes on after its caller has left."""

    @functools.wraps(handler)
    async def counted(request: web.Request) -> web.StreamResponse:
        with searching(request, "read"):
            return await handler(request)

    return counted


async def search_process(request: web.Request, question: Question) -> AsyncGenerator[Begun | Event]:
    """Yield Begun, then what a search process answers. Raises BadTerm, InspectionError."""
    async for each in request.app[POOL].search(question):
        yield each


@asynccontextmanager
async def answering() -> AsyncGenerator[None]:
    """Turn errors of Kafka and of the request into a Problem."""
    with asking_kafka():
        try:
            yield
        except NoSuchTopic as error:
            raise Problem(404, "Not Found", str(error), field="name") from error
