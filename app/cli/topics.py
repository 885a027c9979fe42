"""`payflow topics`: topics, their records, consumer groups and lag."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated

import typer

from app.cli.instance import (
    AsJson,
    Result,
    as_json,
    end,
    err,
    on_signal,
    out,
    run,
    running_instance,
)
from app.cli.topic_output import (
    behind_table,
    coverage_line,
    groups_table,
    line_of,
    partitions_table,
    topics_table,
)
from app.config import Config
from app.kafka.reader import places_of, reader
from app.operations.search import topic_facts
from app.operations.search.consumer_groups import groups
from app.operations.search.process_pool import SearchProcess
from app.operations.search.query import TERMS, BadTerm, parse
from app.operations.search.question import Begun, Question
from app.operations.search.record_view import RecordView
from app.operations.search.scan import scan
from app.operations.search.scan_events import Done, Event, Found, ScanState
from app.operations.search.starts import Start, parse_cursor, parse_start
from app.registry import load_agents
from app.wire.json_output import json_bytes

Terms = Annotated[list[str] | None, typer.Argument(help=f"All must hold: {TERMS}; else text.")]
Cel = Annotated[str, typer.Option("--cel", help="A CEL expression: key, type, headers, body, ...")]
From = Annotated[
    str, typer.Option("--from", help="earliest, latest:N, PARTITION/OFFSET[,...], or a time.")
]
Limit = Annotated[int, typer.Option(min=1, max=1_000_000)]


def ls(
    *,
    internal: Annotated[bool, typer.Option("--all", help="Changelogs too.")] = False,
    as_json_too: AsJson = False,
) -> None:
    """List topics with their partitions, records, bytes and retention."""
    topics = run(topic_facts.topics(running_instance(), internal=internal))
    if as_json_too:
        as_json(topics)
        return
    out.print(topics_table(topics))
    if any(topic.bytes is None for topic in topics):
        err.print("the brokers do not say how many bytes there are")


def show(
    name: str,
    *,
    start: From = "",
    limit: Limit = 20,
    as_json_too: AsJson = False,
) -> None:
    """Show the partitions of topic NAME and its newest records, or those from --from on."""
    config = running_instance()
    records, done, about = run(_show(config, name, start, limit))
    if as_json_too:
        as_json({"topic": about, "found": records, "done": done})
        return
    out.print(partitions_table(about))
    for record in records:
        out.print(line_of(record), soft_wrap=True)
    err.print(coverage_line(done), soft_wrap=True)


async def _show(
    config: Config, name: str, start: str, limit: int
) -> tuple[list[RecordView], Done, topic_facts.TopicFacts]:
    question = Question(
        topic=name,
        start=_parse(lambda: parse_start(start)) if start else Start(back=limit),
        limit=limit if start else None,
    )
    about = await topic_facts.topic_facts(config, name)
    records: list[RecordView] = []
    done = None
    async with aclosing(_events(config, question)) as events:
        async for event in events:
            if isinstance(event, Found):
                records.append(event.record)
            done = event
    records.sort(key=lambda record: (record.at_ms, record.partition, record.offset))
    assert isinstance(done, Done)
    return (records if start else records[-limit:]), done, about


def tail(  # noqa: PLR0913  each is an option
    name: str,
    terms: Terms = None,
    *,
    cel: Cel = "",
    start: From = "latest",
    limit: Annotated[int, typer.Option(min=0, help="End after so many; 0: go on.")] = 0,
    as_json_too: AsJson = False,
) -> None:
    """Show new records of topic NAME, for ever; one JSON object a line with --json."""
    question = Question(
        topic=name,
        terms=_terms(terms),
        cel=cel,
        start=_parse(lambda: parse_start(start)),
        limit=limit or None,
        follow=True,
    )
    run(_tail(running_instance(), question, as_lines=as_json_too))


async def _tail(config: Config, question: Question, *, as_lines: bool) -> None:
    async with aclosing(_events(config, question)) as events:
        async for event in events:
            if isinstance(event, Found):
                _print(event.record, as_lines=as_lines)
            elif isinstance(event, Done):
                err.print(coverage_line(event), soft_wrap=True)


def find(  # noqa: PLR0913  each is an option
    name: str,
    terms: Terms = None,
    *,
    cel: Cel = "",
    start: From = "",
    cursor: Annotated[str, typer.Option(help="Go on where another scan has stopped.")] = "",
    limit: Limit = 100,
    as_json_too: AsJson = False,
) -> None:
    """Find records of topic NAME, and show what was read; Ctrl-C stops with a cursor."""
    texts = _terms(terms)
    begin = _parse(lambda: parse_cursor(cursor) if cursor else parse_start(start))
    question = Question(topic=name, terms=texts, cel=cel, start=begin, limit=limit)
    records, done = run(_find(running_instance(), question, as_lines=not as_json_too))
    if as_json_too:
        as_json({"found": records, "done": done})
    err.print(coverage_line(done), soft_wrap=True)


async def _find(
    config: Config, question: Question, *, as_lines: bool
) -> tuple[list[RecordView], Done]:
    records: list[RecordView] = []
    last: Event | None = None
    with err.status("searching ...") as status:
        async with aclosing(_events(config, question)) as events:
            async for event in events:
                last = event
                if isinstance(event, Found):
                    records.append(event.record)
                    if as_lines:
                        _print(event.record, as_lines=False)
                elif isinstance(event, ScanState):
                    of = sum(part.end - part.first for part in event.coverage)
                    status.update(f"{event.scanned:,} of {of:,} read, {event.matched} found")
    assert isinstance(last, Done)
    return records, last


def lag(
    name: Annotated[str, typer.Argument(metavar="[GROUP]", help="One group, in detail.")] = "",
    *,
    as_json_too: AsJson = False,
) -> None:
    """Show the lag of consumer groups, in events and in seconds."""
    consumer_groups = run(groups(running_instance(), name))
    if as_json_too:
        as_json(consumer_groups)
        return
    out.print(groups_table(consumer_groups))
    if name:
        out.print(behind_table(consumer_groups[0]))


async def _events(config: Config, question: Question) -> AsyncGenerator[Event]:
    """Yield the events of a scan; a signal stops it, and it still reports what it read."""
    stopped = on_signal()
    load_agents()  # an agent may declare topics and messages of its own
    if question.cel:
        async with aclosing(_from_a_process(config, question, stopped)) as events:
            async for event in events:
                yield event
        return
    places = await places_of(config, question.topic)
    async with reader(config) as consumer:
        async for event in scan(consumer, places, question.request(), stopped.is_set):
            yield event


async def _from_a_process(
    config: Config, question: Question, stopped: asyncio.Event
) -> AsyncGenerator[Event]:
    """Yield the events of a scan by an expression: no signal would be seen while it is applied."""
    process = await SearchProcess.start(config)
    stop = asyncio.ensure_future(stopped.wait())
    stop.add_done_callback(lambda _: process.stop())
    try:
        async with aclosing(process.ask(question)) as answers:
            async for each in answers:
                if not isinstance(each, Begun):
                    yield each
    finally:
        stop.cancel()
        await process.kill()


def _terms(terms: list[str] | None) -> tuple[str, ...]:
    """Return the terms, once each is known to be one; ends with usage where it is not."""
    _parse(lambda: parse(terms or []))
    return tuple(terms or [])


def _print(record: RecordView, *, as_lines: bool) -> None:
    if as_lines:
        out.file.write(json_bytes(record).decode() + "\n")
        out.file.flush()
    else:
        out.print(line_of(record), soft_wrap=True)


def _parse(parsed: Callable[[], Result]) -> Result:
    """Return the result of `parsed`; ends with usage where a term is wrong."""
    try:
        return parsed()
    except BadTerm as error:
        end(error)
