"""The page of the API: its document, drawn by a vendored Swagger UI."""

from aiohttp import web

from app.console.api.openapi import DESCRIPTION
from app.console.pages.render import page


async def show(request: web.Request) -> web.Response:
    """Return the page, which loads `/openapi.json`; it is for everybody, as that is."""
    return await page(request, "docs.html", title="API", description=DESCRIPTION)
