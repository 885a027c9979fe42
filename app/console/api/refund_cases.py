"""The decision of an operator about a refund that has failed for good."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from app.console.api.access import operator_of
from app.console.api.case_outcomes import answer
from app.console.api.operator_actions import (
    Under,
    Why,
    cases_and_state,
    operator_messages,
)
from app.console.api.problems import JsonResponse, Problem, read_body
from app.console.api.provider_refunds import confirmed_minor, is_providers
from app.entrypoints.case_requests import RefundDecision
from app.host.parameters import path_name
from workflows.audit.case_decisions import RefundCaseDecidedByOperator

Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,100}$(?!\n)")]
DisputeId = Annotated[str, Meta(max_length=128)]
DueMinor = Annotated[str, Meta(pattern=r"^([1-9][0-9]{0,12})?$(?!\n)")]


class DecisionAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of the decision. `settled`: the money has gone another way, found by `reference`.

    A reference such as `re_1` is a refund that somebody has made at the provider's dashboard: the
    provider is asked about it.
    """

    decision: Literal["retry", "settled"]
    reference: Reference = ""
    despite_dispute: DisputeId = ""
    """Of `settled`, while a bank may refund the payment: the dispute of which this is known."""
    due_minor: DueMinor = ""
    """Of `settled`: what you have seen due, in minor units, as `fields.due_minor` of the case says:
    when another amount is due by now, the answer is 409. Empty: whatever is due."""
    reason: Why


async def decide(request: web.Request) -> JsonResponse[Under]:
    """Ask the provider once more, or note that the customer was paid another way."""
    order_id, refund_key = path_name(request, "order_id"), path_name(request, "refund_key")
    body = await read_body(request, DecisionAsked)
    if body.decision == "settled" and not body.reference:
        detail = "say by what the payment can be found, such as the id of a bank transfer"
        raise Problem(400, "Bad Request", detail, field="reference")
    operators, _ = await operator_messages(request, order_id)
    absent = f"{order_id!r} has no refunds"
    cases, state = await cases_and_state(request, order_id, operators.refund_cases, absent)
    waiting = cases.waiting(state)
    if refund_key not in waiting:
        waiting_text = f"; there wait {', '.join(waiting)}" if waiting else ""
        detail = f"no refund {refund_key!r} waits for a decision{waiting_text}"
        raise Problem(409, "Conflict", detail, field="refund_key")
    _refuse_paying_twice(body, cases.disputed(state))
    failed_round = waiting[refund_key]
    found_minor = int(body.due_minor or 0) if body.decision == "settled" else 0
    if body.decision == "settled" and is_providers(body.reference):
        due = cases.due(state, refund_key, body.reference)
        found_minor = await confirmed_minor(request, body.reference, due)
    decision = RefundDecision(
        transaction_id=order_id,
        refund_key=refund_key,
        failed_round=failed_round,
        decision=body.decision,
        reference=body.reference,
        amount_minor=found_minor,
        decided_by=operator_of(request).name,
    )
    emission = cases.decide(decision)
    if body.due_minor and (objection := cases.outcome(state, emission.message)):
        raise Problem(409, "Conflict", objection, field="due_minor")
    action = _action(body, decision, emission.event_id)
    mark = f"{refund_key}/{failed_round}"
    return await answer(request, order_id, cases, action, emission, mark, "refund_key")


def _action(
    body: DecisionAsked, decision: RefundDecision, event_id: str
) -> RefundCaseDecidedByOperator:
    return RefundCaseDecidedByOperator(
        about=decision.transaction_id,
        who=decision.decided_by,
        why=body.reason,
        event_id=event_id,
        refund_key=decision.refund_key,
        decision=body.decision,
        reference=body.reference,
    )


def _refuse_paying_twice(body: DecisionAsked, dispute_id: str) -> None:
    """Raise Problem for money paid by hand that a bank may refund too, unless that is known."""
    if body.decision == "settled" and dispute_id not in ("", body.despite_dispute):
        detail = (
            f"the bank may refund this payment too: dispute {dispute_id} is open. Wait for it; "
            f'or say "despite_dispute": "{dispute_id}" where the customer has the money already'
        )
        raise Problem(409, "Conflict", detail, field="despite_dispute")
