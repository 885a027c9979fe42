"""What happens now."""

from aiohttp import web

from app.pages.render import page


async def show(request: web.Request) -> web.Response:
    """Return the page; a script of it fills it from `/live`."""
    return await page(request, "live.html", title="Live")
