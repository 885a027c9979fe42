"""The decision of an operator about an order that has shipped and whose money cannot be taken."""

from typing import Literal

import msgspec
from aiohttp import web

from app.console.api.access import operator_of
from app.console.api.case_outcomes import answer
from app.console.api.operator_actions import (
    Under,
    Why,
    cases_and_state,
    operator_messages,
)
from app.console.api.problems import JsonResponse, Problem, read_body
from app.console.api.refund_cases import Reference
from app.host.parameters import path_name
from workflows.audit.case_decisions import CaptureCaseDecidedByOperator


class CaptureDecisionAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of the decision. `written_off`: the loss is posted, found by `reference`."""

    decision: Literal["retry", "written_off"]
    reference: Reference = ""
    reason: Why


async def decide(request: web.Request) -> JsonResponse[Under]:
    """Charge the card once more, or write the money off."""
    order_id = path_name(request, "order_id")
    body = await read_body(request, CaptureDecisionAsked)
    if body.decision == "written_off" and not body.reference:
        detail = "say by what the loss can be found, such as the number of a collection case"
        raise Problem(400, "Bad Request", detail, field="reference")
    operators, _ = await operator_messages(request, order_id)
    absent = f"{order_id!r} has no payment"
    cases, state = await cases_and_state(request, order_id, operators.capture_cases, absent)
    failed_round = cases.waiting(state)
    if failed_round is None:
        detail = f"no capture of {order_id!r} waits for a decision"
        raise Problem(409, "Conflict", detail, field="order_id")
    who = operator_of(request).name
    emission = cases.decide(order_id, failed_round, body.decision, body.reference, who)
    action = CaptureCaseDecidedByOperator(
        about=order_id,
        who=who,
        why=body.reason,
        event_id=emission.event_id,
        decision=body.decision,
        reference=body.reference,
    )
    mark = f"capture/{failed_round}"
    return await answer(request, order_id, cases, action, emission, mark, "order_id")
