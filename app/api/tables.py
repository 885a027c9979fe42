"""Any service's tables over HTTP, whichever process holds the partition."""

from aiohttp import web

from app.api.desk import DESK, check_table
from app.api.problems import Problem, json_response, path_name, whole
from tables import declared


async def every(request: web.Request) -> web.Response:
    """Return all tables: what they are for, and who holds their partitions."""
    directory = request.app[DESK].directory
    shown = [
        {
            "name": table.name,
            "service": table.service,
            "help": table.help,
            "held_by": [
                {"url": worker.url, "pid": worker.pid, "partitions": worker.partitions[table.name]}
                for worker in directory.holders(table.name)
            ],
        }
        for table in sorted(declared.values(), key=lambda table: table.name)
    ]
    return json_response({"tables": shown})


async def page(request: web.Request) -> web.Response:
    """Return rows of one table in key order, a page at a time."""
    name = path_name(request, "name")
    check_table(name)
    limit = whole(request, "limit", 100, 1, 1_000)
    prefix, after = request.query.get("prefix", ""), request.query.get("after", "")
    rows, partial = await request.app[DESK].rows(name, prefix, limit, after)
    following = rows[-1]["key"] if len(rows) == limit else None
    return json_response({"table": name, "rows": rows, "next": following, "partial": partial})


async def row(request: web.Request) -> web.Response:
    """Return one row."""
    name, key = path_name(request, "name"), path_name(request, "key")
    found = await request.app[DESK].row(name, key)
    if found is None:
        raise Problem(404, "Not Found", f"table {name} has no row {key!r}", field="key")
    return json_response(found)
