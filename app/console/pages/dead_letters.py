"""The pages of dead letters: groups, one dead letter, and a redrive."""

from urllib.parse import urlencode

from aiohttp import web

from app.console.api import dead_letters
from app.console.pages.render import page
from app.host.parameters import one_of, text_of
from app.operations.dead_letters.redrive import RATE
from app.operations.dead_letters.status import STATES

MEANINGS = {
    "open": "nobody has done anything about it",
    "sent": "sent back, not handled yet",
    "handled": "sent back, and handled",
    "again": "sent back, and failed again",
    "discarded": "needs no handling, somebody said",
}


async def every(request: web.Request) -> web.Response:
    """Return the dead letters selected by the query, in groups and singly."""
    state = one_of(request, "state", STATES)
    groups = await dead_letters.all_groups(request)
    lines, total = await dead_letters.some(request)
    return await page(
        request,
        "dead_letters.html",
        title="Dead letters",
        groups=groups,
        dead_letters=lines,
        total=total,
        filters=_filters(request),
        names=dead_letters.FILTERS,
        state=state,
        meanings=MEANINGS,
        query=_query(request),
        redrive=request.app[dead_letters.DEAD_LETTERS].redrive_progress(),
    )


async def show(request: web.Request) -> web.Response:
    """Return one dead letter."""
    dead_letter = await dead_letters.one(request, dead_letters.place_of(request))
    return await page(
        request,
        "dead_letter.html",
        title=f"Dead letter {dead_letter['place']}",
        dead_letter=dead_letter,
        meanings=MEANINGS,
    )


async def redrive(request: web.Request) -> web.Response:
    """Return the preview of a redrive, its form, and its progress."""
    return await page(
        request,
        "redrive.html",
        title="Send dead letters back",
        radius=await dead_letters.preview(request),
        filters=_filters(request),
        query=_query(request),
        rate=RATE,
        redrive=request.app[dead_letters.DEAD_LETTERS].redrive_progress(),
    )


def _filters(request: web.Request) -> dict[str, str]:
    return {name: text for name in dead_letters.FILTERS if (text := text_of(request, name))}


def _query(request: web.Request) -> str:
    return urlencode(_filters(request))
