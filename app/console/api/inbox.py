"""The messages to customers that were sent to `inbox://`, masked."""

import asyncio
from typing import TypedDict

import msgspec
from aiohttp import web

from app.console.api.context import CONTEXT
from app.console.api.problems import JsonResponse, json_response
from app.gateways.notifier import InboxMessage, read_inbox
from app.host.parameters import NAME_CHARS_MAX, BadParameter, text_of, whole
from app.wire.personal import masked

MESSAGES_MAX = 200


class Inbox(TypedDict):
    """The latest messages, masked."""

    messages: list[InboxMessage]


async def inbox_messages(request: web.Request) -> list[InboxMessage]:
    """Return the latest messages, of one order where the query names it."""
    order_id = text_of(request, "order_id")
    if len(order_id) > NAME_CHARS_MAX:
        raise BadParameter("this is not an order id", "order_id")
    limit = whole(request, "limit", 50, 1, MESSAGES_MAX)
    path = request.app[CONTEXT].config.data_path / "inbox.sqlite"
    # SQLite blocks the event loop.
    messages = await asyncio.to_thread(read_inbox, path, limit, order_id)
    return [masked(msgspec.to_builtins(each), InboxMessage) for each in messages]


async def show(request: web.Request) -> JsonResponse[Inbox]:
    """Return the messages."""
    return json_response({"messages": await inbox_messages(request)})
