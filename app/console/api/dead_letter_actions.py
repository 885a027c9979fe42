"""Actions of operators on dead letters: redrive, edit, discard. All are audited."""

from http import HTTPStatus
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from aiohttp import web
from msgspec import Meta

from app.auth.operators import at_least
from app.console.api.access import operator_of
from app.console.api.audited_actions import audit
from app.console.api.context import CONTEXT
from app.console.api.dead_letters import (
    DEAD_LETTERS,
    FILTERS,
    RedriveProgress,
    choice_of,
    dead_letter_of,
    place_of,
)
from app.console.api.operator_actions import (
    PENDING_REFUNDS,
    RATES,
    WHY_MAX,
    Why,
    operator_messages,
    reason_of,
)
from app.console.api.problems import JsonResponse, Problem, json_response, read_body
from app.operations.dead_letters.audit_records import Action
from app.operations.dead_letters.dead_letter import (
    DeadLetter,
    Edit,
    edit_id,
    objection_to_headers,
)
from app.operations.dead_letters.edit_limit import EditLimit, TakesTwoPeople, edited_before_minor
from app.operations.dead_letters.editing import diff, restored
from app.operations.dead_letters.redrive import RATE, DeadLetterError, Redriver, redriver
from app.operations.dead_letters.reveal import revealed
from app.operations.dead_letters.selection import Choice, select_open
from app.operations.dead_letters.status import states
from app.wire import codecs
from app.wire.byte_limits import OPEN_BODY_BYTES_MAX
from app.wire.envelope import Undecodable, from_headers
from app.wire.personal import masked_detail, masked_text

SHOWN_BYTES_MAX = 100_000
"""Of a body in clear."""


class ChoiceAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A filter of dead letters, whose empty fields select everything."""

    place: str = ""
    service: str = ""
    cause: str = ""
    stack: str = ""
    topic: str = ""
    type: str = ""
    key: str = ""
    correlation_id: str = ""
    reason: Why

    def choice(self) -> Choice:
        """Return the filter. Raises Problem where it names a person."""
        return choice_of({name: getattr(self, name) for name in FILTERS})


class RedriveAsked(ChoiceAsked, kw_only=True, forbid_unknown_fields=True):
    """The body of a redrive: which dead letters, the rate, and the number in the preview."""

    rate: Annotated[float, Meta(ge=0.1, le=10_000)] = RATE
    dead_letters: Annotated[int, Meta(ge=1)]


class EditFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dead letter and what would be sent in its place."""

    place: Annotated[str, Meta(max_length=300)]
    body: Annotated[str, Meta(max_length=OPEN_BODY_BYTES_MAX)]
    headers: dict[str, str] = {}
    force: bool = False


class CheckAsked(EditFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a check, which returns the result of an edit, and sends nothing."""

    reason: Annotated[str, Meta(max_length=WHY_MAX)] = ""


class EditAsked(EditFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an edit."""

    reason: Why


class EditCheck(TypedDict):
    """What an edit would change, and why it would fail again; empty: it would not."""

    diff: list[str]
    fails: str


class EditDone(TypedDict):
    """Whether an edit was sent, or waits for a second person."""

    state: Literal["proposed", "sent"]
    detail: NotRequired[str]
    event_id: NotRequired[str]


class Discarded(TypedDict):
    """How many dead letters were discarded."""

    discarded: int


def _action(request: web.Request, why: str, choice: str = "") -> Action:
    return Action(
        who=operator_of(request).name, why=why, chosen=choice, at_ms=request.app[CONTEXT].now_ms()
    )


async def redrive(request: web.Request) -> JsonResponse[RedriveProgress]:
    """Begin a redrive: a canary first, then the rest at a rate."""
    body = await read_body(request, RedriveAsked)
    choice = body.choice()
    dead_letters = request.app[DEAD_LETTERS]
    facts = await dead_letters.facts(fresh=True)
    open_, _ = select_open(facts.dead_letters, states(facts), choice)
    if len(open_) != body.dead_letters:
        detail = f"{len(open_)} dead letters match now, not {body.dead_letters}: read them again"
        raise Problem(409, "Conflict", detail, field="dead_letters")
    dead_letters.begin(choice, _action(request, body.reason, choice.text()), body.rate)
    return json_response(dead_letters.redrive_progress(), 202)


async def check(request: web.Request) -> JsonResponse[EditCheck]:
    """Return what an edit would send: the difference, and whether it would fail again."""
    body = await read_body(request, CheckAsked)
    dead_letter = dead_letter_of(await request.app[DEAD_LETTERS].facts(), body.place)
    if refused := objection_to_headers(body.headers):
        return json_response({"diff": [], "fails": refused})
    try:
        restored_body = restored(dead_letter.record.value, body.body, dead_letter.type)
    except DeadLetterError as error:
        return json_response({"diff": [], "fails": str(error)})
    headers = dict(dead_letter.record.headers) | {k: v.encode() for k, v in body.headers.items()}
    try:
        codecs.decode(restored_body, from_headers(headers), dead_letter.record.key)
        fails = ""
    except Undecodable as error:
        fails = masked_detail(str(error))
    edited = body.body.encode()
    return json_response(
        {"diff": diff(dead_letter.record.value, edited, dead_letter.type), "fails": fails}
    )


async def edit(request: web.Request) -> JsonResponse[EditDone]:
    """Redrive one dead letter with other bytes, as another event."""
    body = await read_body(request, EditAsked)
    if refused := objection_to_headers(body.headers):
        raise Problem(400, "Bad Request", refused, field="headers")
    facts = await request.app[DEAD_LETTERS].facts(fresh=True)
    dead_letter = dead_letter_of(facts, body.place)
    try:
        restored_body = restored(dead_letter.record.value, body.body, dead_letter.type)
        async with redriver(request.app[CONTEXT].config) as sender:
            edit = Edit(body=restored_body, headers=body.headers, force=body.force)
            done = await _edit(request, sender, dead_letter, edit, body.reason)
    except DeadLetterError as error:
        raise Problem(409, "Conflict", masked_text(str(error))) from error
    return json_response(done, 202)


async def _edit(
    request: web.Request,
    sender: Redriver,
    dead_letter: DeadLetter,
    edit: Edit,
    reason: str,
) -> EditDone:
    """Send the edit, or propose it where it takes two people; return what was done.

    The second person enters the same: nobody else has to keep what may name a customer.
    """
    # Read while nobody else sends: of two who edit one dead letter at once, the second is refused.
    action, facts = _action(request, reason), await sender.read_status()
    if (state := states(facts)[dead_letter.place]) != "open":
        detail = f"it is {state}: only an open dead letter is sent back"
        raise Problem(409, "Conflict", detail)
    who = operator_of(request)
    config = request.app[CONTEXT].config
    proposers = facts.proposed.get(edit_id(dead_letter, edit, config.signing_key), ())
    others = [each for each in proposers if each.casefold() != who.name.casefold()]
    proposed_by = others[0] if others and at_least(who.role, "approver") else ""
    currency, refunds_minor = await _currency_and_refunds(request, dead_letter)
    limit = EditLimit(
        config=config,
        rates=request.app[RATES],
        currency=currency,
        before_minor=edited_before_minor(facts, dead_letter) + refunds_minor,
    )
    try:
        event_id = await sender.edit(
            dead_letter, edit, action, limit=limit, proposed_by=proposed_by
        )
    except TakesTwoPeople as error:
        await sender.propose(dead_letter, edit, action)
        detail = f"{error}: it is sent once an approver other than you enters the same edit"
        return {"state": "proposed", "detail": detail}
    return {"state": "sent", "event_id": event_id}


async def _currency_and_refunds(request: web.Request, dead_letter: DeadLetter) -> tuple[str, int]:
    """Return the currency of the transaction that its key names, and what of it goes back already.

    That is in the reference currency. Nothing and 0 where it names none.
    """
    key = (dead_letter.record.key or b"").decode(errors="replace")
    try:
        operators, state = await operator_messages(request, key)
    except Problem as problem:
        if problem.status != HTTPStatus.NOT_FOUND:
            # Who holds the row is away: what went back of the transaction is not known now.
            raise
        # Of no transaction: nobody knows what amounts without a currency are worth.
        return "", 0
    currency, known_minor = operators.currency(state), operators.refunds_minor(state)
    sum_minor = request.app[PENDING_REFUNDS].sum_minor(key, known_minor, {})
    # Of a currency without a rate no edit with money is sent by one person.
    return currency, request.app[RATES].reference_minor(sum_minor, currency) or 0


class Bytes(TypedDict):
    """A dead letter in clear: the first bytes of its key and body, and how long the body is."""

    place: str
    key: str
    text: str
    hexadecimal: str
    bytes: int


async def show_bytes(request: web.Request) -> JsonResponse[Bytes]:
    """Return the body of a dead letter in clear, after auditing who asks, and why."""
    why, place = reason_of(request), place_of(request)
    facts = await request.app[DEAD_LETTERS].facts()
    await audit(request, revealed(place, operator_of(request).name, why))
    # Behind the audit: that there is none is an answer too.
    dead_letter = dead_letter_of(facts, place)
    body = dead_letter.record.value or b""
    return json_response(
        {
            "place": dead_letter.place,
            "key": (dead_letter.record.key or b"")[:SHOWN_BYTES_MAX].decode(errors="replace"),
            "text": body[:SHOWN_BYTES_MAX].decode(errors="backslashreplace"),
            "hexadecimal": body[:SHOWN_BYTES_MAX].hex(),
            "bytes": len(body),
        }
    )


async def discard(request: web.Request) -> JsonResponse[Discarded]:
    """Discard dead letters with a reason; they stay on their topic."""
    body = await read_body(request, ChoiceAsked)
    choice = body.choice()
    if choice == Choice():
        raise Problem(400, "Bad Request", "say which dead letters", field="place")
    try:
        async with redriver(request.app[CONTEXT].config) as sender:
            facts = await sender.read_status()
            open_, _ = select_open(facts.dead_letters, states(facts), choice)
            if not open_:
                raise Problem(409, "Conflict", "no matching dead letter is open any more")
            await sender.discard(open_, _action(request, body.reason, choice.text()))
    except DeadLetterError as error:
        raise Problem(409, "Conflict", masked_text(str(error))) from error
    return json_response({"discarded": len(open_)}, 202)
