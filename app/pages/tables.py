"""The services' tables: who holds them, their rows, and what a row was."""

from typing import Any

import msgspec
from aiohttp import web

from app.api.problems import Problem, path_name
from app.api.tables import found_history, found_row, found_rows, tables_facts
from app.pages.render import page


async def every(request: web.Request) -> web.Response:
    """Return all tables."""
    return await page(request, "tables.html", title="Tables", tables=await tables_facts(request))


async def rows(request: web.Request) -> web.Response:
    """Return rows of one table."""
    name = path_name(request, "name")
    found = await found_rows(request, name)
    return await page(
        request,
        "table.html",
        title=f"Table {name}",
        name=name,
        found=found,
        prefix=request.query.get("prefix", ""),
        limit=request.query.get("limit", "100"),
        json=pretty,
    )


async def row(request: web.Request) -> web.Response:
    """Return one row and its history."""
    name, key = path_name(request, "name"), request.query.get("key", "")
    if not key:
        raise Problem(400, "Bad Request", "say which row: ?key=", field="key")
    found = await found_row(request, name, key)
    past = await found_history(request, name, key)
    past["versions"].reverse()
    return await page(
        request, "row.html", title=key, name=name, key=key, found=found, past=past, json=pretty
    )


def pretty(value: Any) -> str:
    """Return `value` as JSON that people read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
