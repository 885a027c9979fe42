"""The answer of an operator to a payment that its customer disputes with the bank."""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta
from msgspec.structs import replace

from app.console.api import case_outcomes
from app.console.api.access import operator_of
from app.console.api.operator_actions import (
    Under,
    Why,
    cases_and_state,
    operator_messages,
)
from app.console.api.problems import JsonResponse, Problem, read_body
from app.entrypoints.case_requests import DisputeDecision, WaitingDispute
from app.host.parameters import path_name
from workflows.audit.case_decisions import DisputeAnsweredByOperator
from workflows.shared.limits import Evidence

DisputeId = Annotated[str, Meta(max_length=128)]
Stage = Annotated[str, Meta(pattern=r"^((inquiry|chargeback)(-[1-9][0-9]{0,3})?)?$(?!\n)")]


class DisputeAnswerAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of the answer. `submit`: `text` goes to the bank as evidence.

    `refund`: what an inquiry holds back is refunded all the same.
    """

    decision: Literal["submit", "accept", "refund"]
    text: Evidence = ""
    dispute_id: DisputeId = ""
    """Empty: the one that waits."""
    stage: Stage = ""
    """What you have seen of it, as `fields.stage` of the case says: when it has gone on since, the
    answer is 409. Empty: whatever it is now."""
    reason: Why


async def answer(request: web.Request) -> JsonResponse[Under]:
    """Hand evidence to the bank, give the dispute up, or refund during an inquiry."""
    order_id = path_name(request, "order_id")
    body = await read_body(request, DisputeAnswerAsked)
    if body.decision == "submit" and not body.text.strip():
        detail = "say what the bank is to read: what was bought, and how it was delivered"
        raise Problem(400, "Bad Request", detail, field="text")
    operators, _ = await operator_messages(request, order_id)
    absent = f"{order_id!r} has no payment"
    cases, state = await cases_and_state(request, order_id, operators.dispute_cases, absent)
    waiting = (cases.holding if body.decision == "refund" else cases.waiting)(state)
    decision = _decision(order_id, body, waiting, operator_of(request).name)
    emission = cases.decide(decision)
    if body.stage and (objection := cases.outcome(state, emission.message)):
        raise Problem(409, "Conflict", objection, field="stage")
    if decision.dispute_id not in waiting:
        raise _absent(order_id, waiting)
    action = DisputeAnsweredByOperator(
        about=order_id,
        who=decision.decided_by,
        why=body.reason,
        event_id=emission.event_id,
        dispute_id=decision.dispute_id,
        decision=body.decision,
        stage=decision.decided.stage,
    )
    mark = f"dispute/{decision.dispute_id}"
    return await case_outcomes.answer(
        request, order_id, cases, action, emission, mark, "dispute_id"
    )


def _decision(
    order_id: str, body: DisputeAnswerAsked, waiting: Mapping[str, WaitingDispute], who: str
) -> DisputeDecision:
    """Return what is decided: about the stage that `who` has seen, or else about that of now.

    Raises Problem where it is not clear of which dispute.
    """
    dispute_id = body.dispute_id or next(iter(waiting), "")
    if not dispute_id or (not body.dispute_id and len(waiting) > 1):
        raise _absent(order_id, waiting)
    current = waiting.get(dispute_id, WaitingDispute(round=0, stage=""))
    return DisputeDecision(
        transaction_id=order_id,
        dispute_id=dispute_id,
        decided=replace(current, stage=body.stage or current.stage),
        decision=body.decision,
        text=body.text.strip(),
        decided_by=who,
    )


def _absent(order_id: str, waiting: Collection[str]) -> Problem:
    there = ", ".join(waiting)
    detail = f"there wait {there}: say which" if there else f"no dispute of {order_id!r} waits"
    return Problem(409, "Conflict", detail, field="dispute_id")
