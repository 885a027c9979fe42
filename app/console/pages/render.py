"""Renders pages: Jinja2 with everything escaped, and the filters that all pages use.

The content of events is untrusted: everything that a template shows is escaped, and no template
holds a script.
"""

from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.auth.operators import PeopleError
from app.console.api.access import AUTH
from app.console.api.context import CONTEXT
from app.console.api.problems import Problem
from app.console.pages.filters import commas, moment, span, tone, volume
from workflows.shared.money import money

WEB = Path(__file__).parents[3] / "web"

NAV: web.AppKey[tuple[tuple[str, str], ...]] = web.AppKey("nav")
"""Paths and names of the pages, in the order of the head of every page."""


async def page(
    request: web.Request, template: str, *, title: str, status: int = 200, **facts: object
) -> web.Response:
    """Return the page of `template` with `facts`, and with the operator who is signed in."""
    variables = {
        "title": title,
        "path": request.path,
        "nav": request.app[NAV],
        "who": _who(request),
        "now_ms": request.app[CONTEXT].now_ms(),
        **facts,
    }
    text = await _environment.get_template(template).render_async(variables)
    return web.Response(text=text, content_type="text/html", status=status)


async def problem_page(problem: Problem, request: web.Request) -> web.Response:
    """Return a problem as a page; raises nothing."""
    answer = await page(
        request, "problem.html", title=problem.title, status=problem.status, problem=problem
    )
    answer.headers.update(problem.headers)
    return answer


def _who(request: web.Request) -> dict[str, str] | None:
    try:
        session = request.app[AUTH].session(request)
    except PeopleError:
        return None
    if session is None:
        return None
    return {"name": session.person.name, "role": session.person.role, "csrf": session.csrf}


_environment = Environment(
    loader=FileSystemLoader(WEB / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    enable_async=True,
)
_environment.filters |= {
    "moment": moment,
    "span": span,
    "amount": money,
    "tone": tone,
    "volume": volume,
    "commas": commas,
}
