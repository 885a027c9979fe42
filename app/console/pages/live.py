"""The live page."""

import msgspec
from aiohttp import web

from app.console.pages.render import page
from app.registry import live_figures, load_workflows
from workflows.shared.currencies import EXPONENTS


async def show(request: web.Request) -> web.Response:
    """Return the page, which its script fills from `/live`."""
    figures, workflows = live_figures(), load_workflows()
    first, *further = figures
    return await page(
        request,
        "live.html",
        title="Live",
        figures=figures[first],
        exponents=EXPONENTS,
        rate_charts=msgspec.to_builtins(figures[first].rate_charts),
        by_minute=msgspec.to_builtins(figures[first].by_minute),
        view=workflows[first].view,
        further=[(name, figures[name], workflows[name].view) for name in further],
    )
