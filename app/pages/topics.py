"""Topics and who reads them: what lies there, sought with what was looked at for it."""

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from app.api.desk import DESK
from app.api.problems import path_name
from app.api.topics import answering, found_records
from app.pages.render import page
from app.pages.tables import pretty
from app.scan import facts
from app.scan.groups import groups

STARTS = (
    ("latest:20", "the latest 20 of each partition"),
    ("earliest", "the beginning"),
    ("", "elsewhere: a time, or partition/offset"),
)


async def every(request: web.Request) -> web.Response:
    """Return all topics."""
    internal = request.query.get("internal") == "1"
    async with answering():
        found = await facts.topics(request.app[DESK].config, internal=internal)
    return await page(request, "topics.html", title="Topics", topics=found, internal=internal)


async def all_groups(request: web.Request) -> web.Response:
    """Return who reads, and how far behind they are."""
    async with answering():
        found = await groups(request.app[DESK].config)
    return await page(request, "groups.html", title="Consumer groups", groups=found)


async def show(request: web.Request) -> web.Response:
    """Return one topic, and what is sought in it."""
    name = path_name(request, "name")
    async with answering():
        about = await facts.topic_facts(request.app[DESK].config, name)
    asked = _asked(request)
    found: dict[str, Any] | None = None
    if request.query:
        found = await found_records(request)
    return await page(
        request,
        "topic.html",
        title=f"Topic {name}",
        about=about,
        asked=asked,
        found=found,
        query=_query(asked),
        starts=STARTS,
        json=pretty,
    )


def _asked(request: web.Request) -> dict[str, Any]:
    """Return the form as it was filled in: a link to it is a saved search."""
    query = request.query
    return {
        "q": [term for term in query.getall("q", []) if term],
        **{name: query.get(name, "") for name in ("cel", "from", "cursor", "limit")},
    }


def _query(asked: dict[str, Any]) -> str:
    """Return what was asked for as a query, without the cursor."""
    named = {name: asked[name] for name in ("cel", "from", "limit") if asked[name]}
    return urlencode([*(("q", term) for term in asked["q"]), *named.items()])
