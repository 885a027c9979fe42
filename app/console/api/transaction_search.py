"""Finds transactions: the latest, those of a status, those that an id belongs to.

Personal data is masked before anything is searched.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, TypedDict

import msgspec
from aiohttp import web

from app.config import Config
from app.console.api.context import CONTEXT
from app.console.api.problems import JsonResponse, Problem, json_response
from app.console.api.searches import PAGE_BYTES_MAX, answering, search_process, searching
from app.console.api.table_rows import TableRow
from app.console.api.transactions import state_of
from app.console.api.workflow_requests import REPEATS
from app.host.parameters import BadParameter, is_name, one_of, text_of, whole_number
from app.kafka.reader import places_of, reader
from app.operations.search.amount import NoAmount, amount_of, is_number
from app.operations.search.query import parse
from app.operations.search.question import Begun, Question
from app.operations.search.record_view import RecordView
from app.operations.search.scan import ScanRequest, scan
from app.operations.search.scan_events import Done, Event, Found, Why
from app.operations.search.starts import Start
from app.registry import load_workflows
from app.wire.personal import masked
from app.wire.topics import partitions_of
from tables import declared
from workflows.shared.message import type_name
from workflows.shared.topic import topic_of_type
from workflows.shared.workflow import Workflow

RECENT_BACK, SHOWN_MAX = 30, 60
OLDER_MAX = 20
SOUGHT_SECONDS = 4.0
FOUND_MAX = 200
"""Records of one topic that hold a text."""
PAGES_MAX, PAGE_ROWS = 5, 1_000
QUERY_CHARS_MAX = 200
STOPPED: dict[Why, str] = {
    "end": "to its end",
    "limit": "until there were enough",
    "size": "until there were enough",
    "time": "until time was up",
    "runaway": "up to one that takes too long",
    "cancelled": "until it was stopped",
}


class SearchPage(TypedDict):
    """Ids or transactions that were found, the sources read, and a cursor to go on."""

    ids: list[str] | None
    orders: list[dict[str, object]]
    said: str
    next: str | None


def statuses() -> tuple[str, ...]:
    """Return the statuses that transactions of any workflow can have, those that end them last."""
    workflows = load_workflows().values()
    open_statuses = (name for each in workflows for name in each.view.open_statuses)
    ends = (name for each in workflows for name in each.ends)
    return tuple(dict.fromkeys((*open_statuses, *ends)))


def presets() -> tuple[str, ...]:
    """Return the filters besides a status, by name."""
    return tuple(name for each in load_workflows().values() for name in each.view.presets)


async def every(request: web.Request) -> JsonResponse[SearchPage]:
    """Return orders of one status, those that an id belongs to, or the latest."""
    return json_response(await search(request))


async def search(request: web.Request) -> SearchPage:
    """Return the transactions of the query: by the id `q`, by `status`, else the latest."""
    text = text_of(request, "q").strip()
    status = one_of(request, "status", (*statuses(), *presets()))
    if text:
        if len(text) > QUERY_CHARS_MAX or not is_name(text):
            raise Problem(400, "Bad Request", "this is not an id", field="q")
        ids, sources_text = await ids_holding(request, text)
        return {"ids": ids, "orders": [], "said": sources_text, "next": None}
    if status:
        orders, sources_text, following = await with_status(request, status)
        return {"ids": None, "orders": orders, "said": sources_text, "next": following}
    older = whole_number(text_of(request, "older", "0"), 0, OLDER_MAX)
    if older is None:
        raise BadParameter(f"older is a whole number up to {OLDER_MAX}", "older")
    orders, sources_text, more = await recent(request, older)
    following = str(older + 1) if more and older < OLDER_MAX else None
    return {"ids": None, "orders": orders, "said": sources_text, "next": following}


async def recent(request: web.Request, older: int) -> tuple[list[dict[str, object]], str, bool]:
    """Return a page of orders, the latest first, the sources read, and whether there are more."""
    context = request.app[CONTEXT]
    back = RECENT_BACK * (older + 1)
    records: list[RecordView] = []
    source_texts: list[str] = []
    for workflow in load_workflows().values():
        topic = topic_of_type(workflow.started_by).name
        scan_request = ScanRequest(
            wanted=parse([f"type:{type_name(workflow.started_by)}"]),
            start=Start(back=back),
            limit=back * partitions_of(topic, context.config),
            seconds=SOUGHT_SECONDS,
            bodies=False,
        )
        more, looked = await _gathered(_latest(context.config, topic, scan_request), topic)
        records += more
        source_texts.append(looked)
    ids = list(dict.fromkeys(each.key for each in sorted(records, key=lambda each: -each.at_ms)))
    begin = SHOWN_MAX * older
    page_ids = ids[begin : begin + SHOWN_MAX]
    states = await asyncio.gather(*(state_of(request, each) for each in page_ids))
    orders = [
        _line(*each, transaction_id, context.now_ms())
        for transaction_id, each in zip(page_ids, states, strict=True)
        if each is not None
    ]
    return orders, "; ".join(source_texts), len(ids) >= begin + SHOWN_MAX


async def with_status(
    request: web.Request, status: str
) -> tuple[list[dict[str, object]], str, str | None]:
    """Return orders of one status, the sources read, and a cursor to go on."""
    now_ms = request.app[CONTEXT].now_ms()
    begin, _, after = text_of(request, "after", "|").partition("|")
    lines: list[dict[str, Any]] = []
    scanned: Counter[str] = Counter()
    partial = False
    following: str | None = None
    for workflow in _workflows_with(status, begin):
        shape = declared[workflow.table].shape
        preset = workflow.view.presets.get(status)
        scanned[workflow.name] = 0
        async for row, missing in scan_rows(request, workflow.table, after):
            scanned[workflow.name] += 1
            partial = partial or missing
            state = msgspec.convert(row["state"], shape)
            line = _line(workflow, state, row["key"], now_ms)
            if preset(state) if preset else line["status"] == status:
                lines.append(line)
            if len(lines) == SHOWN_MAX or scanned.total() == PAGES_MAX * PAGE_ROWS:
                following = f"{workflow.name}|{row['key']}"
                break
        if following:
            break
        after = ""
    lines.sort(key=lambda each: -each["began_ms"])
    sources_text = ", ".join(f"{count} {name}s" for name, count in scanned.items()) + " were read"
    return lines, sources_text + ("; some partitions do not answer" * partial), following


async def scan_rows(
    request: web.Request, table: str, after: str
) -> AsyncIterator[tuple[TableRow, bool]]:
    """Yield the rows of a table in key order, and whether some are missing."""
    while True:
        rows, missing = await request.app[CONTEXT].rows(table, limit=PAGE_ROWS, after=after)
        for row in rows:
            yield row, missing
        if len(rows) < PAGE_ROWS:
            return
        after = rows[-1]["key"]


def _workflows_with(status: str, begin: str) -> list[Workflow]:
    """Return the workflows that have this status, from the one named `begin` on."""
    able = [
        each
        for each in load_workflows().values()
        if status in (*each.view.open_statuses, *each.ends, *each.view.presets)
    ]
    names = [each.name for each in able]
    return able[names.index(begin) if begin in names else 0 :]


def _line(workflow: Workflow, state: object, transaction_id: str, now_ms: int) -> dict[str, Any]:
    view = workflow.view
    due, facts = view.pending_steps(state), masked(view.shown(state, now_ms))
    about = {
        "workflow": workflow.name,
        "id": transaction_id,
        "headline": view.headline(facts),
        "ended": facts["status"] in workflow.ends,
    }
    began = {"began": view.began[0], "began_ms": facts[view.began[1]]}
    return {**facts, **about, **began, "pending_steps": due[0] if due else None}


# --- by an id ------------------------------------------------------------------


async def ids_holding(request: web.Request, text: str) -> tuple[list[str], str]:
    """Return the ids of the orders to which `text` may belong, and the sources read."""
    if await _is_transaction(request, text):
        return [text], "it is the id of a transaction"
    # Workflows that share a participant name the same topics: each is read once.
    topics = dict.fromkeys(
        topic.name for each in load_workflows().values() for topic in each.view.id_topics
    )
    term, read_as = search_term(text)
    records: list[RecordView] = []
    texts: list[str] = []
    with searching(request, "page"):
        for name in topics:
            question = Question(
                topic=name,
                terms=(term,),
                limit=FOUND_MAX,
                bytes_max=PAGE_BYTES_MAX,
                seconds=SOUGHT_SECONDS / len(topics),
            )
            more, looked = await _gathered(search_process(request, question), name)
            records += more
            texts.append(looked)
    keys = dict.fromkeys(each.key for each in records)
    sources_text = "; ".join(texts)
    return list(keys)[:SHOWN_MAX], f"{read_as}{sources_text}"


def search_term(text: str) -> tuple[str, str]:
    """Return what to search for, and how the text is read when it may be an amount."""
    try:
        return f"amount:{text}", f"read as the amount {amount_of(text)}; "
    except NoAmount as error:
        return f"text:{text}", f"read as text: {error}; " if is_number(text) else ""


async def _is_transaction(request: web.Request, transaction_id: str) -> bool:
    if request.app[REPEATS].get(transaction_id):
        return True
    if await state_of(request, transaction_id) is not None:
        return True
    # The journal may have its events before its workflow's agent has a row.
    entries, _ = await request.app[CONTEXT].journal(transaction_id, 1)
    return bool(entries)


async def _gathered(
    answers: AsyncGenerator[Begun | Event], topic: str
) -> tuple[list[RecordView], str]:
    """Return the records that were found in `topic`, and the offsets read, in text."""
    records: list[RecordView] = []
    source_text = ""
    async with answering(), aclosing(answers):
        async for each in answers:
            match each:
                case Found(record=record):
                    records.append(record)
                case Done(scanned=scanned, why=why):
                    source_text = f"{scanned} records of {topic} were read, {STOPPED[why]}"
    return records, source_text


async def _latest(
    config: Config, topic: str, scan_request: ScanRequest
) -> AsyncGenerator[Begun | Event]:
    """Yield the events of a scan in this process: of a few records, and of no body."""
    places = await places_of(config, topic)
    async with reader(config) as consumer, aclosing(scan(consumer, places, scan_request)) as events:
        async for event in events:
            yield event
            await asyncio.sleep(0)
