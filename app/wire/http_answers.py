"""What a process of ours reads of an HTTP answer: nothing compressed, and never without end."""

import aiohttp

ANSWER_BYTES_MAX = 64 << 20
"""A thousand rows, or the metrics of a worker, are far less."""


def session_of(total_seconds: float) -> aiohttp.ClientSession:
    """Return a session for answers that come within `total_seconds` and as they are."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=total_seconds),
        # A compressed answer can unfold to a thousand times its size.
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
    )


async def read_answer(response: aiohttp.ClientResponse, bytes_max: int = ANSWER_BYTES_MAX) -> bytes:
    """Return the body of `response`. Raises ClientPayloadError for one that is longer."""
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > bytes_max:
            response.close()
            raise aiohttp.ClientPayloadError(f"the answer is longer than {bytes_max:,} bytes")
    return bytes(body)
