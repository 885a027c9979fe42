"""Whatever is sent to any route of any server, it is refused or answered: nothing fails."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from app.config import Config
from app.console.api.openapi import openapi_routes
from app.console.api.routes import ROUTES as API
from app.console.pages.site import page_routes
from app.host.routes import Route
from app.local.simulators import carrier, provider
from app.local.simulators.request_checks import KNOWN
from app.worker import http as worker
from tests.support.console import FakeWorker
from tests.support.hostile_http import (
    BAD_REQUEST,
    SILENT,
    Answer,
    Target,
    answer_of,
    mark,
    requests_of,
    sweep_of,
)
from tests.support.seeded_console import Seeded, replace_by_lists, seeded_console
from workflows.order.state import Order

UNAVAILABLE = 503
"""What needs Kafka, which is not there, says so."""
EACH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
CONFIG = Config(service="console", signing_key="")
"""Without a key everybody may read rows and move switches: what lies behind is attacked too."""
BEARER = f"Authorization: Bearer {CONFIG.provider_key}".encode()
JSON, FORM = b"Content-Type: application/json", b"Content-Type: application/x-www-form-urlencoded"
CONSOLE = (*API, *page_routes(), *openapi_routes(API))


def targets(*routes: Route) -> list[Target]:
    """Return what is attacked of routes that are declared."""
    return [
        Target(each.method, each.path, tuple(p for p in each.parameters if not p[0].isupper()))
        for each in routes
    ]


def served(server: TestServer) -> list[Target]:
    """Return what is attacked of a server without declared routes."""
    return [
        Target(each.method, each.resource.canonical, KNOWN.get(each.resource.canonical, ()))
        for each in server.app.router.routes()
        if each.resource is not None
    ]


def trouble_with(answer: Answer, request: bytes) -> str:
    """Return what is wrong with an answer: a request may be refused, not fail."""
    if answer.status >= 500 and answer.status != UNAVAILABLE:
        return f"{answer.status}"
    # The HTTP parser's own refusals are not problems, and HEAD has no body.
    is_refusal = answer.is_ours and answer.status == BAD_REQUEST and not request.startswith(b"HEAD")
    return f"no field: {answer.body[:300]!r}" if is_refusal and not answer.names_a_field() else ""


async def attack(server: TestServer, request: bytes) -> None:
    """Send `request`; it may be refused, not fail."""
    trouble = trouble_with(await answer_of(server, request), request)

    assert not trouble, request[:400]


async def sweep(server: TestServer, each: Sequence[Target], own: Sequence[bytes]) -> set[int]:
    """Attack every route with every value; return the statuses."""
    statuses, troubles = set(), {}
    for request in (one for target in each for one in sweep_of(target, own)):
        answer = await answer_of(server, request)
        statuses.add(answer.status)
        if trouble := trouble_with(answer, request):
            troubles[request[:200]] = trouble
    assert {} == troubles
    assert SILENT not in statuses
    return statuses


class Console:
    """A console with something of everything, and the headers of those who ask."""

    def __init__(self, seeded: Seeded, server: TestServer) -> None:
        self.server = server
        self.approver = (f"Authorization: {seeded.approver['Authorization']}".encode(), JSON)
        key = f"Authorization: Bearer {seeded.client_key}".encode()
        self.callers = [(), self.approver, self.approver, (key, JSON, b"Idempotency-Key: k")]


@pytest.fixture
async def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aiohttp_server: Any) -> Any:
    """A console without Kafka: topics and files are lists."""
    replace_by_lists(monkeypatch)
    seeded, rows = await seeded_console(tmp_path)
    seeded.app.on_response_prepare.append(mark)
    yield Console(seeded, await aiohttp_server(seeded.app))
    await rows.close()


async def test_no_route_of_the_console_fails(console: Console) -> None:
    """Each, with what breaks readers of numbers, texts, paths and headers, for an approver."""
    statuses = await sweep(console.server, targets(*CONSOLE), console.approver)

    assert {200, 400, 404, 415} <= statuses


@EACH
@given(request=st.data())
async def test_no_request_fails_at_the_console(console: Console, request: st.DataObject) -> None:
    """Asked by an operator, by a client, and by nobody."""
    raw_request = request.draw(requests_of(targets(*CONSOLE), console.callers))
    await attack(console.server, raw_request)


@pytest.fixture
async def worker_server(aiohttp_server: Any) -> TestServer:
    """A worker that holds a row."""
    rows = FakeWorker()
    rows.keep("order", "o1", Order(order_id="o1", total_minor=90_000, currency="GBP"))
    app = worker.make_site(rows, CONFIG)
    app.on_response_prepare.append(mark)
    return await aiohttp_server(app)


def rows_routes() -> list[Target]:
    """Return what is attacked of a worker."""
    return [Target(r.method, r.path, worker.QUERIED.get(r.path, ())) for r in worker.ROUTES]


async def test_no_route_of_a_worker_fails(worker_server: TestServer) -> None:
    """Each, also what Prometheus asks."""
    assert {200, 400, 404, 415} <= await sweep(worker_server, rows_routes(), [])


@EACH
@given(request=st.data())
async def test_no_request_fails_at_a_worker(
    worker_server: TestServer, request: st.DataObject
) -> None:
    """Behind its check, which is for processes of Payflow, too."""
    await attack(worker_server, request.draw(requests_of(rows_routes(), [()])))


@pytest.fixture(params=[provider, carrier])
async def simulator(request: Any, aiohttp_server: Any, tmp_path: Path) -> TestServer:
    """The payment provider's simulator, or the carrier's."""
    app = request.param.make_app(replace(CONFIG, data_dir=str(tmp_path)))
    app.on_response_prepare.append(mark)
    return await aiohttp_server(app)


async def test_no_route_of_a_simulator_fails(simulator: TestServer) -> None:
    """Each, with the key that opens it."""
    assert {200, 400, 404, 415} <= await sweep(simulator, served(simulator), [BEARER, FORM])


@EACH
@given(request=st.data())
async def test_no_request_fails_at_a_simulator(
    simulator: TestServer, request: st.DataObject
) -> None:
    """A shop in development meets them first."""
    callers = [(), (BEARER, FORM), (BEARER, JSON)]
    await attack(simulator, request.draw(requests_of(served(simulator), callers)))


@pytest.mark.parametrize(
    ("simulator", "target"),
    [
        pytest.param(provider, "/v1/refunds?payment_intnet=pi_1", id="a typing mistake"),
        pytest.param(provider, "/v1/refunds?created[after]=1", id="no such range"),
        pytest.param(provider, "/v1/refunds?limit=1&limit=2", id="said twice"),
        pytest.param(provider, "/_faults?x=1", id="of a switch"),
        pytest.param(carrier, "/shipments/o1?x=1", id="of the carrier"),
    ],
    indirect=["simulator"],
)
async def test_a_simulator_filters_by_nothing_unknown(simulator: TestServer, target: str) -> None:
    """A shop would believe that its filter works."""
    line = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
    answer = await answer_of(simulator, line + BEARER + b"\r\nConnection: close\r\n\r\n")

    assert BAD_REQUEST == answer.status
    assert answer.names_a_field()
