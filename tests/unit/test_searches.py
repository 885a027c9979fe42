"""Shares of searching: a few callers leave some for everybody, and nothing is searched in here."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, make_mocked_request

from app.config import Config
from app.console.api.access import AUTH, Auth
from app.console.api.problems import Problem
from app.console.api.searches import (
    ANONYMOUS_MAX,
    EACH_MAX,
    POOL,
    SEARCHES_MAX,
    Shares,
    address_identity,
    identity_of,
)
from app.operations.search import expression
from app.operations.search.process_pool import ProcessPool
from app.operations.search.question import Begun, Question
from app.operations.search.scan_events import Done, Event


@pytest.mark.parametrize("kind", ["page", "stream"])
def test_nameless_callers_leave_a_share_for_those_who_sign_in(kind: Any) -> None:
    """However many addresses they have."""
    shares = Shares()
    with ExitStack() as open_searches:
        for number in range(ANONYMOUS_MAX):
            open_searches.enter_context(shares.take(kind, f"10.0.0.{number}"))
        with pytest.raises(Problem) as refused, shares.take(kind, "10.0.0.99"):
            pass
        for _ in range(EACH_MAX):
            open_searches.enter_context(shares.take(kind, "operator:olga"))

    assert 429 == refused.value.status


def test_streams_leave_a_share_for_pages() -> None:
    """Whoever follows a topic for minutes takes no place of those who turn a page."""
    shares = Shares()
    with ExitStack() as open_searches:
        for number in range(SEARCHES_MAX):
            open_searches.enter_context(shares.take("stream", f"operator:o{number}"))
        with pytest.raises(Problem) as refused, shares.take("stream", "client:shop"):
            pass
        with shares.take("page", "this machine"):
            pass

    assert 503 == refused.value.status


def test_one_identity_has_its_share_and_gets_it_back() -> None:
    """What has ended is counted no more."""
    shares = Shares()
    for _ in range(2 * SEARCHES_MAX):
        with shares.take("page", "client:shop"):
            pass
    with ExitStack() as open_searches:
        for _ in range(EACH_MAX):
            open_searches.enter_context(shares.take("page", "client:shop"))
        with pytest.raises(Problem) as refused, shares.take("page", "client:shop"):
            pass
        with shares.take("page", "client:other"):
            pass

    assert 429 == refused.value.status


@pytest.mark.parametrize(
    ("address", "identity"),
    [
        ("127.0.0.1", "this machine"),
        ("127.3.2.1", "this machine"),
        ("::1", "this machine"),
        ("::ffff:127.0.0.9", "this machine"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", "unknown"),
    ],
)
def test_an_address_is_whoever_can_have_it(address: str, identity: str) -> None:
    """One machine, and one network of IPv6, has many."""
    assert identity == address_identity(address)


class Recorder:
    """Answers nothing, and keeps what it was asked."""

    usable = True

    def __init__(self) -> None:
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> AsyncIterator[Begun | Event]:
        self.questions.append(question)
        yield Begun()
        yield Done(
            why="runaway",
            scanned=1,
            matched=0,
            bytes=2,
            unreadable=0,
            errors=1,
            error="one record takes more than 1 s: the search ended there; go on behind it",
            coverage=(),
            elapsed_seconds=1.0,
            cursor="0/1",
        )

    async def kill(self) -> None:
        pass


@pytest.mark.parametrize("path", ["records", "find", "export"])
async def test_an_expression_is_not_even_read_in_the_console(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It goes to the process, whole; an answer that was ended says so, and is not a whole file."""
    recorder = Recorder()

    async def start(_config: Any) -> Recorder:
        return recorder

    def never(_text: str) -> None:
        pytest.fail("the console reads an expression")

    monkeypatch.setattr(expression, "_compiled", never)
    pool = client.app[POOL]
    monkeypatch.setattr(pool, "_start", start)
    answer = await client.get(f"/topics/orders/{path}", params={"cel": "body.n == 1"})
    if path == "export":
        with pytest.raises(Exception, match="not completed"):
            await answer.read()
    else:
        assert "the search ended there; go on behind it" in await answer.text()

    assert isinstance(pool, ProcessPool)
    assert ["body.n == 1"] == [each.cel for each in recorder.questions]


def test_callers_behind_a_proxy_of_ours_have_shares_of_their_own() -> None:
    """By the address that it says; else all of them would be one caller."""

    def identity(trusted: str) -> str:
        app = web.Application()
        app[AUTH] = Auth(Config(trusted_proxies=trusted))
        transport = SimpleNamespace(get_extra_info={"peername": ("10.0.0.1", 1)}.get)
        headers = {"X-Forwarded-For": "7.7.7.7"}
        return identity_of(
            make_mocked_request("GET", "/", headers=headers, app=app, transport=transport)
        )

    assert ("10.0.0.1", "7.7.7.7") == (identity(""), identity("10.0.0.0/8"))
