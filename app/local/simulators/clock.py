"""The clock of an external system, which a test or a drill moves ahead."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from aiohttp import web

from app.host.parameters import body_of, decoded
from app.local.simulators.server import json_answer
from app.local.simulators.sqlite_file import Books

SECONDS_MAX = 366 * 86_400
PATH = "/_clock"


class Ahead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a PUT. A clock never goes back: what is due would not be due again."""

    by_seconds: Annotated[int, msgspec.Meta(ge=0, le=SECONDS_MAX)]


def clock_routes(books: Books, moved: Callable[[], None]) -> list[web.RouteDef]:
    """Return GET and PUT of the clock of `books`; `moved` is called after it was moved."""

    async def show(_request: web.Request) -> web.Response:
        clock_state = {"now_ms": books.now_ms(), "ahead_seconds": books.ahead_ms // 1_000}
        return json_answer(clock_state)

    async def put(request: web.Request) -> web.Response:
        ahead = decoded(await body_of(request), Ahead)
        with books.writing():
            books.advance(ahead.by_seconds * 1_000)
        moved()
        return await show(request)

    return [web.get(PATH, show), web.put(PATH, put)]
