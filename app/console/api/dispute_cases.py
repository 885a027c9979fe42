"""The answer of an operator to a payment that its customer disputes with the bank."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from app.console.api import case_outcomes
from app.console.api.access import operator_of
from app.console.api.operator_actions import (
    Under,
    Why,
    cases_and_state,
    operator_messages,
)
from app.console.api.problems import JsonResponse, Problem, read_body
from app.host.parameters import path_name
from workflows.audit.case_decisions import DisputeAnsweredByOperator
from workflows.shared.limits import Evidence

DisputeId = Annotated[str, Meta(max_length=128)]


class DisputeAnswerAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of the answer. `submit`: `text` goes to the bank as evidence.

    `refund`: what an inquiry holds back is refunded all the same.
    """

    decision: Literal["submit", "accept", "refund"]
    text: Evidence = ""
    dispute_id: DisputeId = ""
    """Empty: the one that waits."""
    reason: Why


async def answer(request: web.Request) -> JsonResponse[Under]:
    """Hand evidence to the bank, give the dispute up, or refund during an inquiry."""
    order_id = path_name(request, "order_id")
    asked = await read_body(request, DisputeAnswerAsked)
    if asked.decision == "submit" and not asked.text.strip():
        detail = "say what the bank is to read: what was bought, and how it was delivered"
        raise Problem(400, "Bad Request", detail, field="text")
    operators, _ = await operator_messages(request, order_id)
    absent = f"{order_id!r} has no payment"
    cases, state = await cases_and_state(request, order_id, operators.dispute_cases, absent)
    waiting = (cases.holding if asked.decision == "refund" else cases.waiting)(state)
    dispute_id = asked.dispute_id or next(iter(waiting), "")
    if dispute_id not in waiting or (not asked.dispute_id and len(waiting) > 1):
        there = ", ".join(waiting)
        detail = (
            f"there wait {there}: say which" if waiting else f"no dispute of {order_id!r} waits"
        )
        raise Problem(409, "Conflict", detail, field="dispute_id")
    who, text = operator_of(request).name, asked.text.strip()
    emission = cases.decide(order_id, dispute_id, waiting[dispute_id], asked.decision, text, who)
    action = DisputeAnsweredByOperator(
        about=order_id,
        who=who,
        why=asked.reason,
        event_id=emission.event_id,
        dispute_id=dispute_id,
        decision=asked.decision,
    )
    mark = f"dispute/{dispute_id}"
    return await case_outcomes.answer(
        request, order_id, cases, action, emission, mark, "dispute_id"
    )
