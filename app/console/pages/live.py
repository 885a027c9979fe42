"""What happens now."""

from aiohttp import web

from app.console.pages.render import page
from app.registry import live_figures, load_workflows


async def show(request: web.Request) -> web.Response:
    """Return the page; a script of it fills it from `/live`."""
    views = [each.view for each in load_workflows().values()]
    return await page(
        request,
        "live.html",
        title="Live",
        figures=live_figures(),
        milestones=[milestone for view in views for milestone in view.milestones],
        statuses=list(dict.fromkeys(status for view in views for status in view.open_statuses)),
    )
