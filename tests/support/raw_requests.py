"""HTTP requests as bytes: those that no client would send."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

_STATUS = re.compile(rb"HTTP/1\.[01] (\d+) ")


async def raw_answer(
    client: Any, method: str, target: str, headers: Sequence[bytes] = (), body: bytes = b""
) -> tuple[int, bytes]:
    """Return status and whole answer of a request to the server of the test client `client`."""
    port = client.server.port
    reader, writer = await asyncio.open_connection(client.server.host, port)
    lines = [f"{method} {target} HTTP/1.1".encode(), b"Host: 127.0.0.1:%d" % port, *headers]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    writer.write(b"\r\n".join([*lines, b"Connection: close", b"", body]))
    answer = await reader.read()
    writer.close()
    match = _STATUS.match(answer)
    assert match is not None, answer[:200]
    return int(match.group(1)), answer
