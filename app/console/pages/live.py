"""What happens now."""

from aiohttp import web

from app.console.pages.render import page
from app.registry import load_workflows


async def show(request: web.Request) -> web.Response:
    """Return the page; a script of it fills it from `/live`."""
    workflows = load_workflows().values()
    views = [each.view for each in workflows]
    return await page(
        request,
        "live.html",
        title="Live",
        figures=next(each.figures for each in workflows if each.figures is not None),
        milestones=[milestone for view in views for milestone in view.milestones],
        statuses=list(dict.fromkeys(status for view in views for status in view.open_statuses)),
    )
