"""The inbox of dead letters: shown masked, sent back only by who may."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.auth import operators
from app.console.api import dead_letters
from app.console.api.dead_letters import DeadLetters
from app.console.server import make_api
from app.operations.dead_letters.dead_letter import DeadLetter
from app.operations.dead_letters.redrive import DeadLetterError
from app.operations.dead_letters.status import DeadLetterFacts
from app.wire.records import Record
from app.worker.discovery import Directory
from tests.support.console import CONFIG, FakeWorker

SCRIPT = "<script>alert(1)</script>"
FIELDS = {
    "x-dead-service": "order",
    "x-dead-room": "order",
    "x-dead-cause": "wrong_shape",
    "x-dead-detail": SCRIPT,
    "x-dead-stack": "abc",
    "ce_type": SCRIPT,
    "ce_id": SCRIPT,
    "ce_source": "/x",
    "ce_time": "2026-01-01T00:00:00Z",
    "ce_correlationid": "o1",
}
BODY = b'{"type":"payflow.order.cancel_requested.v1","order_id":"o1","reason":7,"customer":"ann"}'


def dead_letter(offset: int, **changes: str) -> DeadLetter:
    headers = tuple((name, value.encode()) for name, value in (FIELDS | changes).items())
    record = Record(
        topic="orders.order.dead",
        partition=0,
        offset=offset,
        key=SCRIPT.encode() if offset else b"o1",
        value=BODY,
        headers=headers,
    )
    return DeadLetter(record=record, at_ms=1_000 + offset)


KNOWN = DeadLetterFacts(
    dead_letters=(dead_letter(0), dead_letter(1), dead_letter(2)),
    attempts={},
    through={},
    discarded={"orders.order.dead/0/2": "a joke"},
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
    """A console whose dead letters are `KNOWN`."""

    async def gathered(_config: Any) -> DeadLetterFacts:
        return KNOWN

    monkeypatch.setattr(dead_letters, "gather", gathered)
    operators.first_start(tmp_path)
    token = operators.add(tmp_path, "olga", "operator")
    config = replace(CONFIG, data_dir=str(tmp_path))
    return Site(
        await aiohttp_client(make_api(FakeWorker(), FakeWorker(), Directory(), config)), token
    )


async def test_dead_letters_are_shown_and_nothing_of_them_runs(site: Site) -> None:
    """The list, one of them, what sending them back would touch: text, masked."""
    for path in ("", "/orders.order.dead/0/1", "/redrive?cause=wrong_shape"):
        answer = await site.client.get(f"/console/dead-letters{path}")
        page = await answer.text()

        assert 200 == answer.status
        assert "&lt;script&gt;" in page
        assert "<script>alert" not in page
        assert '"ann"' not in page.replace("&#34;", '"')


async def test_those_who_wait_for_a_reading_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that began after they asked: whoever acts on it sees what was there then."""
    readings, goes_on = [], asyncio.Event()

    async def slow(_config: Any) -> DeadLetterFacts:
        readings.append(replace(KNOWN, through={"reading": len(readings)}))
        facts = readings[-1]
        await asyncio.wait_for(goes_on.wait(), 5)
        return facts

    monkeypatch.setattr(dead_letters, "gather", slow)
    state = DeadLetters(CONFIG)
    asking = [asyncio.create_task(state.facts(fresh=True)) for _ in range(20)]
    await asyncio.sleep(0.01)
    goes_on.set()
    first, *others = await asyncio.gather(*asking)
    later = await state.facts(fresh=True)

    assert 3 == len(readings)
    assert [first, later] == [readings[0], readings[2]]
    assert [readings[1]] * 19 == others


async def test_groups_and_filters_say_the_same(site: Site) -> None:
    """Three failed alike, one was let go; a filter that nobody meets finds none."""
    groups = (await (await site.client.get("/dead-letters")).json())["groups"]
    dropped = await (await site.client.get("/dead-letters/list?state=discarded")).json()
    none = await (await site.client.get("/dead-letters/list?cause=other")).json()
    preview = await (await site.client.get("/dead-letters/preview")).json()

    assert [(3, {"open": 2, "discarded": 1})] == [(g["dead_letters"], g["states"]) for g in groups]
    assert ["orders.order.dead/0/2"] == [each["place"] for each in dropped["dead_letters"]]
    assert (0, 2, {"discarded": 1}) == (
        none["total"],
        preview["dead_letters"],
        preview["left_alone"],
    )


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dead-letters/orders.order.dead/0/9", 404),
        ("/console/dead-letters/orders.order.dead/0/9", 404),
        ("/console/dead-letters?state=lost", 400),
        ("/dead-letters?key=customer:ann", 400),
    ],
)
async def test_what_is_not_there_is_said(site: Site, path: str, status: int) -> None:
    """Never as a fault of ours."""
    assert status == (await site.client.get(path)).status


@pytest.mark.parametrize("action", ["redrive", "check", "edit", "discard"])
async def test_nobody_acts_without_a_right(site: Site, action: str) -> None:
    """Refused before anything is read."""
    assert 401 == (await site.post(f"/operators/dead-letters/{action}", {}, signed=False)).status


async def test_an_edit_is_tried_before_it_is_sent(site: Site) -> None:
    """The field that is wrong is named; mended, it would be an event again but for its header."""
    place = "orders.order.dead/0/0"
    headers = {"ce_type": "payflow.order.cancel_requested.v1"}
    editable = (await (await site.client.get(f"/dead-letters/{place}")).json())["editable"]

    async def tried(body: str) -> Any:
        edit = {"place": place, "body": body, "headers": headers}
        return await (await site.post("/operators/dead-letters/check", edit)).json()

    wrong, right = await tried(editable), await tried(editable.replace("7", '"late"'))
    assert "reason" in wrong["fails"]
    assert ("", True) == (right["fails"], any(line.startswith("+") for line in right["diff"]))
    headers["ce_id"] = "e1"
    assert "ce_id" in (await tried(editable))["fails"]


async def test_a_redrive_is_what_was_previewed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another number of dead letters is refused.

    What stops it is said to who asks how far it is.
    """

    def unavailable(_config: Any) -> Any:
        raise DeadLetterError("somebody else sends dead letters back")

    monkeypatch.setattr(dead_letters, "redriver", unavailable)
    body = {"cause": "wrong_shape", "reason": "mended", "dead_letters": 3}
    refused = await site.post("/operators/dead-letters/redrive", body)
    accepted = await site.post("/operators/dead-letters/redrive", {**body, "dead_letters": 2})
    await asyncio.sleep(0.05)
    open_orders = await (await site.client.get("/dead-letters/redrive")).json()

    assert (409, 202) == (refused.status, accepted.status)
    assert ("failed", "somebody else sends dead letters back") == (
        open_orders["state"],
        open_orders["error"],
    )
