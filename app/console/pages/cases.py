"""The page of open cases: what waits for the decision of an operator."""

from aiohttp import web

from app.console.api.open_cases import SHOWN_MAX, every_case
from app.console.pages.render import page


async def show(request: web.Request) -> web.Response:
    """Return the open cases, the most urgent one first."""
    cases = every_case(request.app)
    return await page(
        request, "cases.html", title="Cases", cases=cases[:SHOWN_MAX], count=len(cases)
    )
