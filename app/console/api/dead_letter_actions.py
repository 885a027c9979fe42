"""What operators do with dead letters: send back, edit, let go. All of it is audited."""

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from app.console.api.access import operator_of
from app.console.api.context import DESK
from app.console.api.dead_letters import FILTERS, LETTERS, choice_of, letter_of
from app.console.api.operator_actions import WHY_MAX
from app.console.api.problems import Problem, json_response, read_body
from app.operations.dead_letters.editing import diff, restored
from app.operations.dead_letters.redrive import RATE, Act, LettersError, desk
from app.operations.dead_letters.selection import Choice, chosen
from app.operations.dead_letters.status import states
from app.operations.search.masked_record import masked_text
from app.wire import codecs, envelope

Why = Annotated[str, Meta(min_length=1, max_length=WHY_MAX)]


class ChoiceAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which letters; what is empty says nothing."""

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
    """The body of a redrive: which letters, how fast, and how many the preview said."""

    rate: Annotated[float, Meta(ge=0.1, le=10_000)] = RATE
    letters: Annotated[int, Meta(ge=1)]


class EditAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an edit; `check` says what would come of it, and sends nothing."""

    place: Annotated[str, Meta(max_length=300)]
    body: Annotated[str, Meta(max_length=900_000)]
    headers: dict[str, str] = {}
    reason: Annotated[str, Meta(max_length=WHY_MAX)] = ""
    force: bool = False


def _act(request: web.Request, why: str, choice: str = "") -> Act:
    return Act(
        who=operator_of(request).name, why=why, chosen=choice, at_ms=request.app[DESK].now_ms()
    )


async def redrive(request: web.Request) -> web.Response:
    """Begin to send letters back: a canary first, then the rest at a rate."""
    asked = await read_body(request, RedriveAsked)
    choice = asked.choice()
    letters = request.app[LETTERS]
    known = await letters.known(fresh=True)
    open_, _ = chosen(known.letters, states(known), choice)
    if len(open_) != asked.letters:
        detail = f"{len(open_)} letters are meant by now, not {asked.letters}: look again"
        raise Problem(409, "Conflict", detail, field="letters")
    letters.begin(choice, _act(request, asked.reason, choice.text()), asked.rate)
    return json_response(letters.standing(), 202)


async def check(request: web.Request) -> web.Response:
    """Return what an edit would send: the difference, and whether it would fail again."""
    asked = await read_body(request, EditAsked)
    letter = letter_of(await request.app[LETTERS].known(), asked.place)
    try:
        body = restored(letter.given.value, asked.body)
    except LettersError as error:
        return json_response({"diff": [], "fails": str(error)})
    headers = dict(letter.given.headers) | {k: v.encode() for k, v in asked.headers.items()}
    try:
        codecs.decode(body, envelope.from_headers(headers), letter.given.key)
        fails = ""
    except (codecs.Poison, envelope.BadEnvelope) as error:
        fails = masked_text(str(error))
    return json_response({"diff": diff(letter.given.value, body), "fails": fails})


async def edit(request: web.Request) -> web.Response:
    """Send one letter back with other bytes, as another event."""
    asked = await read_body(request, EditAsked)
    if not asked.reason.strip():
        raise Problem(400, "Bad Request", "say why", field="reason")
    known = await request.app[LETTERS].known(fresh=True)
    letter = letter_of(known, asked.place)
    if states(known)[letter.place] != "open":
        detail = f"it is {states(known)[letter.place]}: only an open letter is sent back"
        raise Problem(409, "Conflict", detail)
    act = _act(request, asked.reason)
    try:
        body = restored(letter.given.value, asked.body)
        async with desk(request.app[DESK].config) as sender:
            event_id = await sender.edit(letter, body, asked.headers, act, force=asked.force)
    except LettersError as error:
        raise Problem(409, "Conflict", masked_text(str(error))) from error
    return json_response({"event_id": event_id}, 202)


async def drop(request: web.Request) -> web.Response:
    """Say that letters need no handling any more, and why; they stay where they lie."""
    asked = await read_body(request, ChoiceAsked)
    choice = asked.choice()
    if choice == Choice():
        raise Problem(400, "Bad Request", "say which letters", field="place")
    known = await request.app[LETTERS].known(fresh=True)
    open_, _ = chosen(known.letters, states(known), choice)
    if not open_:
        raise Problem(409, "Conflict", "no letter that is meant is open any more")
    try:
        async with desk(request.app[DESK].config) as sender:
            await sender.drop(open_, _act(request, asked.reason, choice.text()))
    except LettersError as error:
        raise Problem(409, "Conflict", str(error)) from error
    return json_response({"dropped": len(open_)}, 202)
