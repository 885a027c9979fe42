"""The inbox of dead letters: what failed alike, one letter, and sending back."""

from urllib.parse import urlencode

from aiohttp import web

from app.console.api import dead_letters as api
from app.console.api.problems import Problem
from app.console.pages.render import page
from app.operations.dead_letters.redrive import RATE
from app.operations.dead_letters.status import STATES

MEANINGS = {
    "open": "nobody has done anything about it",
    "sent": "sent back, not handled yet",
    "handled": "sent back, and handled",
    "again": "sent back, and failed again",
    "dropped": "needs no handling, somebody said",
}


async def every(request: web.Request) -> web.Response:
    """Return the letters that the query means, in groups and singly."""
    state = request.query.get("state", "")
    if state and state not in STATES:
        raise Problem(400, "Bad Request", f"state is one of {', '.join(STATES)}", field="state")
    groups = await api.all_groups(request)
    found, total = await api.some(request)
    return await page(
        request,
        "dead_letters.html",
        title="Dead letters",
        groups=groups,
        letters=found,
        total=total,
        filters=_filters(request),
        names=api.FILTERS,
        state=state,
        meanings=MEANINGS,
        query=_query(request),
        redrive=request.app[api.LETTERS].standing(),
    )


async def show(request: web.Request) -> web.Response:
    """Return one letter."""
    found = await api.one(request, api.place_of(request))
    return await page(
        request,
        "dead_letter.html",
        title=f"Dead letter {found['place']}",
        letter=found,
        meanings=MEANINGS,
    )


async def redrive(request: web.Request) -> web.Response:
    """Return what sending back would touch, the form that does it, and how far it is."""
    return await page(
        request,
        "redrive.html",
        title="Send letters back",
        radius=await api.preview(request),
        filters=_filters(request),
        query=_query(request),
        rate=RATE,
        redrive=request.app[api.LETTERS].standing(),
    )


def _filters(request: web.Request) -> dict[str, str]:
    return {name: request.query[name] for name in api.FILTERS if request.query.get(name)}


def _query(request: web.Request) -> str:
    return urlencode(_filters(request))
