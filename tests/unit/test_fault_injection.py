"""Fault injection: for a while, by approvers, where it is enabled; it kills only our processes."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.auth import operators
from app.console.api.fault_injection import FAULT_INJECTION
from app.console.server import make_api
from app.local.simulators.faults import ProviderFaults, Switchboard
from app.worker.discovery import Directory
from tests.support.console import CONFIG, FakeWorker
from workflows.audit.fault_injection import FaultsSwitched, ProcessKilled


class Site:
    """A console, somebody who may act, and the provider that it breaks."""

    def __init__(
        self, client: TestClient, token: str, queries: FakeWorker, live_state: Switchboard
    ) -> None:
        self.client, self.queries, self.live_state = client, queries, live_state
        self.who = {"Authorization": f"Bearer olga:{token}"}

    async def post(self, path: str, body: Any) -> Any:
        return await self.client.post(f"/operators/{path}", json=body, headers=self.who)


@pytest.fixture
async def open_site(tmp_path: Path, aiohttp_client: Any, aiohttp_server: Any) -> Any:
    """Make a site of a configuration."""
    from aiohttp import web  # noqa: PLC0415  of this fixture alone

    live_state = Switchboard(ProviderFaults())
    provider = web.Application()
    provider.add_routes(live_state.routes())
    url = str((await aiohttp_server(provider)).make_url("")).rstrip("/")
    operators.first_start(tmp_path)
    token = operators.add(tmp_path, "olga", "operator")

    async def make(**changes: Any) -> Site:
        config = replace(CONFIG, data_dir=str(tmp_path), provider_url=url, **changes)
        queries = FakeWorker()
        return Site(
            await aiohttp_client(make_api(queries, queries, Directory(), config)),
            token,
            queries,
            live_state,
        )

    return make


async def test_a_system_has_faults_for_a_while(open_site: Any) -> None:
    """Audited first, under the name of the system; the faults end by themselves."""
    site = await open_site(fault_injection=True)
    body = {"faults": {"decline": 1.0}, "reason": "to see", "minutes": 5}
    answer = await site.post("faults/provider", body)
    ends_ms = (await answer.json())["systems"]["provider"]["ends_ms"]
    site.client.app[FAULT_INJECTION].end_after("provider", 0)
    while site.client.app[FAULT_INJECTION].ends_ms("provider") is not None:
        await site.client.get("/livez")

    (message, _), *_ = site.queries.emitted
    assert (202, {"decline": 1.0}) == (answer.status, message.faults)
    assert isinstance(message, FaultsSwitched)
    assert ends_ms > 0
    assert 0 == site.live_state.faults.decline


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("faults/provider", {"faults": {"decline": 2}, "reason": "x"}, 400),
        ("faults/provider", {"faults": {"no such": 1}, "reason": "x"}, 400),
        ("faults/provider", {"faults": {"decline": 1}, "reason": ""}, 400),
        ("faults/nobody", {"faults": {}, "reason": "x"}, 404),
        ("processes/up/kill", {"reason": "x"}, 404),
        ("processes/nobody/kill", {"reason": "x"}, 404),
    ],
)
async def test_what_cannot_be_is_refused_and_not_audited(
    open_site: Any, path: str, body: Any, status: int
) -> None:
    """With what is wrong with it."""
    site = await open_site(fault_injection=True)

    assert status == (await site.post(path, body)).status
    assert [] == site.queries.emitted
    assert site.live_state.faults == ProviderFaults()


async def test_elsewhere_nothing_goes_wrong_on_purpose(open_site: Any) -> None:
    """Where it is not enabled not even an approver may; the page says so."""
    site = await open_site()
    answers = [
        await site.post("faults/provider", {"faults": {"decline": 1}, "reason": "x"}),
        await site.post("faults/provider/clear", {"reason": "x"}),
        await site.post("processes/payment/kill", {"reason": "x"}),
    ]

    assert [403, 403, 403] == [answer.status for answer in answers]
    assert "has no fault injection" in await (await site.client.get("/console/faults")).text()
    assert [] == site.queries.emitted


async def test_only_a_process_of_this_instance_is_killed(open_site: Any, tmp_path: Path) -> None:
    """One whose parent is the supervisor; a number that belongs to somebody else by now is left."""
    site = await open_site(fault_injection=True)
    sleep = "import time; time.sleep(60)"
    ours = await asyncio.create_subprocess_exec(sys.executable, "-c", sleep)
    pids = {"up": os.getpid(), "payment": ours.pid, "order": os.getppid()}
    urls = dict.fromkeys(("broker_url", "console_url", "provider_url", "carrier_url"), "")
    ended = {"order": "orders/0 ends at offset 3"}
    (tmp_path / "up.json").write_bytes(msgspec.json.encode({**urls, "pids": pids, "ended": ended}))

    page = await (await site.client.get("/console/faults")).text()
    killed = await site.post("processes/payment/kill", {"reason": "to see it come back"})
    left = await site.post("processes/order/kill", {"reason": "a mistake"})

    assert "orders/0 ends at offset 3" in page, "why it ended last"
    assert (202, 404) == (killed.status, left.status)
    assert -9 == await ours.wait()
    assert [ProcessKilled] == [type(message) for message, _ in site.queries.emitted]
