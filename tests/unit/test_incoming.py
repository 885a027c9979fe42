"""What every HTTP server allows: connections, time for a head and a body, headers as text."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvloop
from aiohttp import web

from app.host.incoming import LimitedSite, Limits, readable, runner_of
from app.host.routes import Handler
from app.local.simulators.request_checks import refusals
from tests.support.external_systems import until

BEGINNING = b"POST / HTTP/1.1\r\nHost: here\r\n"


async def echo(request: web.Request) -> web.Response:
    """Return the body."""
    return web.Response(body=await request.read())


def slow(goes_on: asyncio.Event) -> Handler:
    """Return what answers once `goes_on` is set."""

    async def answer(_request: web.Request) -> web.Response:
        await asyncio.wait_for(goes_on.wait(), 5)
        return web.Response(text="there")

    return answer


@asynccontextmanager
async def serving(limits: Limits, answer: Handler = echo) -> AsyncIterator[int]:
    """Serve `answer`; yield the port."""
    app = web.Application(middlewares=[refusals, readable])
    app.router.add_post("/", answer)
    runner = await runner_of(app, 0.1)
    await LimitedSite(runner, "127.0.0.1", 0, limits).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def answer_to(port: int, sent: bytes, source: str = "127.0.0.1") -> bytes:
    """Return all that the server answers until it ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    writer.write(sent)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(BEGINNING, id="half a head"),
        pytest.param(
            BEGINNING + b"Content-Length: 2\r\n\r\nhiPOST / HT", id="half a head after a request"
        ),
    ],
)
async def test_a_connection_without_a_whole_head_is_ended(sent: bytes) -> None:
    """Also one that has asked before."""
    async with serving(Limits(headers_seconds=0.05, idle_seconds=0.05)) as port:
        answer = await answer_to(port, sent)

    assert sent.endswith(b"HT") == answer.startswith(b"HTTP/1.1 200")


async def test_a_body_that_does_not_come_is_answered() -> None:
    """With 408, by the time that a body has."""
    async with serving(Limits(body_seconds=0.05)) as port:
        answer = await answer_to(
            port, BEGINNING + b"Connection: close\r\nContent-Length: 5\r\n\r\nab"
        )

    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_an_answer_may_take_longer_than_a_head_or_a_body() -> None:
    """Streams go on while their handler runs."""
    done = asyncio.Event()
    limits = Limits(headers_seconds=0.02, body_seconds=0.02, idle_seconds=0.02)
    async with serving(limits, slow(done)) as port:
        asking = asyncio.create_task(answer_to(port, BEGINNING + b"Content-Length: 2\r\n\r\nhi"))
        await asyncio.sleep(0.2)
        done.set()
        answer = await asking

    assert answer.endswith(b"there")


HALF_BODY = BEGINNING + b"Content-Length: 5\r\n\r\nab"


@pytest.mark.parametrize(
    "half", [pytest.param(BEGINNING, id="head"), pytest.param(HALF_BODY, id="body")]
)
async def test_half_requests_keep_nobody_out(half: bytes) -> None:
    """The one that has waited longest goes."""
    async with serving(Limits(connections_max=3)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        for _, writer in held:
            writer.write(half)
        # The server has read all of them: the heads of half bodies are whole.
        await asyncio.sleep(0.05)
        answer = await answer_to(
            port, BEGINNING + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi"
        )
        ended = [await asyncio.wait_for(reader.read(), 5) for reader, _ in held[:5]]
        for _, writer in held:
            writer.close()

    assert answer.endswith(b"hi")
    assert [b""] * 5 == ended


async def test_a_body_that_came_in_the_end_keeps_its_place() -> None:
    """While it is answered nobody gets it, and afterwards it waits like any other."""
    has_begun, goes_on = asyncio.Event(), asyncio.Event()

    async def read(request: web.Request) -> web.Response:
        has_begun.set()
        body = await request.read()
        await asyncio.wait_for(goes_on.wait(), 5)
        return web.Response(body=body)

    limits = Limits(connections_max=1)
    async with serving(limits, read) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HALF_BODY)
        await asyncio.wait_for(has_begun.wait(), 5)
        assert 1 == len(limits.waiting)
        writer.write(b"cde")
        await until(lambda: not limits.waiting)
        refused = await answer_to(port, BEGINNING)
        goes_on.set()
        answer = await reader.readuntil(b"abcde")
        await until(lambda: len(limits.waiting) == 1)
        writer.close()

    assert (b"", b"200") == (refused, answer.split()[1])


async def test_a_body_that_nobody_read_takes_no_place() -> None:
    """It came after the answer: the connection waits for a request, and others may have it."""

    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=403)

    limits = Limits()
    async with serving(limits, refuse) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HALF_BODY)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"cde")
        await asyncio.sleep(0.1)
        waiting = len(limits.waiting)
        writer.close()

    assert 1 == waiting


async def test_one_address_leaves_places_for_others() -> None:
    """Also one whose requests are all being answered."""
    goes_on, limits = asyncio.Event(), Limits(connections_max=5)
    whole = BEGINNING + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
    async with serving(limits, slow(goes_on)) as port:
        asking = [asyncio.create_task(answer_to(port, whole)) for _ in range(4)]
        await until(lambda: len(limits.open) == 4 and not limits.waiting)
        refused = await answer_to(port, whole)
        elsewhere = asyncio.create_task(answer_to(port, whole, source="127.0.0.2"))
        await until(lambda: len(limits.open) == 5 and not limits.waiting)
        goes_on.set()
        answers = [await each for each in (*asking, elsewhere)]

    assert b"" == refused
    assert all(answer.endswith(b"there") for answer in answers)


def test_half_requests_are_ended_on_the_loop_of_a_worker() -> None:
    """Workers and consoles run on uvloop, whose transports have no base class of asyncio."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(test_a_connection_without_a_whole_head_is_ended(BEGINNING), 5))
        runner.run(asyncio.wait_for(test_half_requests_keep_nobody_out(BEGINNING), 5))
        runner.run(asyncio.wait_for(test_half_requests_keep_nobody_out(HALF_BODY), 5))
        runner.run(asyncio.wait_for(test_a_body_that_came_in_the_end_keeps_its_place(), 5))
        runner.run(asyncio.wait_for(test_a_body_that_does_not_come_is_answered(), 5))


@pytest.mark.parametrize(
    ("header", "status"),
    [
        pytest.param(b"X-Any: \xff", 400, id="bytes that are not text"),
        pytest.param(b"X-Any: caf\xc3\xa9", 200, id="text"),
        pytest.param(b"Content-Encoding: gzip", 415, id="compressed"),
        pytest.param(b"Content-Encoding: br", 415, id="compressed by Brotli"),
        pytest.param(b"Content-Encoding: gzip, gzip", 415, id="compressed twice"),
        pytest.param(b"Content-Encoding: none such", 415, id="compressed somehow"),
        pytest.param(b"Content-Encoding: identity", 200, id="not compressed"),
        pytest.param(b"Content-Type: multipart/form-data; boundary=x", 415, id="in parts"),
    ],
)
async def test_headers_decide_what_is_read(header: bytes, status: int) -> None:
    """Nothing is decompressed, so nothing unfolds."""
    async with serving(Limits()) as port:
        rest = b"\r\nConnection: close\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"
        answer = await answer_to(port, BEGINNING + header + rest)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
