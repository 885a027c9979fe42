"""Playing a file: clear errors, every ask once, patience with a console that is away."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from app.config import Config
from app.local.importers import player as playing
from app.local.importers.file_content import LoadError
from app.local.importers.loaded import outcome_of, report_lines
from app.local.importers.order_file import read_plan
from app.local.importers.player import Player
from app.local.importers.receipts import FIRST_ORDERS, Receipt, divided, needs, receipts_of
from app.local.importers.retail_file import Adjust, PlaceOrder, Plan
from app.local.importers.shop_client import ShopClient
from workflows.shared.naming import joined

REAL = Path(__file__).parents[2] / "data" / "online_retail_2010-12.csv"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
SALE = "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
BACK = "C536379,85123A,HEART,-2,2010-12-01 09:41:00,2.55,17850.0,United Kingdom\n"
FOUND = "536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom\n"
LOST = "C536380,22960,JAM,-1,2010-12-01 09:41:00,4.25,17809.0,United Kingdom\n"


def file(folder: Path, text: str) -> Path:
    """Return a file with `text`."""
    path = folder / "rows.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "lacks the columns", id="an empty file"),
        pytest.param(HEADER, "holds no rows", id="a header alone"),
        pytest.param("a,b\n1,2\n", "lacks the columns Country", id="another header"),
    ],
)
def test_a_file_that_cannot_be_played_is_named(text: str, reason: str, tmp_path: Path) -> None:
    """The error says which file and what is wrong."""
    with pytest.raises(LoadError, match=reason) as error:
        read_plan(file(tmp_path, text))

    assert "rows.csv" in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """No traceback: a name and a reason."""
    with pytest.raises(LoadError, match=r"none\.csv cannot be read"):
        read_plan(tmp_path / "none.csv")


class Console:
    """A console that notes what it is asked, is away for the first `away` requests, and refuses."""

    def __init__(
        self, *, away: int = 0, refused: frozenset[str] = frozenset(), status: int = 400
    ) -> None:
        self.away = away
        self.said: list[str] = []
        self.refused = refused
        self.status = status
        self.asked: list[tuple[str, Any, str]] = []
        self.unshipped = 0
        """How many returns are refused before the order counts as shipped."""
        self.state = "confirmed"

    async def order(self, _: web.Request) -> web.Response:
        """Answer how the order is."""
        return web.json_response({"state": self.state})

    async def take(self, request: web.Request) -> web.Response:
        """Answer any POST; of a receipt with ids of the client's own."""
        if self.away:
            self.away -= 1
            return web.json_response({"detail": "soon"}, status=503)
        body = await request.json()
        if body.get("reference") in self.refused or request.path in self.refused:
            return web.json_response({"detail": "lines[0] is wrong"}, status=self.status)
        if self.unshipped and request.path.endswith("/returns"):
            self.unshipped -= 1
            return web.json_response({"detail": "nothing has been shipped yet"}, status=409)
        key = request.headers.get("Idempotency-Key", "")
        self.asked.append((request.path, body, key))
        ids = [f"own-{joined(body['receipt_id'], item['sku'])}" for item in body.get("items", ())]
        return web.json_response({"order_id": "o1", "ids": ids}, status=202)

    async def shelves(self, _: web.Request) -> web.Response:
        """Answer which receipts each shelf has counted: all that were asked."""
        rows = [
            {"key": item["sku"], "state": {"counted": [f"receipt/own-{joined(each, item['sku'])}"]}}
            for path, body, _ in self.asked
            if path == "/stock/receipts"
            for each in [body["receipt_id"]]
            for item in body["items"]
        ]
        return web.json_response({"rows": rows, "next": None})


@asynccontextmanager
async def player_of(console: Console, aiohttp_server: Any) -> AsyncIterator[Player]:
    """Give a player of `console`."""
    site = web.Application()
    site.router.add_post("/{path:.*}", console.take)
    site.router.add_get("/tables/stock", console.shelves)
    site.router.add_get("/orders/{order_id}", console.order)
    server = await aiohttp_server(site)
    async with aiohttp.ClientSession() as session:
        url = str(server.make_url("")).rstrip("/")
        config = Config(console_url=url)
        yield Player(ShopClient(config, "pfk_x", session, console.said.append), 1_000)


async def play(console: Console, aiohttp_server: Any, folder: Path, text: str) -> Player:
    """Play `text` against `console`."""
    async with player_of(console, aiohttp_server) as player:
        await player.play(read_plan(file(folder, text)))
    return player


async def test_every_row_is_asked_or_refused_once(aiohttp_server: Any, tmp_path: Path) -> None:
    """A sale, its return, stock that was found, a return of nothing."""
    console = Console()

    player = await play(console, aiohttp_server, tmp_path, HEADER + SALE + BACK + FOUND + LOST)

    assert ["/orders", "/orders/o1/returns", "/stock/adjustments"] == sorted(
        path for path, _, _ in console.asked
    )
    loaded = player.loaded
    assert {"orders": 1, "returns": 1, "adjustments": 1, "refused": 1} == dict(loaded.rows)
    assert loaded.rows_read == sum(loaded.rows.values())
    assert {"return without a matching sale": 1} == dict(loaded.refused)


async def test_an_order_has_the_key_of_its_invoice(aiohttp_server: Any, tmp_path: Path) -> None:
    """Playing a file twice places its orders once."""
    console = Console()

    await play(console, aiohttp_server, tmp_path, HEADER + SALE)

    path, body, key = console.asked[0]
    assert ("/orders", "retail:536365", 1530) == (path, key, body["lines"][0]["amount_minor"])


async def test_a_console_that_is_away_is_waited_for(aiohttp_server: Any, tmp_path: Path) -> None:
    """503 is asked again, with the same key; one line says so, however often that is."""
    console = Console(away=2)

    player = await play(console, aiohttp_server, tmp_path, HEADER + SALE)

    assert (1, {"536365": "o1"}) == (len(console.asked), player.loaded.order_ids)
    assert 1 == len(console.said)
    assert "does not answer; it is asked again" in console.said[0]


@pytest.mark.parametrize("status", [400, 409, 413, 422])
async def test_a_refused_order_is_counted_and_the_next_goes_on(
    status: int, aiohttp_server: Any, tmp_path: Path
) -> None:
    """With the console's own message, its lines, and its returns."""
    console = Console(refused=frozenset({"536365"}), status=status)

    player = await play(
        console, aiohttp_server, tmp_path, HEADER + SALE + BACK + SALE.replace("536365", "536366")
    )

    loaded = player.loaded
    assert ["/orders"] == [path for path, _, _ in console.asked]
    assert {"orders": 1, "refused": 2} == dict(loaded.rows)
    assert {
        (2,): "the API refuses it: lines[0] is wrong",
        (3,): "the API refuses it: the order that it returns was refused",
    } == {each.file_lines: each.reason for each in loaded.refusals}
    assert {"header": 1, "orders": 1, "refused": 2} == dict(loaded.lines)


async def test_a_refused_return_or_count_does_not_end_the_load(
    aiohttp_server: Any, tmp_path: Path
) -> None:
    """What follows is asked all the same."""
    console = Console(refused=frozenset({"/orders/o1/returns", "/stock/adjustments"}))

    player = await play(
        console, aiohttp_server, tmp_path, HEADER + SALE + BACK + FOUND + SALE.replace("65,", "66,")
    )

    assert {"orders": 2, "refused": 2} == dict(player.loaded.rows)
    assert {} == player.loaded.returns


async def test_a_return_waits_until_its_order_is_shipped(
    aiohttp_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names units, no amount, and goes on being asked for."""
    monkeypatch.setattr(playing, "RETURN_AGAIN_SECONDS", 0.01)
    console = Console()
    console.unshipped = 3

    played = await play(console, aiohttp_server, tmp_path, HEADER + SALE + BACK)

    assert {"orders": 1, "returns": 1} == dict(played.loaded.rows)
    assert {
        "return_id": "C536379/536365",
        "lines": [{"sku": "85123A", "quantity": 2}],
    } == console.asked[-1][1]


async def test_a_return_of_an_order_that_has_ended_otherwise_is_refused(
    aiohttp_server: Any, tmp_path: Path
) -> None:
    """It will never be shipped."""
    console = Console()
    console.unshipped, console.state = 1, "cancelled"

    played = await play(console, aiohttp_server, tmp_path, HEADER + SALE + BACK)

    assert {"orders": 1, "refused": 1} == dict(played.loaded.rows)


async def test_a_refusal_of_whoever_asks_ends_the_load(aiohttp_server: Any, tmp_path: Path) -> None:
    """No key, no role, no such address: every other row would be refused as well."""
    console = Console(refused=frozenset({"536365"}), status=401)

    with pytest.raises(LoadError, match="POST /orders was refused"):
        await play(console, aiohttp_server, tmp_path, HEADER + SALE)


async def test_the_stock_of_each_file_is_received_once(aiohttp_server: Any, tmp_path: Path) -> None:
    """A receipt is named for what the file asks, not for its place, its form or its SKUs."""
    second = SALE.replace("536365", "536366").replace(",6,", ",5,")
    console = Console()
    async with player_of(console, aiohttp_server) as player:
        for text in (HEADER + SALE, "\n" + HEADER.upper() + SALE, HEADER + second):
            receipts = receipts_of(read_plan(file(tmp_path, text)))
            await player.receive_stock(receipts, lambda _: None)

    first, again, other = [body for _, body, _ in console.asked]
    assert first == again
    assert first["receipt_id"] != other["receipt_id"]
    assert ([{"sku": "85123A", "quantity": 6}], [{"sku": "85123A", "quantity": 5}]) == (
        first["items"],
        other["items"],
    )


class SlowWarehouse(Console):
    """A console whose second SKU comes in only after the first order was placed, and some polls."""

    polls = 0

    async def shelves(self, request: web.Request) -> web.Response:
        """Answer what has come in; note when that is all."""
        answer = msgspec.json.decode((await super().shelves(request)).body)
        paths = [path for path, _, _ in self.asked]
        self.polls += "/orders" in paths
        if self.polls < 3:
            answer["rows"] = [row for row in answer["rows"] if row["key"] != "22960"]
        elif "on hand" not in paths:
            self.asked.append(("on hand", {}, ""))
        return web.json_response(answer)


async def test_later_stock_is_received_beside_the_first_orders(
    aiohttp_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs it waits until it is on hand: no order ends out of stock for being early."""
    monkeypatch.setattr(playing, "STOCK_SECONDS_MAX", 20.0)
    second = LOST.replace("C536380", "536380").replace(",-1,", ",1,")
    counted = FOUND.replace("22139", "22960")
    plan = read_plan(file(tmp_path, HEADER + SALE + second + counted))
    first, later = divided(receipts_of(plan), plan, first_orders=1)
    console, lines = SlowWarehouse(), list[str]()
    async with player_of(console, aiohttp_server) as player:
        await player.receive_stock(first, lines.append)
        loaded = await player.play(plan, later, lines.append)

    paths = [path for path, _, _ in console.asked]
    assert "/stock/receipts" == paths[0]
    assert {"/stock/receipts", "/orders"} == set(paths[1:3])
    assert ["on hand", "/orders", "/stock/adjustments"] == paths[3:]
    assert {"orders": 2, "adjustments": 1} == dict(loaded.rows)
    assert ["6 units of 1 SKUs received", "1 units of 1 SKUs received"] == lines


def test_divided_receipts_are_those_of_the_whole_file() -> None:
    """The first orders and counts need nothing of the later ones; no item is under another id."""
    plan = read_plan(REAL)
    whole = receipts_of(plan)
    first, later = divided(whole, plan)
    orders = [at for at, ask in enumerate(plan.asks) if isinstance(ask, PlaceOrder)]
    late = {item.sku for receipt in later for item in receipt.items}

    assert sorted(items_of(whole)) == sorted(items_of(first) + items_of(later))
    assert set() == late & {sku for ask in plan.asks[: orders[FIRST_ORDERS]] for sku in needs(ask)}
    assert 0 < len(items_of(first)) < len(items_of(whole)) / 3
    assert all(receipt.items for receipt in (*first, *later))


def items_of(receipts: Sequence[Receipt]) -> list[tuple[str, str, int]]:
    """Return every item with the id of its receipt."""
    return [(each.receipt_id, item.sku, item.quantity) for each in receipts for item in each.items]


def test_nearly_every_order_of_the_file_is_in_stock() -> None:
    """Some are not, so that the demo shows how that ends; no more than eight in a hundred."""
    plan = read_plan(REAL)
    on_hand = Counter({sku: units for _, sku, units in items_of(receipts_of(plan))})
    orders = out_of_stock = 0
    for ask in plan.asks:
        match ask:
            case Adjust():
                on_hand[ask.sku] = max(on_hand[ask.sku] + ask.delta, 0)
            case PlaceOrder():
                orders += 1
                if any(line.quantity > on_hand[line.sku] for line in ask.lines):
                    out_of_stock += 1
                else:
                    on_hand.subtract({line.sku: line.quantity for line in ask.lines})
            case _:
                pass

    assert 0 < out_of_stock <= 0.08 * orders


def test_more_units_than_one_receipt_can_say_are_several() -> None:
    """Each SKU stands once in a receipt, up to a million units of it."""
    sold = {f"s{at}": 1 for at in range(600)} | {"many": 2_020_202}

    receipts = receipts_of(Plan(rows_read=0, asks=(), sold_units=sold), stock_percent=99)

    assert [500, 101, 1] == [len(each.items) for each in receipts]
    assert 3 == len({each.receipt_id for each in receipts})
    assert (600 + 2_000_000, 1_000_000) == (
        sum(item.quantity for each in receipts for item in each.items),
        max(item.quantity for each in receipts for item in each.items),
    )


def test_what_would_be_played_is_counted_without_asking(tmp_path: Path) -> None:
    """Rows and lines by place, as if the API accepted all."""
    loaded = outcome_of(read_plan(file(tmp_path, HEADER + SALE + BACK + "\n" + FOUND + LOST)))

    assert {"orders": 1, "returns": 1, "adjustments": 1, "refused": 1} == dict(loaded.rows)
    assert {"header": 1, "blank": 1, **dict(loaded.rows)} == dict(loaded.lines)
    assert [
        "read as utf-8, separator ',', decimal point",
        "4 rows: 1 orders, 1 returns, 1 adjustments, 1 refused",
        "6 lines: 1 header, 1 blank, 1 orders, 1 returns, 1 adjustments, 1 refused",
        "1 refused: return without a matching sale; line 6",
    ] == list(report_lines(loaded))
