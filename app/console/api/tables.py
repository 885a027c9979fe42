"""Any service's tables over HTTP, whichever process holds the partition.

Personal data is masked, in rows and in keys. In place of a key that names a person, or a card, a
device or an address by its fingerprint, a tag is shown, by which this process finds the row again.
Nobody can search for one by name. A page ends by its rows or by its bytes, and says where.
"""

import asyncio
from typing import TypedDict, cast

import msgspec
from aiohttp import web

from app.console.api.context import (
    CONTEXT,
    ApiContext,
    asking_kafka,
    check_table,
    unavailable,
)
from app.console.api.problems import JsonResponse, Problem, json_response
from app.console.api.searches import PAGE_BYTES_MAX, searching
from app.console.api.stand_ins import STAND_INS
from app.console.api.table_rows import KEY_CHARS_ASKED_MAX, TableRow
from app.delivery.row import decode_row
from app.host.parameters import path_name, query_of, text_of, whole
from app.kafka.errors import KAFKA_ERRORS
from app.kafka.producer import partition_of
from app.operations.search import topic_facts
from app.operations.search.record_view import shortened_deep
from app.operations.search.row_history import VERSIONS_MAX, History, changed, history
from app.wire.json_output import json_bytes
from app.wire.personal import masked
from app.wire.topics import changelog_topic
from app.worker.http import LIMIT_MAX
from tables import Table, declared

VERSION_BYTES_MAX = 200_000
"""Of one version of a row: a history shows many."""


class Past(TypedDict):
    """The history of a row: its versions, the oldest first, and the offsets read for them."""

    key: str
    coverage: dict[str, object]
    versions: list[dict[str, object]]
    at_most: int


class Holder(TypedDict):
    """A worker, and the partitions of a table that it holds."""

    url: str
    pid: int
    partitions: list[int]


class TableFacts(TypedDict):
    """One table; `changelog` is None while Kafka does not answer."""

    name: str
    service: str
    help: str
    held_by: list[Holder]
    held_by_nobody: list[int]
    changelog: topic_facts.TopicFacts | None


class Tables(TypedDict):
    """All tables."""

    tables: list[TableFacts]


class RowPage(TypedDict):
    """Rows of one table, masked, and a cursor to go on."""

    table: str
    rows: list[TableRow]
    next: str | None
    partial: bool


async def tables_facts(request: web.Request) -> list[TableFacts]:
    """Return all tables: purpose, holders of partitions, size, changelog."""
    context = request.app[CONTEXT]
    try:
        topics = {
            each.name: each for each in await topic_facts.topics(context.config, internal=True)
        }
    except KAFKA_ERRORS:
        # The holders of partitions matter most when Kafka does not answer.
        topics = {}
    return [
        {
            "name": table.name,
            "service": table.service,
            "help": table.help,
            "held_by": _holders(context, table.name),
            "held_by_nobody": _held_by_nobody(context, table.name),
            "changelog": topics.get(changelog_topic(table)),
        }
        for table in sorted(declared.values(), key=lambda table: table.name)
    ]


def _holders(context: ApiContext, name: str) -> list[Holder]:
    return [
        {"url": worker.url, "pid": worker.pid, "partitions": worker.partitions[name]}
        for worker in context.directory.holders(name)
    ]


def _held_by_nobody(context: ApiContext, name: str) -> list[int]:
    holders = context.directory.holders(name)
    held = {partition for worker in holders for partition in worker.partitions[name]}
    return [at for at in range(context.config.partitions) if at not in held]


async def every(request: web.Request) -> JsonResponse[Tables]:
    """Return all tables."""
    return json_response({"tables": await tables_facts(request)})


async def found_rows(request: web.Request, name: str) -> RowPage:
    """Return rows of one table in key order, a page at a time, masked.

    Rows that share a key, one a partition, stay on one page, which may be longer for it.
    """
    check_table(name)
    context, stand_ins = request.app[CONTEXT], request.app[STAND_INS]
    limit = min(whole(request, "limit", 100, 1, LIMIT_MAX), LIMIT_MAX - context.config.partitions)
    prefix = stand_ins.meant(text_of(request, "prefix"), "prefix")
    after = stand_ins.meant(text_of(request, "after"), "after")
    if len(prefix) > KEY_CHARS_ASKED_MAX:
        detail = f"a prefix has at most {KEY_CHARS_ASKED_MAX} characters"
        raise Problem(400, "Bad Request", detail, field="prefix")
    rows, following, partial = await context.row_page(
        name, prefix, limit + context.config.partitions, after
    )
    if len(rows) > limit:
        following = rows[limit - 1]["key"]
    page_rows: list[TableRow] = []
    size, last = 0, ""
    for row in rows:
        if following is not None and row["key"] > following:
            break
        if size > PAGE_BYTES_MAX and row["key"] != last:
            following = last
            break
        last = row["key"]
        page_rows.append(_shortened(_masked_row(request, name, row)))
        size += len(json_bytes(page_rows[-1]))
    return {
        "table": name,
        "rows": page_rows,
        "next": None if following is None else stand_ins.tag_or_key(following),
        "partial": partial,
    }


def _shortened(row: TableRow) -> TableRow:
    """Return a row of a page: long texts and lists in it are cut, with how much was cut."""
    return {**row, "state": cast("dict[str, object]", shortened_deep(row["state"]))}


async def page(request: web.Request) -> JsonResponse[RowPage]:
    """Return rows of one table."""
    return json_response(await found_rows(request, path_name(request, "name")))


def _masked_row(request: web.Request, table: str, row: TableRow) -> TableRow:
    state = masked(row["state"], declared[table].shape)
    masked_row = masked({**row, "state": None})
    return masked_row | {"state": state, "key": request.app[STAND_INS].tag_or_key(row["key"])}


async def found_row(request: web.Request, name: str, tag_or_key: str) -> TableRow:
    """Return one row, masked; that of `?partition=` where each has one. Raises Problem 404."""
    check_table(name)
    context = request.app[CONTEXT]
    key = request.app[STAND_INS].meant(tag_or_key, "key")
    if len(key) > KEY_CHARS_ASKED_MAX:
        detail = f"the key has {len(key):,} characters: too many to ask for its row"
        raise Problem(400, "Bad Request", detail, field="key")
    if "partition" in query_of(request):
        partition = _partition(request, 0)
        rows, partial = await context.rows(name, key, context.config.partitions)
        row = next((r for r in rows if (r["key"], r["partition"]) == (key, partition)), None)
        if row is None and partial:
            raise unavailable(f"nobody holds partition {partition} of table {name} now")
    else:
        row = await context.row(name, key)
    if row is None:
        raise Problem(404, "Not Found", f"table {name} has no row {tag_or_key!r}", field="key")
    return _masked_row(request, name, row)


def _partition(request: web.Request, standard: int) -> int:
    return whole(request, "partition", standard, 0, request.app[CONTEXT].config.partitions - 1)


async def row(request: web.Request) -> JsonResponse[TableRow]:
    """Return one row."""
    name, tag_or_key = path_name(request, "name"), path_name(request, "key")
    return json_response(await found_row(request, name, tag_or_key))


async def found_history(
    request: web.Request, name: str, tag_or_key: str, lies_in: int | None = None
) -> Past:
    """Return the history of a row: its versions, the changes, and the offsets read for them.

    `lies_in`: its partition, where nobody names one; else it follows from the key.
    """
    check_table(name)
    key = request.app[STAND_INS].meant(tag_or_key, "key").encode()
    config = request.app[CONTEXT].config
    table = declared[name]
    if lies_in is None:
        lies_in = partition_of(key, config.partitions)
    partition = _partition(request, lies_in)
    with asking_kafka(), searching(request, "page"):
        row_history = await history(config, changelog_topic(table), partition, key)
    # Of long rows fifty versions take seconds, in which others have their turn.
    return await asyncio.to_thread(_emitted, tag_or_key, table, row_history)


def _emitted(tag_or_key: str, table: Table, row_history: History) -> Past:
    versions: list[dict[str, object]] = []
    before: object = None
    for each in row_history.versions:
        state = _state(table, each.body)
        versions.append(
            {
                "offset": each.offset,
                "at_ms": each.at_ms,
                "bytes": len(each.body or b""),
                "state": state,
                "changed": changed(before, state),
            }
        )
        before = state
    scanned = {
        name: getattr(row_history, name)
        for name in ("topic", "partition", "begin", "last", "end", "why")
    }
    return {"key": tag_or_key, "coverage": scanned, "versions": versions, "at_most": VERSIONS_MAX}


def _state(table: Table, body: bytes | None) -> object:
    if body is None:
        return None
    if len(body) > VERSION_BYTES_MAX:
        return f"too long to be shown here: {len(body):,} bytes"
    try:
        return masked(msgspec.to_builtins(decode_row(table, body).state), table.shape)
    except msgspec.DecodeError:
        return "cannot be read"


async def past(request: web.Request) -> JsonResponse[Past]:
    """Return the history of a row."""
    name, tag_or_key = path_name(request, "name"), path_name(request, "key")
    return json_response(await found_history(request, name, tag_or_key))
