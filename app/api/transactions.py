"""Transactions for people: found by any of their ids, and all that is known of one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec
import structlog
from aiohttp import web
from aiokafka.errors import KafkaError

from app.admin import TopicError
from app.api.desk import DESK, unavailable
from app.api.problems import Problem
from app.config import Config
from app.house import changelog_of
from app.inspection import InspectionError, NoSuchTopic, places_of, reader
from app.produce import partition_of
from app.row import decode_row
from app.scan.history import history
from app.scan.look import masked
from app.scan.scan import Asked, Done, Found, scan
from app.scan.starts import Start
from app.scan.wanted import BadTerm, parse
from tables import declared
from workflows.awaited import awaited, status_of
from workflows.journal import JournalEntry
from workflows.order import view
from workflows.progress import Order
from workflows.timeline import Bar, timeline

EVENTS_MAX = 1_000
RECENT_BACK, RECENT_MAX = 30, 60
SOUGHT_SECONDS = 4.0
PAGES_MAX, PAGE_ROWS = 5, 1_000
STOPPED = {"end": "to its end", "limit": "until there were enough", "time": "until time was up"}
ELSEWHERE = frozenset({"analytics", "journal", "risk", "stock"})
"""Tables whose rows are not one order's."""

log = structlog.get_logger(__name__)


def shown(row: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Return an order's row as people read it, with where it really stands."""
    memory = msgspec.convert(row["memory"], Order)
    return {
        **view(memory),
        "status": status_of(memory, now_ms),
        "placed_at_ms": memory.placed_at_ms,
    }


async def recent(request: web.Request) -> tuple[list[dict[str, Any]], str]:
    """Return the orders placed lately, the latest first, and what was looked at for them."""
    desk = request.app[DESK]
    found, said = await _sought(
        desk.config, "orders", ["type:payflow.order.placed.v1"], RECENT_BACK
    )
    ids = list(dict.fromkeys(each.key for each in sorted(found, key=lambda each: -each.at_ms)))
    rows = await asyncio.gather(*(_row(request, "order", each) for each in ids[:RECENT_MAX]))
    return [shown(row, desk.now_ms()) for row in rows if row is not None], said


async def standing(
    request: web.Request, status: str, after: str
) -> tuple[list[dict[str, Any]], str, str | None]:
    """Return orders of one status, what was looked at for them, and where to go on."""
    desk = request.app[DESK]
    found: list[dict[str, Any]] = []
    looked, partial = 0, False
    following: str | None = after
    for _ in range(PAGES_MAX):
        rows, missing = await desk.rows("order", limit=PAGE_ROWS, after=following or "")
        looked, partial = looked + len(rows), partial or missing
        found += [
            each for each in (shown(row, desk.now_ms()) for row in rows) if each["status"] == status
        ]
        following = rows[-1]["key"] if len(rows) == PAGE_ROWS else None
        if following is None or len(found) >= RECENT_MAX:
            break
    said = f"{looked} orders were looked at" + (
        "; some partitions do not answer" if partial else ""
    )
    return found, said, following


async def sought(request: web.Request, text: str) -> tuple[list[str], str]:
    """Return the ids of the orders that `text` may mean, and what was looked at for them."""
    if await _row(request, "order", text) is not None:
        return [text], "it is an order"
    config = request.app[DESK].config
    found, said = await _sought(config, "payments", [f"text:{text}"], None)
    answers, said_too = await _sought(config, "provider.answers", [f"text:{text}"], None)
    keys = list(dict.fromkeys(each.key for each in (*found, *answers)))
    return keys, f"{said}; {said_too}"


async def _sought(
    config: Config, topic: str, terms: list[str], back: int | None
) -> tuple[list[Any], str]:
    try:
        wanted = parse(terms)
    except BadTerm as error:
        raise Problem(400, "Bad Request", str(error), field="q") from error
    asked = Asked(wanted=wanted, start=Start(back=back), limit=200, seconds=SOUGHT_SECONDS)
    found: list[Any] = []
    said = ""
    try:
        async with aclosing(_events(config, topic, asked)) as events:
            async for event in events:
                match event:
                    case Found(record=record):
                        found.append(record)
                    case Done(scanned=scanned, why=why):
                        said = f"{scanned} records of {topic} were looked at, {STOPPED[why]}"
    except NoSuchTopic as error:
        raise Problem(404, "Not Found", str(error)) from error
    except (InspectionError, KafkaError, TopicError) as error:
        raise unavailable(f"Kafka does not answer: {error}") from error
    return found, said


async def _events(config: Config, topic: str, asked: Asked) -> AsyncIterator[Any]:
    places = await places_of(config, topic)
    async with reader(config) as consumer, aclosing(scan(consumer, places, asked)) as events:
        async for event in events:
            yield event
            await asyncio.sleep(0)


async def _row(request: web.Request, table: str, key: str) -> dict[str, Any] | None:
    return await request.app[DESK].row(table, key)


# --- one ----------------------------------------------------------------------


async def bars_of(request: web.Request, order_id: str) -> tuple[list[Bar], bool]:
    """Return the events of an order as bars, their bodies masked, and whether some are missing."""
    rows, partial = await request.app[DESK].rows("journal", f"{order_id}|", EVENTS_MAX)
    entries = [msgspec.convert(row["memory"], JournalEntry) for row in rows]
    safe = [msgspec.structs.replace(entry, body=masked(entry.body)) for entry in entries]
    return timeline(safe), partial


async def order_of(request: web.Request, order_id: str) -> dict[str, Any] | None:
    """Return how the order stands and what it waits for; None while nobody knows it."""
    row = await _row(request, "order", order_id)
    if row is None:
        return None
    memory = msgspec.convert(row["memory"], Order)
    return {**shown(row, request.app[DESK].now_ms()), "awaited": awaited(memory)}


async def participants(request: web.Request, order_id: str) -> dict[str, Any]:
    """Return the row of every service that has one of this order, masked, by table."""
    names = sorted(set(declared) - ELSEWHERE)
    rows = await asyncio.gather(
        *(_row(request, name, order_id) for name in names), return_exceptions=True
    )
    found: dict[str, Any] = {}
    for name, row in zip(names, rows, strict=True):
        if isinstance(row, Problem):
            found[name] = str(row)
        elif isinstance(row, BaseException):
            raise row
        elif row is not None:
            found[name] = masked(row["memory"])
    return found


async def participants_at(request: web.Request, order_id: str, at_ms: int) -> dict[str, Any]:
    """Return what each service's row of this order was at `at_ms`, by its changelog, by table."""
    config = request.app[DESK].config
    key = order_id.encode()
    names = sorted(set(declared) - ELSEWHERE)
    partition = partition_of(key, config.partitions)
    try:
        pasts = await asyncio.gather(
            *(history(config, changelog_of(declared[name]), partition, key) for name in names)
        )
    except (InspectionError, KafkaError, TopicError) as error:
        raise unavailable(f"Kafka does not answer: {error}") from error
    found: dict[str, Any] = {}
    for name, past in zip(names, pasts, strict=True):
        before = [each for each in past.versions if each.at_ms <= at_ms]
        if before and before[-1].body is not None:
            memory = decode_row(declared[name], before[-1].body).memory
            found[name] = masked(msgspec.to_builtins(memory))
        elif past.why != "end":
            found[name] = "not known: its changelog is too long to be read now"
    return found
