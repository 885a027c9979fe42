"""Actions of operators on orders: cancel, refund, reveal personal fields."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Literal, TypedDict, TypeVar

import msgspec
from aiohttp import web
from cachetools import LRUCache
from msgspec import Meta

from app.console.api.access import operator_of
from app.console.api.audited_actions import audit, carry_out
from app.console.api.context import CONTEXT, asking_kafka
from app.console.api.problems import JsonResponse, Problem, json_response, read_body
from app.entrypoints.requests import (
    CaptureCases,
    DisputeCases,
    Emission,
    OperatorMessages,
    RefundCases,
    entrypoint_of,
)
from app.host.parameters import path_name, text_of
from app.registry import load_workflows
from app.wire.personal import personal_parts
from tables import declared
from workflows.audit.messages import (
    OrderCancelledByOperator,
    PersonalRevealed,
    RefundGivenByOperator,
    RefundProposed,
)
from workflows.shared.limits import MINOR_MAX, TEXT_CHARS_MAX
from workflows.shared.provider_currencies import objection_to_step
from workflows.shared.reference_rates import ReferenceRates

RETURN_PREFIX = "operator-"
"""The prefix of the return ids of operators' refunds, which customers' return ids cannot have."""
ORDERS_MAX = 10_000
"""Orders whose refunds this process remembers."""
WHY_MAX, ABOUT_CHARS_MAX = TEXT_CHARS_MAX, 140

Why = Annotated[str, Meta(min_length=1, max_length=WHY_MAX, pattern=r"\S")]
"""For whoever reads the audit: spaces are not a reason."""
RefundId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$(?!\n)")]
Amount = Annotated[int, Meta(ge=1, le=MINOR_MAX)]

Cases = TypeVar("Cases", RefundCases, CaptureCases, DisputeCases)
FindProposal = Callable[[str, str], Awaitable[RefundProposed | None]]
PROPOSALS: web.AppKey[FindProposal] = web.AppKey("proposals")
"""Finds the first proposal of a refund, by order id and refund id."""


class PendingRefunds:
    """Refunds of this process that rows may lack yet: parallel ones count towards the limit."""

    def __init__(self) -> None:
        self._by_order: LRUCache[str, dict[str, int]] = LRUCache(ORDERS_MAX)

    def put(self, order_id: str, return_id: str, amount_minor: int) -> None:
        """Remember a refund; the order unused for longest is forgotten."""
        self._by_order.setdefault(order_id, {})[return_id] = amount_minor

    def sum_minor(
        self, order_id: str, minor_by_return: Mapping[str, int], more: Mapping[str, int]
    ) -> int:
        """Return the sum of all refunds of an order: those of its row, and `more`, by return."""
        promised = self._by_order.get(order_id, {})
        return sum({**promised, **minor_by_return, **more}.values())


PENDING_REFUNDS: web.AppKey[PendingRefunds] = web.AppKey("pending_refunds")
RATES: web.AppKey[ReferenceRates] = web.AppKey("rates")
"""By which an amount of any currency is compared with the limit of one person."""


def takes_two_people(request: web.Request, amount_minor: int, currency: str) -> bool:
    """Return whether `amount_minor` is above the limit of one person, or nobody knows its worth."""
    worth_minor = request.app[RATES].reference_minor(amount_minor, currency)
    return worth_minor is None or worth_minor > request.app[CONTEXT].config.refund_two_people_minor


def alone_max_minor(request: web.Request, currency: str) -> int:
    """Return the limit of one person in `currency`; 0 when nobody knows what it is worth."""
    limit_minor = request.app[CONTEXT].config.refund_two_people_minor
    return request.app[RATES].most_minor(limit_minor, currency) or 0


def refuse_unmovable(amount_minor: int, currency: str) -> None:
    """Raise Problem for an amount that the payment provider cannot refund."""
    if objection := objection_to_step(amount_minor, currency):
        raise Problem(400, "Bad Request", objection, field="amount_minor")


class CancelByOperator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /operators/orders/{id}/cancel`."""

    decision: Literal["cancel"] = "cancel"
    """What a form of an open case says besides."""
    reason: Why


class RefundAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /operators/orders/{id}/refund`. Repeated with the same id, it is one."""

    refund_id: RefundId
    amount_minor: Amount
    reason: Why


class ApprovalAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an approval: the amount again, so that nobody approves another one."""

    amount_minor: Amount
    reason: Why


class Under(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an accepted action; a `proposed` one waits for another operator."""

    order_id: str
    state: str
    links: dict[str, str]


async def cancel(request: web.Request) -> JsonResponse[Under]:
    """Ask for an order to be cancelled; shipping decides whether it is still in time."""
    order_id = path_name(request, "order_id")
    body = await read_body(request, CancelByOperator)
    operators, _ = await operator_messages(request, order_id)
    emission = operators.cancel(order_id, body.reason)
    action = OrderCancelledByOperator(
        about=order_id, who=operator_of(request).name, why=body.reason, event_id=emission.event_id
    )
    await carry_out(request, action, emission)
    return accepted_response(order_id, "asked")


async def refund(request: web.Request) -> JsonResponse[Under]:
    """Refund money of an ended order, or propose it above the limit of one person.

    Earlier refunds count: a large sum in small parts needs two people as well.
    """
    order_id = path_name(request, "order_id")
    body = await read_body(request, RefundAsked)
    operators, state = await operator_messages(request, order_id)
    promised, return_id = request.app[PENDING_REFUNDS], RETURN_PREFIX + body.refund_id
    who = operator_of(request).name
    known_minor = operators.refunds_minor(state)
    refuse_unmovable(body.amount_minor, operators.currency(state))
    sum_minor = promised.sum_minor(order_id, known_minor, {return_id: body.amount_minor})
    if not takes_two_people(request, sum_minor, operators.currency(state)):
        promised.put(order_id, return_id, body.amount_minor)
        limit_minor = alone_max_minor(request, operators.currency(state))
        emission = _emission(operators, order_id, body, limit_minor)
        await _refund(request, order_id, body, "", emission)
        return accepted_response(order_id, "asked")
    proposal = await _proposal(request, order_id, body.refund_id)
    if proposal is not None and (proposal.amount_minor, proposal.who) != (body.amount_minor, who):
        detail = (
            f"refund {body.refund_id} was proposed by {proposal.who} already; choose another id"
        )
        raise Problem(409, "Conflict", detail, field="refund_id")
    proposed = RefundProposed(
        about=order_id,
        who=who,
        why=body.reason,
        refund_id=body.refund_id,
        amount_minor=body.amount_minor,
    )
    await audit(request, proposed, body.refund_id)
    return accepted_response(order_id, "proposed", approve=f"refund/{body.refund_id}/approve")


async def approve(request: web.Request) -> JsonResponse[Under]:
    """Refund what another operator has proposed."""
    order_id, refund_id = path_name(request, "order_id"), path_name(request, "refund_id")
    body = await read_body(request, ApprovalAsked)
    operators, _ = await operator_messages(request, order_id)
    proposed = await _proposal(request, order_id, refund_id)
    if proposed is None:
        raise Problem(404, "Not Found", "nobody has proposed this refund", field="refund_id")
    if proposed.who.casefold() == operator_of(request).name.casefold():
        detail = "it was proposed by you: somebody else has to approve it"
        raise Problem(403, "Forbidden", detail)
    if proposed.amount_minor != body.amount_minor:
        detail = f"{proposed.amount_minor} were proposed"
        raise Problem(409, "Conflict", detail, field="amount_minor")
    refund_asked = RefundAsked(
        refund_id=proposed.refund_id, amount_minor=proposed.amount_minor, reason=body.reason
    )
    emission = _emission(operators, order_id, refund_asked, None)
    await _refund(request, order_id, refund_asked, proposed.who, emission)
    return accepted_response(order_id, "asked")


async def _proposal(request: web.Request, order_id: str, refund_id: str) -> RefundProposed | None:
    with asking_kafka():
        return await request.app[PROPOSALS](order_id, refund_id)


def _emission(
    operators: OperatorMessages, order_id: str, body: RefundAsked, limit_minor: int | None
) -> Emission:
    return_id = RETURN_PREFIX + body.refund_id
    return operators.refund(order_id, return_id, body.amount_minor, body.reason, limit_minor)


async def _refund(
    request: web.Request, order_id: str, body: RefundAsked, proposed_by: str, emission: Emission
) -> None:
    action = RefundGivenByOperator(
        about=order_id,
        who=operator_of(request).name,
        why=body.reason,
        event_id=emission.event_id,
        refund_id=body.refund_id,
        amount_minor=body.amount_minor,
        proposed_by=proposed_by,
    )
    await carry_out(request, action, emission, body.refund_id)


class Revealed(TypedDict):
    """The personal fields of an order in clear, by name."""

    order_id: str
    personal: dict[str, list[str]]
    partial: bool


def reason_of(request: web.Request) -> str:
    """Return why somebody wants to see personal data. Raises Problem 400."""
    why = text_of(request, "why")
    if not (why.strip() and len(why) <= WHY_MAX):
        detail = f"say why: ?why= with 1 to {WHY_MAX} characters"
        raise Problem(400, "Bad Request", detail, field="why")
    return why


async def reveal(request: web.Request) -> JsonResponse[Revealed]:
    """Return the personal fields of an order in clear, after auditing who asks, and why."""
    order_id = path_name(request, "order_id")
    why = reason_of(request)
    entries, partial = await request.app[CONTEXT].journal(order_id)
    texts_by_name: dict[str, set[str]] = {}
    for entry in entries:
        for name, texts in personal_parts(entry.body, entry.type).items():
            texts_by_name.setdefault(name, set()).update(texts)
    # Without a match too: that nothing is known is an answer, and whoever tries ids shows here.
    about, who = order_id[:ABOUT_CHARS_MAX], operator_of(request).name
    action = PersonalRevealed(about=about, who=who, why=why, fields=tuple(sorted(texts_by_name)))
    await audit(request, action)
    if not texts_by_name:
        raise Problem(404, "Not Found", f"nothing personal is known of {order_id!r}")
    personal = {name: sorted(values) for name, values in sorted(texts_by_name.items())}
    return json_response({"order_id": order_id, "personal": personal, "partial": partial})


async def operator_messages(
    request: web.Request, transaction_id: str
) -> tuple[OperatorMessages, object]:
    """Return what operators may emit about a transaction, and its state. Raises Problem 404."""
    workflows = load_workflows().values()
    for workflow in workflows:
        row = await request.app[CONTEXT].row(workflow.table, transaction_id)
        if row is not None:
            entrypoint = entrypoint_of(workflow.name)
            operators = entrypoint.operators if entrypoint is not None else None
            if operators is None:
                detail = f"operators may not act on a transaction of {workflow.name}"
                raise Problem(404, "Not Found", detail, field=workflow.key)
            return operators, msgspec.convert(row["state"], declared[workflow.table].shape)
    names = " or ".join(each.name for each in workflows)
    key = next(each.key for each in workflows)
    raise Problem(404, "Not Found", f"there is no {names} {transaction_id!r}", field=key)


async def cases_and_state(
    request: web.Request, order_id: str, cases: Cases | None, absent: str
) -> tuple[Cases, object]:
    """Return `cases`, and the state of the order's row that they read.

    Raises Problem 404, which says `absent`, where there is none.
    """
    row = None if cases is None else await request.app[CONTEXT].row(cases.table, order_id)
    if cases is None or row is None:
        raise Problem(404, "Not Found", absent, field="order_id")
    return cases, msgspec.convert(row["state"], declared[cases.table].shape)


def accepted_response(order_id: str, state: str, **links: str) -> JsonResponse[Under]:
    """Return the answer to an action that was accepted."""
    here = {name: f"/operators/orders/{order_id}/{path}" for name, path in links.items()}
    body = Under(order_id=order_id, state=state, links={"self": f"/orders/{order_id}", **here})
    return json_response(body, 202)
