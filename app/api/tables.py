"""Any service's tables over HTTP, whichever process holds the partition.

What is personal is masked, in rows and in keys. A key that names a person is shown as a stand-in,
by which this process finds the row again; nobody can look for a person by name.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from typing import Any

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError

from app.admin import TopicError
from app.api.desk import DESK, check_table, unavailable
from app.api.problems import Problem, json_response, path_name, whole
from app.house import changelog_of
from app.inspection import InspectionError
from app.produce import partition_of
from app.row import decode_row
from app.scan import facts
from app.scan.history import History, changed, history
from app.scan.look import masked, masked_text
from tables import declared

STAND_IN = "~"
STAND_INS_MAX = 20_000


class StandIns:
    """What is shown in the place of keys that name people; the oldest are forgotten."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._keys: OrderedDict[str, str] = OrderedDict()

    def shown(self, key: str) -> str:
        """Return `key`, or what stands for it where it names a person."""
        if masked_text(key) == key:
            return key
        kind = key.partition(":")[0]
        digest = hmac.new(self._secret, key.encode(), hashlib.sha256).hexdigest()[:20]
        stand_in = f"{kind}:{STAND_IN}{digest}"
        self._keys[stand_in] = key
        self._keys.move_to_end(stand_in)
        if len(self._keys) > STAND_INS_MAX:
            self._keys.popitem(last=False)
        return stand_in

    def meant(self, said: str, field: str) -> str:
        """Return the key that `said` means. Raises Problem for people, and what is forgotten."""
        if said in self._keys:
            return self._keys[said]
        if f":{STAND_IN}" in said:
            raise Problem(404, "Not Found", "nobody stands here for that any more", field=field)
        if masked_text(said) != said:
            detail = "people are masked before anything is looked for; take a row from the list"
            raise Problem(400, "Bad Request", detail, field=field)
        return said


STAND_INS: web.AppKey[StandIns] = web.AppKey("stand_ins")


async def tables_facts(request: web.Request) -> list[dict[str, Any]]:
    """Return all tables: what for, who holds which partitions, how large, how far the changelog."""
    desk = request.app[DESK]
    try:
        topics = {each.name: each for each in await facts.topics(desk.config, internal=True)}
    except (InspectionError, KafkaError, TopicError):
        # Who holds what is worth knowing above all when Kafka does not answer.
        topics = {}
    return [
        {
            "name": table.name,
            "service": table.service,
            "help": table.help,
            "held_by": [
                {"url": worker.url, "pid": worker.pid, "partitions": worker.partitions[table.name]}
                for worker in desk.directory.holders(table.name)
            ],
            "changelog": topics.get(changelog_of(table)),
        }
        for table in sorted(declared.values(), key=lambda table: table.name)
    ]


async def every(request: web.Request) -> web.Response:
    """Return all tables."""
    return json_response({"tables": await tables_facts(request)})


async def found_rows(request: web.Request, name: str) -> dict[str, Any]:
    """Return rows of one table in key order, a page at a time, masked."""
    check_table(name)
    limit = whole(request, "limit", 100, 1, 1_000)
    stand_ins = request.app[STAND_INS]
    prefix = stand_ins.meant(request.query.get("prefix", ""), "prefix")
    after = stand_ins.meant(request.query.get("after", ""), "after")
    rows, partial = await request.app[DESK].rows(name, prefix, limit, after)
    following = stand_ins.shown(rows[-1]["key"]) if len(rows) == limit else None
    shown = [_shown(request, row) for row in rows]
    return {"table": name, "rows": shown, "next": following, "partial": partial}


async def page(request: web.Request) -> web.Response:
    """Return rows of one table."""
    return json_response(await found_rows(request, path_name(request, "name")))


def _shown(request: web.Request, row: dict[str, Any]) -> dict[str, Any]:
    return {**masked(row), "key": request.app[STAND_INS].shown(row["key"])}


async def found_row(request: web.Request, name: str, said: str) -> dict[str, Any]:
    """Return one row, masked. Raises Problem 404."""
    check_table(name)
    key = request.app[STAND_INS].meant(said, "key")
    found = await request.app[DESK].row(name, key)
    if found is None:
        raise Problem(404, "Not Found", f"table {name} has no row {said!r}", field="key")
    return _shown(request, found)


async def row(request: web.Request) -> web.Response:
    """Return one row."""
    name, said = path_name(request, "name"), path_name(request, "key")
    return json_response(await found_row(request, name, said))


async def found_history(request: web.Request, name: str, said: str) -> dict[str, Any]:
    """Return what a row was: its versions, what changed in each, what was looked at for them."""
    check_table(name)
    key = request.app[STAND_INS].meant(said, "key").encode()
    config = request.app[DESK].config
    table = declared[name]
    partition = whole(
        request, "partition", partition_of(key, config.partitions), 0, config.partitions - 1
    )
    try:
        found = await history(config, changelog_of(table), partition, key)
    except (InspectionError, KafkaError, TopicError) as error:
        raise unavailable(f"Kafka does not answer: {error}") from error
    return {"key": said, **_told(table, found)}


def _told(table: Any, found: History) -> dict[str, Any]:
    versions: list[dict[str, Any]] = []
    before: Any = None
    for each in found.versions:
        memory = _memory(table, each.body)
        versions.append(
            {
                "offset": each.offset,
                "at_ms": each.at_ms,
                "bytes": len(each.body or b""),
                "memory": memory,
                "changed": changed(before, memory),
            }
        )
        before = memory
    looked = {
        name: getattr(found, name) for name in ("topic", "partition", "begin", "last", "end", "why")
    }
    return {"coverage": looked, "versions": versions}


def _memory(table: Any, body: bytes | None) -> Any:
    if body is None:
        return None
    try:
        return masked(msgspec.to_builtins(decode_row(table, body).memory))
    except msgspec.DecodeError:
        return "cannot be read"


async def past(request: web.Request) -> web.Response:
    """Return what a row was."""
    name, said = path_name(request, "name"), path_name(request, "key")
    return json_response(await found_history(request, name, said))
