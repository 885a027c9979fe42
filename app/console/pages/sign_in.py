"""The sign-in page."""

from urllib.parse import urlsplit

from aiohttp import web

from app.auth import operators
from app.console.api.access import AUTH
from app.console.pages.render import page
from app.host.parameters import text_of


async def show(request: web.Request) -> web.Response:
    """Return the form; it leads to the page that was wanted before."""
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
    """Return the page of the console that `?next=` names, else the first one."""
    path = text_of(request, "next", "/")
    # To a browser `//elsewhere` and `/\\elsewhere` are other hosts (open redirect).
    ours = path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable()
    return path if ours else "/"
