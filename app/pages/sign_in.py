"""The page that asks who you are."""

from aiohttp import web

from app.pages.render import page


async def show(request: web.Request) -> web.Response:
    """Return the form; what was wanted before it comes after it."""
    wanted = request.query.get("next", "/")
    # Only a page of ours: `//elsewhere` and `/\elsewhere` are other hosts to a browser.
    ours = wanted.startswith("/") and wanted[1:2] not in {"/", "\\"} and wanted.isprintable()
    return await page(request, "sign_in.html", title="Sign in", next=wanted if ours else "/")
