"""What is refused of a request before a simulator reads it, and how a refusal is said."""

import re
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from app.host.parameters import BadParameter, query_of, refuse_unknown, text_of
from app.local.simulators.provider_effects import PAGE as AUTHENTICATION_PAGE
from app.local.simulators.server import json_answer

_NUMBER = re.compile(r"\[\d{1,3}\]$")
LIST = ("limit", "starting_after", "ending_before")
CREATED = tuple(f"created{each}" for each in ("", "[gt]", "[gte]", "[lt]", "[lte]"))
ARRIVED = tuple(each.replace("created", "arrival_date") for each in CREATED)
EXPAND = "expand[]"
KNOWN: Mapping[str, tuple[str, ...]] = {
    "/v1/payment_intents": (*LIST, *CREATED, "metadata[order_id]", EXPAND),
    "/v1/payment_intents/search": ("query", "limit", EXPAND),
    "/v1/payment_intents/{name}": (EXPAND,),
    "/v1/charges": (*LIST, *CREATED, "payment_intent", EXPAND),
    "/v1/charges/{name}": (EXPAND,),
    "/v1/refunds": (*LIST, *CREATED, "payment_intent", "charge", EXPAND),
    "/v1/refunds/{name}": (EXPAND,),
    "/v1/disputes": (*LIST, *CREATED, "payment_intent", "charge", EXPAND),
    "/v1/disputes/{name}": (EXPAND,),
    "/v1/balance_transactions": (
        *LIST, *CREATED, "source", "payout", "currency", "type", EXPAND,
    ),
    "/v1/balance_transactions/{name}": (EXPAND,),
    "/v1/payouts": (*LIST, *CREATED, *ARRIVED, "status", EXPAND),
    "/v1/payouts/{name}": (EXPAND,),
    "/v1/events": (*LIST, *CREATED, "type", "types[]", "delivery_success", EXPAND),
    "/v1/events/{name}": (EXPAND,),
}  # fmt: skip
"""Query parameters by path; `[]` stands for any number. Stripe refuses others, and so do we."""
FREE = (AUTHENTICATION_PAGE, "/livez")
"""Where browsers and supervisors come from, which add their own."""


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say what is wrong with a parameter as Stripe and as the carrier do: 400, by its name."""
    try:
        return await handler(request)
    except BadParameter as error:
        problem = {"message": str(error), "param": error.field}
        return json_answer({"error": problem, "reason": str(error)}, status=400)


@web.middleware
async def known_parameters(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a query parameter that the route does not have: a filter that filters nothing."""
    resource = request.match_info.route.resource
    if resource is not None and not request.path.startswith(FREE):
        parameters = KNOWN.get(resource.canonical, ())
        numbered = [name for name in query_of(request) if _NUMBER.sub("[]", name) in parameters]
        refuse_unknown(request, [*parameters, *numbered])
        for name in query_of(request):
            # Which of two is meant?
            text_of(request, name)
    return await handler(request)
