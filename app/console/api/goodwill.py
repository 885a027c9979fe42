"""Money that an operator refunds beyond what returns are worth."""

import msgspec
from aiohttp import web

from app.console.api.access import operator_of
from app.console.api.audited_actions import carry_out
from app.console.api.context import CONTEXT
from app.console.api.operator_actions import (
    PENDING_REFUNDS,
    Amount,
    RefundId,
    Under,
    Why,
    accepted_response,
    alone_max_minor,
    operator_messages,
    refuse_unmovable,
    takes_two_people,
)
from app.console.api.problems import JsonResponse, Problem, read_body
from app.host.parameters import path_name
from workflows.audit.case_decisions import GoodwillGrantedByOperator
from workflows.shared.money import money
from workflows.shared.reference_rates import REFERENCE

GOODWILL_PREFIX = "goodwill-"
"""The prefix of its return ids, which customers' return ids cannot have."""


class GoodwillAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /operators/orders/{id}/goodwill`. Repeated with the same id, it is one."""

    goodwill_id: RefundId
    amount_minor: Amount
    reason: Why


async def give(request: web.Request) -> JsonResponse[Under]:
    """Refund money without items, no more than is left of what was paid.

    All that goes back of an order counts towards the limit of one person.
    """
    order_id = path_name(request, "order_id")
    body = await read_body(request, GoodwillAsked)
    operators, state = await operator_messages(request, order_id)
    return_id = GOODWILL_PREFIX + body.goodwill_id
    pending, known_minor = request.app[PENDING_REFUNDS], operators.refunds_minor(state)
    left_minor = operators.left_minor(state) + known_minor.get(return_id, 0)
    refuse_unmovable(body.amount_minor, operators.currency(state))
    if body.amount_minor > left_minor:
        detail = f"only {money(left_minor, operators.currency(state))} of what was paid are left"
        raise Problem(409, "Conflict", detail, field="amount_minor")
    sum_minor = pending.sum_minor(order_id, known_minor, {return_id: body.amount_minor})
    if takes_two_people(request, sum_minor, operators.currency(state)):
        limit = money(request.app[CONTEXT].config.refund_two_people_minor, REFERENCE)
        detail = f"more than the worth of {limit} in all take two people: propose it as a refund"
        raise Problem(409, "Conflict", detail, field="amount_minor")
    limit_minor = alone_max_minor(request, operators.currency(state))
    emission = operators.refund(order_id, return_id, body.amount_minor, body.reason, limit_minor)
    pending.put(order_id, return_id, body.amount_minor)
    action = GoodwillGrantedByOperator(
        about=order_id,
        who=operator_of(request).name,
        why=body.reason,
        event_id=emission.event_id,
        goodwill_id=body.goodwill_id,
        amount_minor=body.amount_minor,
    )
    await carry_out(request, action, emission, body.goodwill_id)
    return accepted_response(order_id, "asked")
