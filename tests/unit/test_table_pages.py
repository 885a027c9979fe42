"""A page of a table ends by its rows or by its bytes; whoever goes on sees every row once."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient

from app.config import Config
from app.console.api import tables
from app.console.api.table_rows import KEY_CHARS_ASKED_MAX, asked_after, merged
from app.delivery.row import Row, encode_row
from app.operations.search.record_view import shortened_deep
from app.worker import queries as worker_queries
from app.worker.http import RowPage
from app.worker.queries import LocalQueries
from tables.notification import notified
from tests.support.console import FakeWorker
from workflows.notification.process import SentMessages

PAGE_BYTES = 4_000
"""What a page of long rows may have: 2,000 in this test, its last row, and JSON around them."""


class Store:
    """Two partitions of rows."""

    def __init__(self, keys: list[bytes]) -> None:
        body = encode_row(Row(state=SentMessages()))
        self._logs = {at: [(key, body) for key in sorted(keys)[at::2]] for at in (0, 1)}

    def open_partitions(self) -> list[int]:
        return [0, 1]

    def scan(self, partition: int, start: bytes) -> Any:
        return (row for row in self._logs[partition] if row[0] >= start)


def worker_of(keys: list[bytes]) -> LocalQueries:
    runner = SimpleNamespace(agent=SimpleNamespace(table=notified), store=Store(keys), queries=None)
    app: Any = None
    return LocalQueries(app, Config(), [runner])  # type: ignore[list-item]


def read_all(worker: LocalQueries, limit: int) -> list[object]:
    """Return the keys of all pages, each begun behind the one before."""
    keys: list[object] = []
    after = ""
    while True:
        page = worker.scan(notified.name, "", limit, after)
        keys += [row["key"] for row in page.rows]
        if page.next is None and len(page.rows) < limit:
            return keys
        after = page.next or str(page.rows[-1]["key"])


@pytest.mark.parametrize("bytes_max", [1, 300, 10_000])
def test_a_worker_ends_a_page_by_its_bytes(monkeypatch: pytest.MonkeyPatch, bytes_max: int) -> None:
    """At least one row comes, and none is passed over."""
    monkeypatch.setattr(worker_queries, "ROWS_BYTES_MAX", bytes_max)
    keys = [b"k%03d" % at for at in range(40)]
    worker = worker_of(keys)

    page = worker.scan(notified.name, "", 1_000, "")

    assert (len(page.rows) < len(keys)) == (page.next is not None) == (bytes_max < 10_000)
    assert [key.decode() for key in keys] == read_all(worker, 1_000) == read_all(worker, 7)


def test_answers_of_several_workers_end_where_the_shortest_ends() -> None:
    """Behind it, rows of its worker are missing."""

    def page(keys: str, following: str | None = None) -> RowPage:
        return RowPage(rows=[{"key": key, "partition": 0} for key in keys], next=following)

    whole = merged([page("ace", "e"), page("bdfh"), page("g")], 9, partial=False)
    short = merged([page("ace", "e"), page("bdfh")], 2, partial=True)

    assert ("abcde", "e", False) == ("".join(row["key"] for row in whole.rows), *whole[1:])
    assert ("ab", None, True) == ("".join(row["key"] for row in short.rows), *short[1:])


def test_behind_a_long_key_goes_on_behind_all_that_begin_so() -> None:
    """A path takes no more of it."""
    key = "k" * 900_000

    assert key[:KEY_CHARS_ASKED_MAX] < key < asked_after(key) < "l"
    assert "k" == asked_after("k")


def test_what_is_cut_says_how_much() -> None:
    """Texts, lists and dicts, at any depth; what is short stays."""
    short: Any = shortened_deep(
        {"a": ["x" * 900_000], "b": list(range(9_000)), "c": {str(at): at for at in range(9_000)}}
    )

    assert "… (+898,000 characters)" == short["a"][0][2_000:]
    assert (2_001, "… (+7,000 members)") == (len(short["b"]), short["b"][-1])
    assert (2_001, "+7,000 members") == (len(short["c"]), short["c"]["…"])
    assert {"n": [1, None, "x"]} == shortened_deep({"n": [1, None, "x"]})


async def test_a_long_key_makes_no_long_page(client: TestClient, queries: FakeWorker) -> None:
    """It has a tag, by which the next page begins; its row is refused with a reason."""
    queries.keep("stock", "a" * 900_000, {"on_hand": 1})
    queries.keep("stock", "b", {"on_hand": 2})

    page = await (await client.get("/console/tables/stock")).text()
    first = await (await client.get("/tables/stock?limit=1")).json()
    after = quote(first["next"], safe="")
    second = await (await client.get(f"/tables/stock?limit=1&after={after}")).json()
    row = await client.get(f"/tables/stock/{after}")

    assert len(page) < 30_000
    assert len(first["rows"][0]["key"]) < 100
    assert ["b"] == [each["key"] for each in second["rows"]]
    assert (400, True) == (row.status, "900,000 characters" in await row.text())


async def test_long_rows_make_no_long_page(
    client: TestClient, queries: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes on sees each of them once."""
    monkeypatch.setattr(tables, "PAGE_BYTES_MAX", 2_000)
    held = {f"order-{at}": 1 for at in range(50)}
    for at in range(12):
        queries.keep("stock", f"sku{at:02d}", {"held": held})
    keys: list[str] = []
    after: str | None = ""

    while after is not None:
        answer = await client.get(f"/tables/stock?after={after}")
        assert len(await answer.read()) < PAGE_BYTES
        page = await answer.json()
        keys += [each["key"] for each in page["rows"]]
        after = page["next"]

    assert [f"sku{at:02d}" for at in range(12)] == keys
