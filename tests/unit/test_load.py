"""The load of a drill ends with it."""

import asyncio
from typing import Any

import aiohttp
from aiohttp import web

from app.chaos.load import Load


async def test_what_is_under_way_ends_with_the_drill(aiohttp_server: Any) -> None:
    """Else each request is tried again in a closed session, and ends in a traceback."""
    paths: asyncio.Queue[str] = asyncio.Queue()

    async def never(request: web.Request) -> web.Response:
        paths.put_nowait(request.path)
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.*}", never)
    server = await aiohttp_server(app)
    async with aiohttp.ClientSession() as session:
        load = Load(7, str(server.make_url("")).rstrip("/"), session, "key")
        await load.burst(2, 1_000)
        for _ in range(2):
            await paths.get()
        load.end()
        async with asyncio.timeout(10):
            await load.join()

    assert (2, 0, []) == (load.asked, load.accepted, load.failed)
