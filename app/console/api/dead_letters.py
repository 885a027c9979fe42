"""Dead letters over HTTP: in groups and singly, and the running redrive.

A redrive takes a while, so it runs in a task of this process, one at a time. The records that it
sent are found on the topics, so after a crash it continues when it is begun again.
"""

import asyncio
import time
from collections import deque
from typing import Literal, TypedDict

import msgspec
import structlog
from aiohttp import web

from app.config import Config
from app.console.api.context import CONTEXT, asking_kafka
from app.console.api.problems import JsonResponse, Problem, json_response
from app.host.parameters import one_of, path_name, text_of
from app.kafka.errors import KAFKA_ERRORS
from app.operations.dead_letters.audit_records import Action
from app.operations.dead_letters.dead_letter import DeadLetter, Failure
from app.operations.dead_letters.editing import editable
from app.operations.dead_letters.reader import gather
from app.operations.dead_letters.redrive import DeadLetterError, Outcome, redriver
from app.operations.dead_letters.selection import BlastRadius, Choice, blast_radius, select_open
from app.operations.dead_letters.status import STATES, DeadLetterFacts, Group, State, groups, states
from app.operations.search.masked_record import MaskedRecord
from app.wire.personal import masked_detail, masked_text
from app.wire.records import header

KNOWN_SECONDS = 2.0
"""How long the status that was read is cached for all requests."""
DEAD_LETTERS_MAX = 500
LINES_MAX = 200
FILTERS = ("service", "cause", "stack", "topic", "type", "key", "correlation_id", "place")

log = structlog.get_logger(__name__)


class DeadLetterLine(TypedDict):
    """One dead letter of a list; `place` is its topic, partition and offset."""

    place: str
    state: State
    service: str
    agent: str
    cause: str
    stack: str
    detail: str
    type: str
    key: str
    correlation_id: str
    failures: int
    at_ms: int


class WholeDeadLetter(DeadLetterLine):
    """One dead letter with its headers and body, masked."""

    origin: str
    home: str
    headers: list[tuple[str, str]]
    text: str
    editable: str
    history: tuple[Failure, ...]
    dropped_because: str


class DeadLetterPage(TypedDict):
    """The latest dead letters that match, and how many do."""

    dead_letters: list[DeadLetterLine]
    total: int


class DeadLetterGroups(TypedDict):
    """Dead letters by service, cause and stack."""

    groups: list[Group]


class RedriveProgress(TypedDict):
    """The progress of the latest redrive of this process."""

    state: Literal["none", "running", "done", "failed"]
    lines: list[str]
    outcome: Outcome | None
    error: str


class DeadLetters:
    """The status of the dead letters, read once for all clients, and the redrive."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: tuple[float, float, DeadLetterFacts] | None = None
        """When the reading of it began and ended, and what it found."""
        self._lock = asyncio.Lock()
        self.task: asyncio.Task[None] | None = None
        self.lines: deque[str] = deque(maxlen=LINES_MAX)
        self.outcome: Outcome | None = None
        self.error = ""

    async def facts(self, *, fresh: bool = False) -> DeadLetterFacts:
        """Return every dead letter and its status. Raises Problem 503.

        With `fresh` it is read after this call; those who wait meanwhile share one reading.
        """
        asked_s = time.monotonic()
        async with self._lock:
            if (old := self._known) is not None:
                began_s, ended_s, facts = old
                if began_s >= asked_s if fresh else time.monotonic() - ended_s <= KNOWN_SECONDS:
                    return facts
            began_s = time.monotonic()
            with asking_kafka():
                facts = await gather(self._config)
            self._known = (began_s, time.monotonic(), facts)
            return facts

    def begin(self, choice: Choice, action: Action, rate: float) -> None:
        """Redrive dead letters in a task. Raises Problem 409 while another runs."""
        if self.task is not None and not self.task.done():
            raise Problem(409, "Conflict", "a redrive is running already; wait for its end")
        self.lines.clear()
        self.outcome, self.error = None, ""
        self.task = asyncio.create_task(self._redrive(choice, action, rate))

    async def _redrive(self, choice: Choice, action: Action, rate: float) -> None:
        try:
            async with redriver(self._config) as sender:
                dead_letters = _open(await sender.read_status(), choice)
                self.outcome = await sender.redrive(dead_letters, action, self.lines.append, rate)
        except (DeadLetterError, *KAFKA_ERRORS) as error:
            log.warning("redrive failed", error=str(error))
            self.error = str(error)
        finally:
            self._known = None

    def redrive_progress(self) -> RedriveProgress:
        """Return the progress of the latest redrive: `state` none, running, done or failed."""
        running = self.task is not None and not self.task.done()
        state = (
            "running" if running else "failed" if self.error else "done" if self.task else "none"
        )
        return {
            "state": state,
            "lines": list(self.lines),
            "outcome": self.outcome,
            "error": self.error,
        }

    async def close(self) -> None:
        """Stop the redrive: dead letters not sent yet stay open."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


def _open(facts: DeadLetterFacts, choice: Choice) -> list[DeadLetter]:
    dead_letters, _ = select_open(facts.dead_letters, states(facts), choice)
    if not dead_letters:
        raise DeadLetterError("no matching dead letter is open any more")
    return dead_letters


DEAD_LETTERS: web.AppKey[DeadLetters] = web.AppKey("dead_letters")


def add_dead_letters(app: web.Application) -> None:
    """Let `app` redrive dead letters."""
    app[DEAD_LETTERS] = DeadLetters(app[CONTEXT].config)
    app.on_shutdown.append(_close)


async def _close(app: web.Application) -> None:
    await app[DEAD_LETTERS].close()


# --- queries ------------------------------------------------------------------


def requested_choice(request: web.Request) -> Choice:
    """Return the filter in the query. Raises Problem."""
    return choice_of({name: text_of(request, name) for name in FILTERS})


def choice_of(text_by_name: dict[str, str]) -> Choice:
    """Return the filter in `text_by_name`. Raises Problem where it names a person."""
    for name, value in text_by_name.items():
        if masked_text(value) != value or len(value) > 300:  # noqa: PLR2004
            raise Problem(400, "Bad Request", f"{name} cannot be searched for", field=name)
    return msgspec.convert(text_by_name, Choice)


async def all_groups(request: web.Request) -> list[Group]:
    """Return the dead letters that `asked_choice` means, in groups."""
    facts = await request.app[DEAD_LETTERS].facts()
    choice = requested_choice(request)
    return groups([each for each in facts.dead_letters if choice.meets(each)], states(facts))


async def some(request: web.Request) -> tuple[list[DeadLetterLine], int]:
    """Return the latest dead letters selected, as lines of a list, and how many there are."""
    facts = await request.app[DEAD_LETTERS].facts()
    choice, statuses = requested_choice(request), states(facts)
    status = one_of(request, "state", STATES)
    meant = [
        each
        for each in facts.dead_letters
        if choice.meets(each) and (not status or statuses[each.place] == status)
    ]
    meant.sort(key=lambda each: each.at_ms, reverse=True)
    return [_line(each, statuses[each.place]) for each in meant[:DEAD_LETTERS_MAX]], len(meant)


def _line(dead_letter: DeadLetter, state: State) -> DeadLetterLine:
    return {
        "place": dead_letter.place,
        "state": state,
        "service": dead_letter.service,
        "agent": dead_letter.agent,
        "cause": dead_letter.cause,
        "stack": dead_letter.stack,
        "detail": masked_detail(header(dead_letter.record, "x-dead-detail")),
        "type": dead_letter.shown_type,
        "key": dead_letter.shown_key,
        "correlation_id": dead_letter.shown_correlation_id,
        "failures": len(dead_letter.history) + 1,
        "at_ms": dead_letter.at_ms,
    }


async def one(request: web.Request, place: str) -> WholeDeadLetter:
    """Return a dead letter with its headers, body and status, masked. Raises Problem 404."""
    facts = await request.app[DEAD_LETTERS].facts()
    dead_letter = dead_letter_of(facts, place)
    query = MaskedRecord(dead_letter.record)
    return {
        **_line(dead_letter, states(facts)[dead_letter.place]),
        "origin": header(dead_letter.record, "x-dead-origin"),
        "home": dead_letter.first_topic,
        "headers": query.pairs,
        "text": query.text,
        "editable": editable(dead_letter.record.value, dead_letter.type),
        "history": dead_letter.shown_history,
        "dropped_because": facts.discarded.get(dead_letter.place, ""),
    }


def dead_letter_of(facts: DeadLetterFacts, place: str) -> DeadLetter:
    """Return the dead letter at `place`. Raises Problem 404."""
    dead_letter = next((each for each in facts.dead_letters if each.place == place), None)
    if dead_letter is None:
        raise Problem(404, "Not Found", f"there is no dead letter {place[:200]!r}", field="place")
    return dead_letter


async def preview(request: web.Request) -> BlastRadius:
    """Return what a redrive of the selected dead letters would touch."""
    facts = await request.app[DEAD_LETTERS].facts(fresh=True)
    dead_letters, others = select_open(facts.dead_letters, states(facts), requested_choice(request))
    return blast_radius(dead_letters, others)


async def show_groups(request: web.Request) -> JsonResponse[DeadLetterGroups]:
    """Return dead letters grouped by service, cause and stack."""
    return json_response({"groups": await all_groups(request)})


async def show_some(request: web.Request) -> JsonResponse[DeadLetterPage]:
    """Return dead letters."""
    lines, total = await some(request)
    return json_response({"dead_letters": lines, "total": total})


async def show_one(request: web.Request) -> JsonResponse[WholeDeadLetter]:
    """Return one dead letter."""
    return json_response(await one(request, place_of(request)))


def place_of(request: web.Request) -> str:
    """Return the place of the dead letter in the path."""
    return "/".join(path_name(request, part) for part in ("topic", "partition", "offset"))


async def show_preview(request: web.Request) -> JsonResponse[BlastRadius]:
    """Return what a redrive would touch."""
    return json_response(await preview(request))


async def show_redrive(request: web.Request) -> JsonResponse[RedriveProgress]:
    """Return the progress of the latest redrive of this process."""
    return json_response(request.app[DEAD_LETTERS].redrive_progress())
