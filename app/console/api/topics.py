"""Topics over HTTP: facts, records, consumer groups; the same scan as `payflow topics`.

A scan answers in one piece (`/records`, for a few seconds, with a cursor to go on) or as events
(`/find`). Bodies are masked before they are searched: see `app.operations.search.masked_record`.
"""

import asyncio
import csv
import io
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager

import structlog
from aiohttp import web
from msgspec.structs import replace

from app.config import Config
from app.console.api.context import CONTEXT, asking_kafka, unavailable
from app.console.api.live import STREAMS
from app.console.api.problems import Problem, json_response, path_name, whole
from app.kafka.errors import KAFKA_ERRORS, InspectionError, NoSuchTopic
from app.kafka.reader import places_of, reader
from app.operations.search import topic_facts
from app.operations.search.consumer_groups import Group, groups
from app.operations.search.query import BadTerm, parse
from app.operations.search.record_view import RecordView
from app.operations.search.scan import Done, Event, Found, ScanRequest, ScanState, scan
from app.operations.search.starts import Start, chosen, parse_cursor, parse_start
from app.wire.json_output import json_bytes

ASKED = ("q", "cel", "from", "partition", "cursor", "limit")
"""Parameters of a scan; `q` may be repeated. `follow=1` goes on after the end."""
SCANS_MAX = 4
"""Scans at a time of one process: each keeps a core busy."""
PAGE_SECONDS_MAX = 5.0
PAGE_RECORDS_MAX = 500
FOUND_MAX = 10_000
PARTITION_MAX = 999_999
HEARTBEAT_SECONDS = 15.0

SCAN_ERRORS = (*KAFKA_ERRORS, BadTerm)
"""Errors that end a scan that has begun."""
log = structlog.get_logger(__name__)

_scanning: set[asyncio.Task[object]] = set()


async def every(request: web.Request) -> web.Response:
    """Return all topics with their partitions, records, bytes and retention."""
    internal = whole(request, "internal", 0, 0, 1) == 1
    async with answering():
        return json_response(
            {"topics": await topic_facts.topics(request.app[CONTEXT].config, internal=internal)}
        )


async def show(request: web.Request) -> web.Response:
    """Return one topic: its settings, its partitions."""
    name = path_name(request, "name")
    async with answering():
        return json_response(await topic_facts.topic_facts(request.app[CONTEXT].config, name))


async def all_groups(request: web.Request) -> web.Response:
    """Return all consumer groups: members, assignments, lag."""
    async with answering():
        return json_response({"groups": await groups(request.app[CONTEXT].config)})


async def group_by_name(config: Config, name: str) -> Group:
    """Return one group. Raises Problem 404."""
    try:
        return (await groups(config, name))[0]
    except InspectionError as error:
        raise Problem(404, "Not Found", str(error), field="name") from error


async def one_group(request: web.Request) -> web.Response:
    """Return one group."""
    async with answering():
        return json_response(
            await group_by_name(request.app[CONTEXT].config, path_name(request, "name"))
        )


async def records(request: web.Request) -> web.Response:
    """Return matching records, the offsets read, and a cursor to go on."""
    return json_response(await found_records(request))


async def found_records(request: web.Request) -> dict[str, object]:
    """Return the records that a scan of a few seconds finds, its `done`, and the next cursor."""
    asked = replace(_asked(request, limit=100, most=PAGE_RECORDS_MAX), seconds=PAGE_SECONDS_MAX)
    found: list[RecordView] = []
    done: Done | None = None
    with scanning(request):
        async with answering(), aclosing(_events(request, asked)) as events:
            async for event in events:
                match event:
                    case Found(record=record):
                        found.append(record)
                    case Done():
                        done = event
    assert done is not None, "a scan ends with Done"
    return {"found": found, "done": done, "cursor": done.cursor}


async def find(request: web.Request) -> web.StreamResponse:
    """Stream a scan as server-sent events: found, progress, and finally done or failed."""
    asked = _asked(request, limit=500, most=FOUND_MAX)
    if whole(request, "follow", 0, 0, 1):
        asked = replace(asked, follow=True, limit=None)
    with scanning(request):
        async with answering():
            # A missing topic or partition can be a 404 or a 400 only before the stream has begun.
            places = await places_of(request.app[CONTEXT].config, path_name(request, "name"))
            chosen(places, asked.start)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        try:
            await response.prepare(request)
            async with aclosing(_events(request, asked)) as events:
                await _push(response, events)
        except (ConnectionResetError, asyncio.CancelledError):
            log.debug("scan closed")
        return response


async def export(request: web.Request) -> web.StreamResponse:
    """Stream matching records as a file: NDJSON, or CSV without spreadsheet formulas."""
    form = request.query.get("format", "ndjson")
    if form not in FORMS:
        raise Problem(400, "Bad Request", f"format is one of {', '.join(FORMS)}", field="format")
    kind, line, first = FORMS[form]
    asked = _asked(request, limit=FOUND_MAX, most=FOUND_MAX)
    name = path_name(request, "name")
    with scanning(request):
        async with answering():
            chosen(await places_of(request.app[CONTEXT].config, name), asked.start)
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
        headers = {"Content-Disposition": f'attachment; filename="{safe}.{form}"'}
        response = web.StreamResponse(headers={"Content-Type": kind, **headers})
        try:
            await response.prepare(request)
            await response.write(first)
            async with aclosing(_events(request, asked)) as events:
                async for event in events:
                    if isinstance(event, Found):
                        await response.write(line(event.record))
        except (ConnectionResetError, asyncio.CancelledError):
            log.debug("export closed")
        except SCAN_ERRORS as error:
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
    """Return `cell` so that a spreadsheet takes it for text."""
    return f"'{cell}" if cell[:1] in FORMULA else cell


CSV_HEADER = b"partition,offset,at_ms,key,type,headers,body\r\n"
FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""Characters that begin a formula; the last four are the wide forms of the first."""
FORMS = {
    "ndjson": ("application/x-ndjson", _as_json_line, b""),
    "csv": ("text/csv; charset=utf-8", _as_csv_line, CSV_HEADER),
}


async def _push(response: web.StreamResponse, events: AsyncIterator[Event]) -> None:
    try:
        await _push_all(response, events)
    except SCAN_ERRORS as error:
        await _write(response, "failed", {"detail": str(error)})


async def _push_all(response: web.StreamResponse, events: AsyncIterator[Event]) -> None:
    emitted_s, before = 0.0, ""
    async for event in events:
        if isinstance(event, ScanState):
            # A scan that follows may find nothing for hours.
            if event.cursor == before and time.monotonic() - emitted_s < HEARTBEAT_SECONDS:
                continue
            before = event.cursor
        emitted_s = time.monotonic()
        await _write(response, str(event.__struct_config__.tag), event)


async def _write(response: web.StreamResponse, name: str, body: object) -> None:
    data = json_bytes(body)
    await response.write(b"event: %b\ndata: %b\n\n" % (name.encode(), data))


async def _events(request: web.Request, asked: ScanRequest) -> AsyncGenerator[Event]:
    config = request.app[CONTEXT].config
    places = await places_of(config, path_name(request, "name"))
    async with reader(config) as consumer, aclosing(scan(consumer, places, asked)) as events:
        async for event in events:
            yield event
            # Other tasks get a turn, however much there is to read.
            await asyncio.sleep(0)


def _asked(request: web.Request, *, limit: int, most: int) -> ScanRequest:
    """Return the scan asked for. Raises Problem naming the parameter that is wrong."""
    query = request.query
    return ScanRequest(
        wanted=parse([q for q in query.getall("q", []) if q], query.get("cel", "")),
        start=_start(request),
        limit=whole(request, "limit", limit, 1, most),
    )


def _start(request: web.Request) -> Start:
    """Return where to begin: at the cursor, else at `from`, in one partition if it is given."""
    cursor = request.query.get("cursor", "")
    if cursor:
        return parse_cursor(cursor)
    start = parse_start(request.query.get("from", ""))
    if not request.query.get("partition"):
        return start
    partition = whole(request, "partition", 0, 0, PARTITION_MAX)
    if start.only - {partition}:
        raise BadTerm(f"from names another partition than {partition}", "partition")
    return replace(start, only=frozenset({partition}), field="partition")


@contextmanager
def scanning(request: web.Request) -> Iterator[None]:
    """Count this request among the scans; the server's stop ends it. Raises Problem 503."""
    task = asyncio.current_task()
    assert task is not None, "a request runs in a task"
    if len(_scanning) >= SCANS_MAX:
        raise unavailable(f"{SCANS_MAX} scans are under way; end one")
    streams = request.app[STREAMS]
    _scanning.add(task)
    streams.add(task)
    try:
        yield
    finally:
        _scanning.discard(task)
        streams.discard(task)


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Turn errors of Kafka and of the request into a Problem."""
    with asking_kafka():
        try:
            yield
        except NoSuchTopic as error:
            raise Problem(404, "Not Found", str(error), field="name") from error
