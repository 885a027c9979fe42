"""The page that places an order, for people who want to follow one from its beginning."""

import secrets

from aiohttp import web

from app.auth.operators import at_least
from app.console.api.access import AUTH
from app.console.api.context import CONTEXT
from app.console.pages.render import page

CARDS = (
    ("pm_card_visa", "a card that pays"),
    ("pm_card_chargeDeclined", "a card that is declined"),
    ("pm_card_authenticationRequired", "a card whose bank asks its customer (3-D Secure)"),
    ("pm_card_createDispute", "a card whose customer disputes the payment"),
)
"""Payment methods of the provider's test mode, in text."""


async def show(request: web.Request) -> web.Response:
    """Return the form. Sent twice it places one order: its key was made with the page."""
    session = request.app[AUTH].session(request)
    shelves, _ = await request.app[CONTEXT].rows("stock", limit=20)
    return await page(
        request,
        "place.html",
        title="Place an order",
        may_place=session is not None and at_least(session.person.role, "operator"),
        key=secrets.token_urlsafe(16),
        skus=[row["key"] for row in shelves],
        cards=CARDS,
    )
