"""The page that asks who you are."""

from urllib.parse import urlsplit

from aiohttp import web

from app.auth import operators
from app.console.api.access import AUTH
from app.console.pages.render import page


async def show(request: web.Request) -> web.Response:
    """Return the form; what was wanted before it comes after it."""
    issuer = request.app[AUTH].oidc.issuer
    return await page(
        request,
        "sign_in.html",
        title="Sign in",
        next=wanted_page(request),
        note=operators.NOTE,
        provider=urlsplit(issuer).netloc,
    )


def wanted_page(request: web.Request) -> str:
    """Return the page of ours that `?next=` names, else the first one."""
    wanted = request.query.get("next", "/")
    # `//elsewhere` and `/\\elsewhere` are other hosts to a browser.
    ours = wanted.startswith("/") and wanted[1:2] not in {"/", "\\"} and wanted.isprintable()
    return wanted if ours else "/"
