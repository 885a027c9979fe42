"""Commands, which belong to no transaction, and webhooks of external systems.

Their messages are declared in `app/entrypoints/`.
"""

import time
from collections.abc import Mapping
from typing import TypedDict

from aiohttp import web

from app.console.api.callers import caller_of
from app.console.api.context import CONTEXT
from app.console.api.missed_webhooks import MISSED_WEBHOOKS
from app.console.api.problems import JsonResponse, Problem, json_response, read_body
from app.console.api.webhook_owners import emission_of
from app.entrypoints.requests import CommandRequest, WebhookRequest
from app.gateways.signature import BadSignature, verify
from app.host.parameters import BadParameter, body_of, decoded, header


class Received(TypedDict):
    """A webhook that was taken, whether anybody needs it or not."""

    received: bool


async def command(
    declared: CommandRequest, request: web.Request
) -> JsonResponse[Mapping[str, object]]:
    """Produce the message of a command; a repeated one counts once."""
    body = await read_body(request, declared.body)
    emissions = declared.emissions(body, caller_of(request).own_id)
    await request.app[CONTEXT].publish_all(request, emissions)
    return json_response(declared.answer(body, emissions), 202)


async def webhook(declared: WebhookRequest, request: web.Request) -> JsonResponse[Received]:
    """Produce the message of a webhook; what nobody needs is acknowledged and ignored."""
    config = request.app[CONTEXT].config
    event = await _signed(request, declared.header, declared.secret(config))
    emission = await emission_of(declared, event, config)
    if emission is not None:
        await request.app[CONTEXT].publish_all(request, [emission])
    reader = request.app[MISSED_WEBHOOKS].get(declared.path)
    if reader is not None:
        reader.note(event)
    return json_response({"received": True})


async def _signed(request: web.Request, name: str, secret: str) -> dict[str, object]:
    body = await body_of(request)
    try:
        verify(header(request, name), body, secret, time.time())
    except BadSignature as error:
        raise Problem(400, "Bad Request", str(error), field=name) from error
    try:
        return decoded(body, dict[str, object])
    except BadParameter as error:
        raise BadParameter(f"the body is not a JSON object: {error}", error.field) from error
