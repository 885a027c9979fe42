"""`payflow dead`: list dead letters and their causes, redrive, edit or discard them."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from app.cli.dead_letter_output import (
    as_shown,
    dead_letters_table,
    groups_table,
)
from app.cli.instance import (
    AsJson,
    as_json,
    err,
    fail,
    out,
    run,
    running_instance,
    this_user,
)
from app.fraud.live.judge import open_rates
from app.operations.dead_letters.audit_records import Action
from app.operations.dead_letters.dead_letter import DeadLetter, Edit
from app.operations.dead_letters.edit_limit import EditLimit, TakesTwoPeople, edited_before_minor
from app.operations.dead_letters.reader import gather
from app.operations.dead_letters.redrive import RATE, DeadLetterError, Outcome, redriver
from app.operations.dead_letters.selection import BlastRadius, Choice, blast_radius, select_open
from app.operations.dead_letters.status import DeadLetterFacts, State, groups, states
from app.wire.clock import now_ms

Topic = Annotated[str, typer.Argument(help="A dead topic; with OFFSET, one dead letter.")]
Offset = Annotated[int, typer.Argument(help="Where in it.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it is written down.")]
Who = Annotated[str, typer.Option("--as", help="Who acts; the user of this terminal otherwise.")]
Service = Annotated[str, typer.Option(help="Dead letters of this service.")]
Cause = Annotated[str, typer.Option(help="Dead letters of this cause.")]
Stack = Annotated[str, typer.Option(help="Dead letters with this stack fingerprint.")]
Received = Annotated[
    str, typer.Option("--topic", help="Dead letters first received on this topic.")
]
Kind = Annotated[str, typer.Option("--type", help="Dead letters of this type.")]
Key = Annotated[str, typer.Option(help="Dead letters of this key.")]
Correlation = Annotated[
    str, typer.Option("--correlation", help="Dead letters of this transaction.")
]
Since = Annotated[str, typer.Option(help="Dead-lettered from this RFC 3339 time on.")]
Until = Annotated[str, typer.Option(help="Dead-lettered before this RFC 3339 time.")]
Everything = Annotated[bool, typer.Option("--all", help="Every open dead letter.")]


def ls(
    *,
    every: Annotated[bool, typer.Option("--all", help="Each dead letter, not groups.")] = False,
    as_json_too: AsJson = False,
) -> None:
    """List dead letters by service, cause and stack, with the status of each."""
    facts = run(gather(running_instance()))
    statuses = states(facts)
    if facts.foreign:
        err.print(f"{facts.foreign} records in dead topics were not dead-lettered by Payflow")
    if every:
        rows = [
            as_shown(dead_letter, statuses[dead_letter.place]) for dead_letter in facts.dead_letters
        ]
        as_json(rows) if as_json_too else out.print(dead_letters_table(rows))
        return
    grouped = groups(facts.dead_letters, statuses)
    as_json(grouped) if as_json_too else out.print(groups_table(grouped))


def redrive(  # noqa: PLR0913  each is an option
    topic_of_dead_letter: Annotated[
        str, typer.Argument(help="A dead topic, for one dead letter.")
    ] = "",
    offset: Annotated[int, typer.Argument(help="Its offset.", show_default=False)] = -1,
    *,
    service: Service = "",
    cause: Cause = "",
    stack: Stack = "",
    topic: Received = "",
    kind: Kind = "",
    key: Key = "",
    correlation: Correlation = "",
    since: Since = "",
    until: Until = "",
    every: Everything = False,
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="How many per second.")] = RATE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be touched.")] = False,
    why: Why = "",
    who: Who = "",
    as_json_too: AsJson = False,
) -> None:
    """Send dead letters back to the agents that failed: a canary first, then the rest at a rate."""
    choice = Choice(
        place=_place(topic_of_dead_letter, offset),
        service=service,
        cause=cause,
        stack=stack,
        topic=topic,
        type=kind,
        key=key,
        correlation_id=correlation,
        since_ms=_time(since),
        until_ms=_time(until),
    )
    if choice == Choice() and not every:
        fail("say which dead letters: TOPIC OFFSET, a filter such as --cause, or --all", 2)
    action = Action(who=who or this_user(), why=why, chosen=choice.text(), at_ms=now_ms())
    _report(run(_redrive(choice, action, rate, dry_run=dry_run)), as_json_too=as_json_too)


def _report(report: object, *, as_json_too: bool) -> None:
    """Show what was, or would be, sent; end with an error when it was not all handled."""
    if as_json_too:
        as_json(report)
    else:
        for name, value in msgspec.to_builtins(report).items():
            out.print(f"{name:<14}{value}", markup=False)
    if isinstance(report, Outcome) and report.handled < report.sent:
        fail("not every dead letter was handled; see: payflow dead ls")


async def _redrive(
    choice: Choice, action: Action, rate: float, *, dry_run: bool
) -> BlastRadius | Outcome:
    config = running_instance()
    if dry_run:
        facts = await gather(config)
        return blast_radius(*select_open(facts.dead_letters, states(facts), choice))
    async with redriver(config) as sender:
        facts = await sender.read_status()
        dead_letters, others = select_open(facts.dead_letters, states(facts), choice)
        if not dead_letters:
            state_counts = (
                ", ".join(f"{count} {state}" for state, count in others.items()) or "none at all"
            )
            raise DeadLetterError(
                f"no open dead letter matches {choice.text()}; there are: {state_counts}"
            )
        return await sender.redrive(dead_letters, action, err.print, rate)


def edit(  # noqa: PLR0913  each is an option
    topic: Topic,
    offset: Offset,
    *,
    file: Annotated[Path, typer.Option(help="The new body.")],
    set_header: Annotated[list[str], typer.Option(help="Such as ce_type=...")] = [],  # noqa: B006
    force: Annotated[bool, typer.Option("--force", help="Even if it would fail again.")] = False,
    why: Why = "",
    who: Who = "",
) -> None:
    """Send one dead letter back with other bytes, under a new event id; the old one is kept."""
    try:
        body = file.read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error}", 2)
    headers = {name: value for name, _, value in (part.partition("=") for part in set_header)}
    if not all(headers) or not all("=" in part for part in set_header):
        fail("--set-header needs name=value", 2)
    action = Action(who=who or this_user(), why=why, at_ms=now_ms())
    edited = Edit(body=body, headers=headers, force=force)
    event_id = run(_edit((topic, offset), edited, action))
    out.print(f"sent back as event {event_id}", markup=False)


async def _edit(at: tuple[str, int], edited: Edit, action: Action) -> str:
    config = running_instance()
    async with redriver(config) as sender:
        facts = await sender.read_status()
        dead_letter = one_of(facts, *at)
        _must_be_open(dead_letter, states(facts))
        # A name on the command line proves nobody: what takes two people is done in the console.
        limit = EditLimit(
            config=config,
            rates=open_rates(config),
            before_minor=edited_before_minor(facts, dead_letter),
        )
        try:
            return await sender.edit(dead_letter, edited, action, limit=limit)
        except TakesTwoPeople as error:
            raise DeadLetterError(
                f"{error}. Operator: two people enter the same edit in the console."
            ) from error


def discard(  # noqa: PLR0913  each is an option
    topic_of_dead_letter: Annotated[
        str, typer.Argument(help="A dead topic, for one dead letter.")
    ] = "",
    offset: Annotated[int, typer.Argument(help="Its offset.", show_default=False)] = -1,
    *,
    service: Service = "",
    cause: Cause = "",
    stack: Stack = "",
    topic: Received = "",
    kind: Kind = "",
    key: Key = "",
    correlation: Correlation = "",
    since: Since = "",
    until: Until = "",
    why: Annotated[str, typer.Option("--reason", help="Why; it is written down.")],
    who: Who = "",
) -> None:
    """Discard dead letters, with a reason; they stay on their topic."""
    choice = Choice(
        place=_place(topic_of_dead_letter, offset),
        service=service,
        cause=cause,
        stack=stack,
        topic=topic,
        type=kind,
        key=key,
        correlation_id=correlation,
        since_ms=_time(since),
        until_ms=_time(until),
    )
    if choice == Choice():
        fail("say which dead letters: TOPIC OFFSET, or a filter such as --cause", 2)
    if not why.strip():
        fail("--reason is empty: say why these dead letters need no handling", 2)
    action = Action(who=who or this_user(), why=why, chosen=choice.text(), at_ms=now_ms())
    out.print(f"{run(_drop(choice, action))} discarded", markup=False)


async def _drop(choice: Choice, action: Action) -> int:
    config = running_instance()
    async with redriver(config) as sender:
        facts = await sender.read_status()
        dead_letters, others = select_open(facts.dead_letters, states(facts), choice)
        if not dead_letters:
            raise DeadLetterError(
                f"no open dead letter matches {choice.text()}; others: {dict(others)}"
            )
        await sender.discard(dead_letters, action)
        return len(dead_letters)


def one_of(facts: DeadLetterFacts, topic: str, offset: int) -> DeadLetter:
    """Return the dead letter that the command names. Raises DeadLetterError."""
    place = _place(topic, offset)
    matches = [dead_letter for dead_letter in facts.dead_letters if dead_letter.place == place]
    if not matches:
        raise DeadLetterError(f"there is no dead letter {place}; see: payflow dead ls --all")
    return matches[0]


def _must_be_open(dead_letter: DeadLetter, statuses: dict[str, State]) -> None:
    if statuses[dead_letter.place] != "open":
        raise DeadLetterError(f"{dead_letter.place} is {statuses[dead_letter.place]}, not open")


def _place(topic: str, offset: int) -> str:
    if topic and offset < 0:
        fail("OFFSET is missing: a dead letter is named by its dead topic and its offset", 2)
    return f"{topic}/0/{offset}" if topic else ""


def _time(text: str) -> int:
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is not an RFC 3339 time, such as 2026-01-31T09:30:00Z", 2)
    if moment.tzinfo is None:
        fail(f"{text!r} has no zone; add Z or +01:00", 2)
    return round(moment.timestamp() * 1_000)
