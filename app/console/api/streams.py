"""Writes to streams: whoever does not read what was asked for holds nothing for ever."""

import asyncio

import structlog
from aiohttp import web

WRITE_SECONDS_MAX = 30.0
"""For one write: a client that takes nothing for so long has its connection ended."""

log = structlog.get_logger(__name__)


async def write(request: web.Request, response: web.StreamResponse, data: bytes) -> None:
    """Write `data`. Raises ConnectionResetError when the client does not read in time."""
    try:
        async with asyncio.timeout(WRITE_SECONDS_MAX):
            await response.write(data)
    except TimeoutError as error:
        log.info("stream not read", path=request.path, seconds=WRITE_SECONDS_MAX)
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the client does not read") from error
