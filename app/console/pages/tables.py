"""The pages of tables: their holders, rows, and the history of a row."""

from collections.abc import Awaitable
from typing import TypeVar

from aiohttp import web

from app.console.api.problems import Problem
from app.console.api.tables import found_history, found_row, found_rows, tables_facts
from app.console.pages.render import page
from app.host.parameters import path_name, text_of
from app.operations.search.record_view import is_flat
from app.wire.json_output import json_bytes, json_page
from tables import declared

Facts = TypeVar("Facts")

GONE, UNAVAILABLE = 404, 503
PRETTY_CHARS_MAX = 30_000
"""Of one value on a page."""


async def every(request: web.Request) -> web.Response:
    """Return all tables."""
    return await page(request, "tables.html", title="Tables", tables=await tables_facts(request))


async def rows(request: web.Request) -> web.Response:
    """Return rows of one table."""
    name = path_name(request, "name")
    row_page = await found_rows(request, name)
    return await page(
        request,
        "table.html",
        title=f"Table {name}",
        name=name,
        about=declared[name],
        found=row_page,
        prefix=text_of(request, "prefix"),
        limit=text_of(request, "limit", "100"),
        line=in_line,
    )


async def row(request: web.Request) -> web.Response:
    """Return one row and its history; either is shown without the other."""
    name, key = path_name(request, "name"), text_of(request, "key")
    if not key:
        raise Problem(400, "Bad Request", "say which row: ?key=", field="key")
    table_row, missing = await _if_any(found_row(request, name, key), GONE, UNAVAILABLE)
    lies_in = table_row["partition"] if table_row else None
    past, unread = await _if_any(found_history(request, name, key, lies_in), UNAVAILABLE)
    if missing is not None and not (past and past["versions"]):
        raise missing
    if past:
        past["versions"].reverse()
    return await page(
        request,
        "row.html",
        title=f"Row {key}",
        name=name,
        key=key,
        found=table_row,
        missing=missing,
        past=past,
        unread=unread,
        json=pretty,
    )


async def _if_any(answer: Awaitable[Facts], *passing: int) -> tuple[Facts | None, Problem | None]:
    """Return the answer, or the text of a problem with this status. Raises any other Problem."""
    try:
        return await answer, None
    except Problem as problem:
        if problem.status not in passing:
            raise
        return None, problem


def pretty(value: object) -> str:
    """Return `value` as JSON that people read, cut where it is long; in one line where it is deep.

    In lines each member is indented by its depth, so deep lists grow to the square.
    """
    text = (json_page if is_flat(value) else json_bytes)(value).decode()
    if len(text) <= PRETTY_CHARS_MAX:
        return text
    more = len(text) - PRETTY_CHARS_MAX
    return f"{text[:PRETTY_CHARS_MAX]}\n… and {more} characters more: see the API or `payflow`"


def in_line(value: object) -> str:
    """Return `value` as JSON of one line."""
    return json_bytes(value).decode()
