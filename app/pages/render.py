"""Makes pages: Jinja2 with everything escaped, and the few filters that all of them use.

Events are hostile: whatever a template shows is escaped, and no template holds a script.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.api.desk import DESK
from app.api.guard import GUARD
from app.api.problems import Problem
from app.operators.people import PeopleError

WEB = Path(__file__).parents[2] / "web"
KILO = 1_000
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000

NAV: web.AppKey[tuple[tuple[str, str], ...]] = web.AppKey("nav")
"""Paths and names of the pages, in the order of the head of every page."""


async def page(
    request: web.Request, template: str, *, title: str, status: int = 200, **facts: Any
) -> web.Response:
    """Return the page of `template` over `facts`; who is signed in is known to every template."""
    shown = {
        "title": title,
        "path": request.path,
        "nav": request.app[NAV],
        "who": _who(request),
        "now_ms": request.app[DESK].now_ms(),
        **facts,
    }
    text = await _environment.get_template(template).render_async(shown)
    return web.Response(text=text, content_type="text/html", status=status)


async def problem_page(problem: Problem, request: web.Request) -> web.Response:
    """Return what is wrong as a page; raises nothing of its own."""
    answer = await page(
        request, "problem.html", title=problem.title, status=problem.status, problem=problem
    )
    answer.headers.update(problem.headers)
    return answer


def _who(request: web.Request) -> dict[str, str] | None:
    try:
        session = request.app[GUARD].session(request)
    except PeopleError:
        return None
    if session is None:
        return None
    return {"name": session.person.name, "role": session.person.role, "csrf": session.csrf}


# --- filters -----------------------------------------------------------------


def moment(at_ms: int | None) -> str:
    """Return a time (ms since 1970) as people write it, in UTC, to the millisecond."""
    if not at_ms:
        return "never"
    try:
        at = datetime.fromtimestamp(at_ms / 1_000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{at_ms} ms"
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at_ms % 1_000:03}"


def span(ms: float | None) -> str:
    """Return a length of time (ms) in the unit that fits."""
    if ms is None:
        return "-"
    size, sign = abs(ms), "-" if ms < 0 else ""
    if size < SECOND_MS:
        return f"{sign}{size:.0f} ms"
    if size < MINUTE_MS:
        return f"{sign}{size / SECOND_MS:.1f} s"
    if size < HOUR_MS:
        return f"{sign}{size // MINUTE_MS:.0f} min {size % MINUTE_MS // SECOND_MS:.0f} s"
    if size < DAY_MS:
        return f"{sign}{size // HOUR_MS:.0f} h {size % HOUR_MS // MINUTE_MS:.0f} min"
    return f"{sign}{size // DAY_MS:.0f} d {size % DAY_MS // HOUR_MS:.0f} h"


def amount(minor: int, currency: str = "") -> str:
    """Return minor units as an amount of two decimals."""
    sign, size = "-" if minor < 0 else "", abs(minor)
    return f"{sign}{size // 100:,}.{size % 100:02}" + (f" {currency}" if currency else "")


def volume(count: float | None) -> str:
    """Return a number of bytes in the unit that fits."""
    if count is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB"):
        if count < KILO or unit == "GB":
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= KILO
    raise AssertionError("unreachable")


def commas(names: Iterable[Any]) -> str:
    """Return names in one line."""
    return ", ".join(str(name) for name in names)


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
    "amount": amount,
    "volume": volume,
    "commas": commas,
}
