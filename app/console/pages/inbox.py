"""The page of messages to customers."""

from aiohttp import web

from app.console.api.inbox import inbox_messages
from app.console.pages.render import page
from app.host.parameters import text_of


async def show(request: web.Request) -> web.Response:
    """Return the latest messages."""
    return await page(
        request,
        "inbox.html",
        title="Inbox",
        messages=await inbox_messages(request),
        order_id=text_of(request, "order_id"),
    )
