"""Playing a file: clear errors, every ask once, patience with a console that is away."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from app.local.importers.player import LoadError, Player, read_plan

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
    ("text", "said"),
    [
        pytest.param("", "lacks the columns", id="an empty file"),
        pytest.param(HEADER, "holds no rows", id="a header alone"),
        pytest.param("a,b\n1,2\n", "lacks the columns Country", id="another header"),
    ],
)
def test_a_file_that_cannot_be_played_is_named(text: str, said: str, tmp_path: Path) -> None:
    """The error says which file and what is wrong."""
    with pytest.raises(LoadError, match=said) as error:
        read_plan(file(tmp_path, text))

    assert "rows.csv" in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """No traceback: a name and a reason."""
    with pytest.raises(LoadError, match=r"none\.csv cannot be read"):
        read_plan(tmp_path / "none.csv")


class Console:
    """A console that notes what it is asked, and is away for the first `away` requests."""

    def __init__(self, *, away: int = 0, refuse: bool = False) -> None:
        self.away = away
        self.refuse = refuse
        self.asked: list[tuple[str, Any, str]] = []

    async def take(self, request: web.Request) -> web.Response:
        """Answer any POST."""
        if self.away:
            self.away -= 1
            return web.json_response({"detail": "soon"}, status=503)
        if self.refuse:
            return web.json_response({"detail": "lines[0] is wrong"}, status=400)
        key = request.headers.get("Idempotency-Key", "")
        self.asked.append((request.path, await request.json(), key))
        return web.json_response({"order_id": "o1"}, status=202)


async def play(console: Console, aiohttp_server: Any, folder: Path, text: str) -> Player:
    """Play `text` against `console`."""
    site = web.Application()
    site.router.add_post("/{path:.*}", console.take)
    server = await aiohttp_server(site)
    async with aiohttp.ClientSession() as session:
        player = Player(str(server.make_url("")).rstrip("/"), 1_000, session)
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
    """503 is asked again, with the same key."""
    console = Console(away=2)

    player = await play(console, aiohttp_server, tmp_path, HEADER + SALE)

    assert (1, {"536365": "o1"}) == (len(console.asked), player.loaded.order_ids)


async def test_a_refusal_is_said_and_not_repeated(aiohttp_server: Any, tmp_path: Path) -> None:
    """4xx is our mistake: the console's own messages are shown."""
    with pytest.raises(LoadError, match=r"lines\[0\] is wrong"):
        await play(Console(refuse=True), aiohttp_server, tmp_path, HEADER + SALE)
