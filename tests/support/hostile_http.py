"""Requests that no client would send, as Hypothesis draws them, and what a server answers."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import strategies as st
from msgspec import Struct

MANY = "9" * 5_000
"""Digits: Python refuses to read so many as a number."""
BROKEN = (
    "%00", "%ff", "%ED%A0%80", "%C3%28", "%2e%2e%2f", "%0d%0aX:%20y", "%25", "%", "%zz", MANY,
    f"-{MANY}", "1e999", "NaN", "-1", "0", "1", "+1", "1_0", "%D9%A1", "%C2%B2", "x" * 5_000,
    "%F0%9F%92%A9", "%7B", "", "o1", "null", "true", "latest:1", "0/1", f"{MANY}/{MANY}", "|",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00%2B14:00", "since:0001-01-01", "amount:1e999GBP",
    "key:%00", "text:%5C", "%26%23x0;", "a%20b", "%E2%80%AE", "order", "events", "\x7f",
    "pi_1", "%27%20OR%201=1--",
)  # fmt: skip
"""Parts of a path, and values of a query."""
VALUES = (
    b"\xff", b"\xed\xa0\x80", b"caf\xc3\xa9", MANY.encode(), b"-1", b"", b" ", b"x" * 5_000,
    b"\x01", b"Bearer ", b"Bearer \xff", b"Bearer :", b"Bearer admin:\xc3\xa9",
    b"Bearer pfk_\xc3\xa9",
    b"Basic x", b"http://[", b"null", b"t=1,v1=\xc3\xa9", b"t=" + MANY.encode() + b",v1=00",
    b"t=\xd9\xa1,v1=a", b"a=b; payflow_session=\xc3\xa9", b'payflow_session="\\777"', b"a=b;;=;=",
    b"payflow_sign_in=" + b"x" * 43, b"gzip", b"gzip, br", b"identity", b"application/json",
    b"application/json; charset=nope", b"application/json; charset=utf-16", b"a/b; ;=", b"/",
    b"application/x-www-form-urlencoded", b"application/x-www-form-urlencoded; charset=nope",
    b"multipart/form-data", b"multipart/form-data; boundary=", b"text/html;q=x", b"bytes=0-",
    b"00-" + b"f" * 32 + b"-" + b"f" * 16 + b"-01", b"1.2.3.4, \xc3\xa9", b"::1%x", b"1" * 4_000,
    b"100-continue", b"websocket", b"Wed, 99 Foo 99999 99:99:99 GMT", b'W/"x', b"same-origin",
)  # fmt: skip
"""Of a header."""
NAMES = (
    b"Authorization", b"Cookie", b"Idempotency-Key", b"Origin", b"Sec-Fetch-Site", b"X-CSRF-Token",
    b"Stripe-Signature", b"X-Carrier-Signature", b"X-Payflow-Rows", b"X-Forwarded-For",
    b"Content-Type", b"Content-Encoding", b"Accept-Encoding", b"Last-Event-ID", b"traceparent",
    b"Range", b"If-None-Match", b"If-Modified-Since", b"Expect", b"Accept", b"Stripe-Version",
    b"Upgrade", b"X-Any",
)  # fmt: skip
LENGTHS = (
    b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: x", b"Content-Length: 1e3",
    b"Content-Length: " + MANY.encode(), b"Content-Length: +2", b"Content-Length: \xd9\xa1",
    b"Content-Length: 2\r\nContent-Length: 3", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip", b"Content-Length: 2\r\nTransfer-Encoding: chunked",
)  # fmt: skip
BODIES = (
    b"", b"{", b"{}", b"[]", b"null", b"1", b"\xff", b'"\\ud800"', b"[" * 50_000, MANY.encode(),
    b'{"a": ' + MANY.encode() + b"}", b'{"reason": "\\ud800", "name": "\\u0000"}', b"\x1f\x8b\x08",
    b"a=b&a=%ff&=&%", b"amount=" + MANY.encode(), b"amount=1&currency=gbp&%00=%00", b"5\r\nhello",
    b"0\r\n\r\n", b"ffffffffffffffffff\r\n", b'{"name": "a", "token": "\\ud800"}', b"csrf=%ff",
    b'{"a":' * 2_000, b'{"lines": [{"sku": "\\u0000"}], "country": "\\ud83d"}', b"1e999",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "QUERY")
RAW = (b"\xff", b"\xed\xa0\x80", b"\xc3\xa9", b"caf\xe9?limit=\xff")
"""Bytes in a target that no client would leave unquoted."""
WORST = (MANY, "%ff", "%ED%A0%80", "%00")
WORST_HEADERS = (
    b"Content-Encoding: gzip", b"X: \xff", b"Origin: http://[", b"Expect: \xff", b"Expect: x",
)  # fmt: skip
"""What is tried everywhere, not only where it is drawn."""
GOOD = {"name": "order", "partition": "0", "offset": "0"}
"""Parts of a path that lead on, by their names; others are `o1`."""
_PART = re.compile(r"\{([^}]*)\}")
REACHED = "X-Reached"
"""Says that a server of ours has answered, not the HTTP parser before it."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d+) ")
ANSWER_SECONDS, BODY_SECONDS = 60, 0.3
BAD_REQUEST = 400
SILENT = 0
"""The status of a request that is ended without an answer."""


class Target(Struct, frozen=True):
    """A route: its path has names in braces."""

    method: str
    path: str
    parameters: tuple[str, ...] = ()


class Answer(Struct, frozen=True):
    """What a server has said; the body is empty where it was not read."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    @property
    def is_ours(self) -> bool:
        """Return whether an application has answered."""
        return REACHED.lower() in self.headers

    def names_a_field(self) -> bool:
        """Return whether the answer is a problem that says what is wrong, and where."""
        kind = self.headers.get("content-type", "")
        if kind.startswith("text/html"):
            return b"400" in self.body
        document = msgspec.json.decode(self.body)
        if kind == "application/problem+json":
            fields = [each["field"] for each in document["errors"]]
            return bool(document["detail"]) and all(fields)
        problem = document["error"] if isinstance(document["error"], dict) else document
        return bool(problem.get("param") or problem.get("field"))


async def mark(_request: web.Request, response: web.StreamResponse) -> None:
    """Mark an answer of an application."""
    response.headers[REACHED] = "yes"


def requests_of(
    targets: Sequence[Target], own: Sequence[Sequence[bytes]]
) -> st.SearchStrategy[bytes]:
    """Return the strategy of requests to `targets`; `own` are headers that open what is closed."""
    return st.sampled_from(targets).flatmap(lambda target: _requests(target, own))


def _requests(target: Target, own: Sequence[Sequence[bytes]]) -> st.SearchStrategy[bytes]:
    # Also what nobody has thought of.
    quoted = st.text(max_size=20).map(lambda text: "".join(f"%{ord(c) & 255:02x}" for c in text))
    part = st.sampled_from(BROKEN) | quoted
    raw = st.binary(max_size=20).map(lambda value: re.sub(rb"[\r\n]", b"", value))
    headers = st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | raw)
    names = st.sampled_from((*target.parameters, "x", "%00", "limit"))
    return st.builds(
        _request,
        method=st.just(target.method) | st.sampled_from(METHODS),
        path=st.just(target.path),
        parts=st.lists(part, min_size=4, max_size=4),
        query=st.lists(st.tuples(names, part), max_size=3),
        headers=st.lists(headers.map(b": ".join), max_size=4),
        own=st.sampled_from(own),
        length=st.none() | st.none() | st.sampled_from(LENGTHS),
        body=st.sampled_from(BODIES) | st.binary(max_size=50),
        raw=st.just(b"") | st.just(b"") | st.sampled_from(RAW),
    )


def sweep_of(target: Target, own: Sequence[bytes]) -> Iterator[bytes]:
    """Yield, of one route, each hostile value in each part of its path and each parameter."""
    for name in _PART.findall(target.path):
        for value in WORST:
            yield _request(target.method, _path(target, {name: value}), own=own)
    path = _path(target, {})
    yield _request(target.method, path, query=[("no_such_parameter", "1")], own=own)
    for name in target.parameters:
        for value in WORST:
            yield _request(target.method, path, query=[(name, value)], own=own)
    for header in WORST_HEADERS:
        yield _request(target.method, path, headers=[header], own=own)


def _path(target: Target, parts: Mapping[str, str]) -> str:
    return _PART.sub(lambda match: parts.get(match[1], GOOD.get(match[1], "o1")), target.path)


def _request(  # noqa: PLR0913  the parts of a request
    method: str,
    path: str,
    parts: Sequence[str] = (),
    query: Sequence[tuple[str, str]] = (),
    headers: Sequence[bytes] = (),
    own: Sequence[bytes] = (),
    length: bytes | None = None,
    body: bytes = b"",
    raw: bytes = b"",
) -> bytes:
    remaining = iter(parts)
    target = _PART.sub(lambda _: next(remaining), path)
    if query:
        target += "?" + "&".join(map("=".join, query))
    length_header = length or b"Content-Length: %d" % len(body)
    line = f"{method} {target}".encode() + raw + b" HTTP/1.1"
    lines = [line, b"Host: 127.0.0.1", *own, *headers, length_header]
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


async def answer_of(server: TestServer, request: bytes) -> Answer:
    """Return the answer to `request`; only of a refusal the body is read, others may be streams."""
    waits = any(b"\r\n" + each in request for each in LENGTHS)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        async with asyncio.timeout(BODY_SECONDS if waits else ANSWER_SECONDS):
            # Not `write_eof`: aiohttp answers nobody who has hung up.
            writer.write(request)
            return await _read(reader)
    except ConnectionError:
        return Answer(SILENT, {})
    except TimeoutError:
        # For the rest of a body that was announced; whatever else takes so long hangs.
        if waits:
            return Answer(SILENT, {})
        raise
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Answer:
    line = await reader.readline()
    match = _STATUS.match(line)
    assert match or not line, line[:200]
    if not match:
        return Answer(SILENT, {})
    headers = {}
    while (header_line := await reader.readline()).strip():
        name, _, value = header_line.decode().partition(":")
        headers[name.lower()] = value.strip()
    status = int(match.group(1))
    return Answer(status, headers, await reader.read() if status == BAD_REQUEST else b"")
