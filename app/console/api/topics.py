"""Topics over HTTP: facts, records, consumer groups; the same scan as `payflow topics`.

A scan answers in one piece (`/records`, for a few seconds, with a cursor to go on) or as events
(`/find`). It runs in a search process, which is ended where a record takes too long. Bodies are
masked before they are searched: see `app.operations.search.masked_record`.
"""

import asyncio
import csv
import io
import re
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TypedDict

import structlog
from aiohttp import web
from msgspec.structs import replace

from app.config import Config
from app.console.api.context import CONTEXT
from app.console.api.problems import JsonResponse, Problem, json_response
from app.console.api.searches import (
    PAGE_BYTES_MAX,
    STREAM_SECONDS_MAX,
    answering,
    search_process,
    searching,
)
from app.console.api.streams import WRITE_SECONDS_MAX, write
from app.host.logs import escaped
from app.host.parameters import one_of, path_name, text_of, texts, whole
from app.kafka.errors import KAFKA_ERRORS, InspectionError
from app.operations.search import topic_facts
from app.operations.search.consumer_groups import Group, groups
from app.operations.search.expression import CHARS_MAX
from app.operations.search.query import BadTerm, parse
from app.operations.search.question import Begun, Question
from app.operations.search.record_view import RecordView
from app.operations.search.scan_events import Done, Event, Found, ScanState
from app.operations.search.starts import Start, parse_cursor, parse_start
from app.wire.json_output import json_bytes

ASKED = ("q", "cel", "from", "partition", "cursor", "limit")
"""Parameters of a scan; `q` may be repeated. `follow=1` goes on after the end."""
PAGE_SECONDS_MAX = 5.0
PAGE_RECORDS_MAX = 500
FOUND_MAX = 10_000
PARTITION_MAX = 999_999
HEARTBEAT_SECONDS = 15.0
STREAMED_SECONDS_MAX = STREAM_SECONDS_MAX + WRITE_SECONDS_MAX
"""A scan ends itself before, with a cursor; whoever reads slowly may not get so far."""

SCAN_ERRORS = (*KAFKA_ERRORS, BadTerm)
"""Errors that end a scan that has begun."""
log = structlog.get_logger(__name__)


class Topics(TypedDict):
    """All topics."""

    topics: list[topic_facts.TopicFacts]


class Groups(TypedDict):
    """All consumer groups."""

    groups: list[Group]


class RecordPage(TypedDict):
    """Records that were found, what was read for them, and a cursor to go on."""

    found: list[RecordView]
    done: Done
    cursor: str


async def every(request: web.Request) -> JsonResponse[Topics]:
    """Return all topics with their partitions, records, bytes and retention."""
    internal = whole(request, "internal", 0, 0, 1) == 1
    async with answering():
        return json_response(
            {"topics": await topic_facts.topics(request.app[CONTEXT].config, internal=internal)}
        )


async def show(request: web.Request) -> JsonResponse[topic_facts.TopicFacts]:
    """Return one topic: its settings, its partitions."""
    name = path_name(request, "name")
    async with answering():
        return json_response(await topic_facts.topic_facts(request.app[CONTEXT].config, name))


async def all_groups(request: web.Request) -> JsonResponse[Groups]:
    """Return all consumer groups: members, assignments, lag."""
    async with answering():
        return json_response({"groups": await groups(request.app[CONTEXT].config)})


async def group_by_name(config: Config, name: str) -> Group:
    """Return one group. Raises Problem 404."""
    try:
        return (await groups(config, name))[0]
    except InspectionError as error:
        raise Problem(404, "Not Found", str(error), field="name") from error


async def one_group(request: web.Request) -> JsonResponse[Group]:
    """Return one group."""
    async with answering():
        return json_response(
            await group_by_name(request.app[CONTEXT].config, path_name(request, "name"))
        )


async def records(request: web.Request) -> JsonResponse[RecordPage]:
    """Return matching records, the offsets read, and a cursor to go on."""
    return json_response(await found_records(request))


async def found_records(request: web.Request) -> RecordPage:
    """Return the records that a scan of a few seconds finds, its `done`, and the next cursor."""
    question = replace(
        _question(request, limit=100, most=PAGE_RECORDS_MAX),
        seconds=PAGE_SECONDS_MAX,
        bytes_max=PAGE_BYTES_MAX,
    )
    records: list[RecordView] = []
    done: Done | None = None
    with searching(request, "page"):
        async with answering(), aclosing(search_process(request, question)) as answers:
            async for each in answers:
                match each:
                    case Found(record=record):
                        records.append(record)
                    case Done():
                        done = each
    assert done is not None, "a scan ends with Done"
    return {"found": records, "done": done, "cursor": done.cursor}


async def find(request: web.Request) -> web.StreamResponse:
    """Stream a scan as server-sent events: found, progress, and finally done or failed."""
    question = _question(request, limit=500, most=FOUND_MAX)
    if whole(request, "follow", 0, 0, 1):
        question = replace(question, follow=True, limit=None)
    with searching(request, "stream"):
        async with aclosing(search_process(request, question)) as answers:
            async with answering():
                # What is wrong with the question can be a 404 or a 400 only before the stream.
                await anext(answers)
            response = web.StreamResponse(
                headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
            )
            try:
                async with asyncio.timeout(STREAMED_SECONDS_MAX):
                    await response.prepare(request)
                    await _push(request, response, answers)
            except (ConnectionResetError, TimeoutError, asyncio.CancelledError):
                log.debug("scan closed")
            return response


async def export(request: web.Request) -> web.StreamResponse:
    """Stream matching records as a file: NDJSON, or CSV without spreadsheet formulas."""
    form = one_of(request, "format", tuple(FORMS), "ndjson")
    question = _question(request, limit=FOUND_MAX, most=FOUND_MAX)
    with searching(request, "stream"):
        async with aclosing(search_process(request, question)) as answers:
            async with answering():
                await anext(answers)
            return await _export(request, answers, form)


async def _export(
    request: web.Request, answers: AsyncIterator[Begun | Event], form: str
) -> web.StreamResponse:
    kind, line, first = FORMS[form]
    name = path_name(request, "name")
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    headers = {"Content-Disposition": f'attachment; filename="{safe}.{form}"'}
    response = web.StreamResponse(headers={"Content-Type": kind, **headers})
    try:
        async with asyncio.timeout(STREAMED_SECONDS_MAX):
            await response.prepare(request)
            await write(request, response, first)
            async for each in answers:
                if isinstance(each, Found):
                    await write(request, response, line(each.record))
                if isinstance(each, Done) and each.why not in WHOLE:
                    raise InspectionError(f"{each.error or each.why}, at {each.cursor}")
    except (ConnectionResetError, asyncio.CancelledError):
        log.debug("export closed")
    except (*SCAN_ERRORS, TimeoutError) as error:
        # A partial file must not look complete: the final chunk is left out.
        log.warning("export broken off", topic=name, error=str(error))
        if request.transport is not None:
            request.transport.abort()
    return response


def _as_json_line(record: RecordView) -> bytes:
    return json_bytes(record) + b"\n"


def _as_csv_line(record: RecordView) -> bytes:
    written = io.StringIO()
    body = record.text or json_bytes(record.body).decode()
    cells = (record.partition, record.offset, record.at_ms, record.key, record.type)
    headers = json_bytes(record.headers).decode()
    csv.writer(written).writerow([_inert(str(cell)) for cell in (*cells, headers, body)])
    return written.getvalue().encode(errors="backslashreplace")


def _inert(cell: str) -> str:
    """Return `cell` so that a spreadsheet takes it for text, and a terminal obeys nothing in it.

    Where cells are separated by `;` or tabs, what follows one begins a cell too.
    """
    cell = BETWEEN.sub(r"\1'", cell)
    return escaped(f"'{cell}" if cell[:1] in FORMULA else cell)


CSV_HEADER = b"partition,offset,at_ms,key,type,headers,body\r\n"
FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""Characters that begin a formula; the last four are the wide forms of the first."""
BETWEEN = re.compile(rf'([;\t][" ]*)(?=[{re.escape("".join(sorted(FORMULA)))}])')
"""Before a formula behind what some spreadsheets take for the end of a cell."""
WHOLE = ("end", "limit")
"""Why a scan stopped whose file is all that was asked for."""
FORMS = {
    "ndjson": ("application/x-ndjson", _as_json_line, b""),
    "csv": ("text/csv; charset=utf-8", _as_csv_line, CSV_HEADER),
}


async def _push(
    request: web.Request, response: web.StreamResponse, answers: AsyncIterator[Begun | Event]
) -> None:
    try:
        await _push_all(request, response, answers)
    except SCAN_ERRORS as error:
        await write(request, response, _event("failed", {"detail": str(error)}))


async def _push_all(
    request: web.Request, response: web.StreamResponse, answers: AsyncIterator[Begun | Event]
) -> None:
    emitted_s, before = 0.0, ""
    async for event in answers:
        if isinstance(event, ScanState):
            # A scan that follows may find nothing for hours.
            if event.cursor == before and time.monotonic() - emitted_s < HEARTBEAT_SECONDS:
                continue
            before = event.cursor
        emitted_s = time.monotonic()
        await write(request, response, _event(str(event.__struct_config__.tag), event))


def _event(name: str, body: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), json_bytes(body))


def _question(request: web.Request, *, limit: int, most: int) -> Question:
    """Return the scan asked for. Raises Problem naming the parameter that is wrong.

    An expression is read in the search process alone: reading it may take as long as applying it.
    """
    terms = tuple(texts(request, "q"))
    parse(terms)
    cel = text_of(request, "cel")
    if len(cel) > CHARS_MAX:
        raise BadTerm(f"cel: {len(cel)} characters, at most {CHARS_MAX}", "cel")
    return Question(
        topic=path_name(request, "name"),
        terms=terms,
        cel=cel,
        start=_start(request),
        limit=whole(request, "limit", limit, 1, most),
        seconds=STREAM_SECONDS_MAX,
    )


def _start(request: web.Request) -> Start:
    """Return where to begin: at the cursor, else at `from`, in one partition if it is given."""
    cursor = text_of(request, "cursor")
    if cursor:
        return parse_cursor(cursor)
    start = parse_start(text_of(request, "from"))
    if not text_of(request, "partition"):
        return start
    partition = whole(request, "partition", 0, 0, PARTITION_MAX)
    if start.only - {partition}:
        raise BadTerm(f"from names another partition than {partition}", "partition")
    return replace(start, only=frozenset({partition}), field="partition")
