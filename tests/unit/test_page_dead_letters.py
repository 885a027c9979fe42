"""The inbox of dead letters over letters in a list: shown masked, sent back only by who may."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.auth import operators as people
from app.console.api import dead_letters as api
from app.console.server import make_api
from app.operations.dead_letters.dead_letter import Letter
from app.operations.dead_letters.redrive import LettersError
from app.operations.dead_letters.status import Known
from app.wire.records import Record
from app.worker.discovery import Directory
from tests.unit.test_api import CONFIG, FakeHouse

SCRIPT = "<script>alert(1)</script>"
FIELDS = {
    "x-dead-service": "order",
    "x-dead-room": "order",
    "x-dead-cause": "wrong_shape",
    "x-dead-detail": SCRIPT,
    "x-dead-stack": "abc",
    "ce_type": SCRIPT,
    "ce_id": SCRIPT,
}
BODY = b'{"type":"payflow.order.cancel_requested.v1","order_id":"o1","reason":7,"customer":"ann"}'


def letter(offset: int, **changes: str) -> Letter:
    headers = tuple((name, value.encode()) for name, value in (FIELDS | changes).items())
    given = Record(
        topic="orders.order.dead",
        partition=0,
        offset=offset,
        key=SCRIPT.encode() if offset else b"o1",
        value=BODY,
        headers=headers,
    )
    return Letter(given=given, at_ms=1_000 + offset)


KNOWN = Known(
    letters=(letter(0), letter(1), letter(2)),
    sendings={},
    through={},
    dropped={"orders.order.dead/0/2": "a joke"},
)


class Site:
    """A client, and the headers of somebody who may act."""

    def __init__(self, client: TestClient, token: str) -> None:
        self.client = client
        self.who = {"Authorization": f"Bearer olga:{token}"}

    async def post(self, path: str, body: Any, *, signed: bool = True) -> Any:
        headers = self.who if signed else {}
        return await self.client.post(path, json=body, headers=headers)


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aiohttp_client: Any) -> Site:
    """A console whose letters are `KNOWN`."""

    async def gathered(_config: Any) -> Known:
        return KNOWN

    monkeypatch.setattr(api, "gather", gathered)
    people.first_start(tmp_path)
    token = people.add(tmp_path, "olga", "operator")
    config = replace(CONFIG, data_dir=str(tmp_path))
    return Site(await aiohttp_client(make_api(FakeHouse(), Directory(), config)), token)


async def test_letters_are_shown_and_nothing_of_them_runs(site: Site) -> None:
    """The list, one of them, what sending them back would touch: text, masked."""
    for path in ("", "/orders.order.dead/0/1", "/redrive?cause=wrong_shape"):
        answer = await site.client.get(f"/console/dead-letters{path}")
        page = await answer.text()

        assert 200 == answer.status
        assert "&lt;script&gt;" in page
        assert "<script>alert" not in page
        assert '"ann"' not in page.replace("&#34;", '"')


async def test_groups_and_filters_say_the_same(site: Site) -> None:
    """Three failed alike, one was let go; a filter that nobody meets finds none."""
    groups = (await (await site.client.get("/letters")).json())["groups"]
    dropped = await (await site.client.get("/letters/list?state=dropped")).json()
    none = await (await site.client.get("/letters/list?cause=other")).json()
    preview = await (await site.client.get("/letters/preview")).json()

    assert [(3, {"open": 2, "dropped": 1})] == [(g["letters"], g["states"]) for g in groups]
    assert ["orders.order.dead/0/2"] == [each["place"] for each in dropped["letters"]]
    assert (0, 2, {"dropped": 1}) == (none["total"], preview["letters"], preview["left_alone"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/letters/orders.order.dead/0/9", 404),
        ("/console/dead-letters/orders.order.dead/0/9", 404),
        ("/console/dead-letters?state=lost", 400),
        ("/letters?key=customer:ann", 400),
    ],
)
async def test_what_is_not_there_is_said(site: Site, path: str, status: int) -> None:
    """Never as a fault of ours."""
    assert status == (await site.client.get(path)).status


@pytest.mark.parametrize("act", ["redrive", "check", "edit", "drop"])
async def test_nobody_acts_without_a_right(site: Site, act: str) -> None:
    """Refused before anything is read."""
    assert 401 == (await site.post(f"/operators/letters/{act}", {}, signed=False)).status


async def test_an_edit_is_tried_before_it_is_sent(site: Site) -> None:
    """The field that is wrong is named; mended, it would be an event again but for its header."""
    place = "orders.order.dead/0/0"
    headers = {
        "ce_type": "payflow.order.cancel_requested.v1",
        "ce_source": "/x",
        "ce_time": "2026-01-01T00:00:00Z",
        "ce_correlationid": "o1",
    }
    shown = (await (await site.client.get(f"/letters/{place}")).json())["editable"]

    async def tried(body: str) -> Any:
        asked = {"place": place, "body": body, "headers": headers}
        return await (await site.post("/operators/letters/check", asked)).json()

    wrong, right = await tried(shown), await tried(shown.replace("7", '"late"'))
    assert "reason" in wrong["fails"]
    assert ("", True) == (right["fails"], any(line.startswith("+") for line in right["diff"]))


async def test_a_redrive_is_what_was_previewed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another number of letters is refused; what stops it is said to who asks how far it is."""

    def taken(_config: Any) -> Any:
        raise LettersError("somebody else sends letters back")

    monkeypatch.setattr(api, "desk", taken)
    asked = {"cause": "wrong_shape", "reason": "mended", "letters": 3}
    refused = await site.post("/operators/letters/redrive", asked)
    begun = await site.post("/operators/letters/redrive", {**asked, "letters": 2})
    await asyncio.sleep(0.05)
    standing = await (await site.client.get("/letters/redrive")).json()

    assert (409, 202) == (refused.status, begun.status)
    assert ("failed", "somebody else sends letters back") == (standing["state"], standing["error"])
