"""Every door of the API: who may use it, and what everybody else is answered."""

import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.auth import clients, operators
from app.cli.instance import ApiError, ask
from app.console.api.routes import ROUTES
from app.console.api.workflow_requests import REPEATS
from app.console.pages.site import page_routes
from app.console.server import make_api
from app.entrypoints.order_bodies import OrderAsked
from app.entrypoints.requests import client_scopes
from app.host.routes import Handler, Route, RouteError
from app.registry import load_agents
from app.wire.envelope import derive_id
from app.wire.signing import read_headers
from tests.support.clients import bearer
from tests.support.console import CONFIG, ORDER, FakeWorker, directory_of
from workflows.inventory.stock_messages import WarehouseMessage, count_id
from workflows.order.messages import OrderPlaced
from workflows.order.state import Order

FOR_CLIENTS = [route for route in ROUTES if route.audience == "client"]
FOR_READERS = [
    route for route in (*ROUTES, *page_routes()) if route.audience == "reader" and not route.stream
]
BODIES: dict[str, Any] = {
    "/orders": ORDER,
    "/orders/{order_id}/cancel": {"reason": "no"},
    "/orders/{order_id}/returns": {"return_id": "r", "lines": [{"sku": "tea", "quantity": 1}]},
    "/stock/receipts": {"receipt_id": "r", "items": [{"sku": "tea", "quantity": 1}]},
    "/stock/adjustments": {"adjustment_id": "a", "sku": "tea", "delta": 1},
}


class Routes:
    """A console, its clients and its operators."""

    def __init__(self, client: TestClient, queries: FakeWorker, folder: Path) -> None:
        self.client = client
        self.queries = queries
        self.folder = folder

    def key(self, name: str, *scopes: str) -> dict[str, str]:
        return bearer(clients.add(self.folder, name, scopes or client_scopes()))

    def person(self, name: str, role: operators.Role) -> dict[str, str]:
        return bearer(f"{name}:{operators.add(self.folder, name, role)}")

    async def post(self, path: str, headers: dict[str, str], **more: str) -> Any:
        body = BODIES[re.sub(r"^/orders/[^/]+/", "/orders/{order_id}/", path)]
        return await self.client.post(path, json=body, headers={**headers, **more})

    async def place(self, headers: dict[str, str], body: Any = ORDER, key: str = "k") -> Any:
        headers = {**headers, "Idempotency-Key": key}
        return await self.client.post("/orders", json=body, headers=headers)

    async def order(self, headers: dict[str, str], key: str = "k") -> str:
        """Place an order that its agent has seen; return its id."""
        order_id = str((await (await self.place(headers, key=key)).json())["order_id"])
        self.queries.keep("order", order_id, Order(order_id=order_id, currency="GBP"))
        return order_id


async def doors_of(config: Any, folder: Path, aiohttp_client: Any, aiohttp_server: Any) -> Routes:
    """Return a console of `config` on `folder`."""
    load_agents()
    queries = FakeWorker()
    operators.first_start(folder)
    directory = await directory_of(queries, aiohttp_server)
    app = make_api(queries, queries, directory, replace(config, data_dir=str(folder)))
    return Routes(await aiohttp_client(app), queries, folder)


@pytest.fixture
async def doors(tmp_path: Path, aiohttp_client: Any, aiohttp_server: Any) -> Routes:
    """A console on loopback."""
    return await doors_of(CONFIG, tmp_path, aiohttp_client, aiohttp_server)


@pytest.fixture
async def exposed(tmp_path: Path, aiohttp_client: Any, aiohttp_server: Any) -> Routes:
    """A console that the network reaches."""
    config = replace(CONFIG, host="0.0.0.0", signing_key="chosen here")  # noqa: S104
    return await doors_of(config, tmp_path, aiohttp_client, aiohttp_server)


def path_of(route: Route) -> str:
    """Return a path that `route` serves."""
    return re.sub(r"\{(\w+)\}", "x", route.path)


# --- who may act ----------------------------------------------------------------------


@pytest.mark.parametrize("route", FOR_CLIENTS, ids=lambda route: route.path)
async def test_nobody_without_a_key_does_anything(doors: Routes, route: Route) -> None:
    """Nor with one that is none."""
    wrong = [{}, bearer("pfk_guess"), bearer("pfk_" + "x" * 5_000), {"Authorization": "Basic x"}]

    statuses = {(await doors.post(path_of(route), each)).status for each in wrong}

    assert ({401}, []) == (statuses, doors.queries.emitted)


@pytest.mark.parametrize("route", FOR_CLIENTS, ids=lambda route: route.path)
async def test_a_key_opens_what_its_scopes_name(doors: Routes, route: Route) -> None:
    """The refusal names the scope that is missing."""
    others = sorted(set(client_scopes()) - {route.scope})

    answer = await doors.post(path_of(route), doors.key("other", *others))

    assert (403, []) == (answer.status, doors.queries.emitted)
    assert route.scope in (await answer.json())["detail"]


@pytest.mark.parametrize("route", FOR_CLIENTS, ids=lambda route: route.path)
async def test_no_page_of_another_site_lets_a_browser_act(doors: Routes, route: Route) -> None:
    """Also without a body, as a cancel is: a browser asks nobody before it sends that."""
    shop, foreign = doors.key("shop"), {"Origin": "https://evil.example"}

    answers = [
        await doors.post(path_of(route), shop, **foreign),
        await doors.client.post(path_of(route), headers={**shop, **foreign}),
        await doors.client.post(path_of(route), headers={**shop, "Sec-Fetch-Site": "cross-site"}),
    ]

    assert ([403] * 3, []) == ([each.status for each in answers], doors.queries.emitted)


async def test_a_revoked_key_opens_nothing(doors: Routes) -> None:
    """At once, and whatever it has opened before."""
    shop = doors.key("shop")
    assert 202 == (await doors.place(shop)).status

    clients.revoke(doors.folder, "shop")

    assert 401 == (await doors.place(shop)).status


async def test_an_operator_may_place_an_order_and_a_viewer_may_not(doors: Routes) -> None:
    """The page for it is used by people."""
    placed = await doors.place(doors.person("oda", "operator"))
    refused = await doors.place(doors.person("vic", "viewer"), key="other")

    assert (202, 403) == (placed.status, refused.status)


# --- what is whose --------------------------------------------------------------------


@pytest.mark.parametrize("key", ["k", "", "é"])
async def test_two_clients_with_one_idempotency_key_have_two_orders(
    doors: Routes, key: str
) -> None:
    """Neither learns of the other's by choosing its key."""
    one, other = doors.key("one"), doors.key("other")

    ids = [(await (await doors.place(each, key=key or "k")).json())["order_id"]
           for each in (one, one, other)]  # fmt: skip

    assert ids[0] == ids[1] != ids[2]


async def test_what_stands_for_a_body_cannot_be_computed_from_a_guess(doors: Routes) -> None:
    """It travels in the baggage, which whoever may look sees beside a masked customer.

    It and the id differ by who asks, an operator too, whose name is not a secret.
    """
    people = [doors.key("one"), doors.key("other"), doors.person("oda", "operator")]
    for each in people:
        await doors.place(each)
    fingerprints = {envelope.baggage["fingerprint"] for _, envelope in doors.queries.emitted}
    guess = hashlib.sha256(b"operator:oda").hexdigest()
    by_name = derive_id("order", guess, "k")[8:]

    assert len(people) == len(fingerprints)
    assert not any(
        envelope.correlation_id.endswith(by_name) for _, envelope in doors.queries.emitted
    )


async def test_a_body_of_before_is_known_again(doors: Routes) -> None:
    """Rows that an earlier version has started hold the digest of the body alone."""
    shop = doors.key("shop")
    order_id = (await (await doors.place(shop)).json())["order_id"]
    body = msgspec.json.encode(msgspec.convert(ORDER, OrderAsked))
    before = hashlib.sha256(body).hexdigest()[:16]
    doors.queries.keep("order", order_id, Order(order_id=order_id), fingerprint=before)
    doors.client.app[REPEATS].__init__()

    again = await doors.place(shop)

    assert (202, 1) == (again.status, len(doors.queries.emitted))
    assert "true" == again.headers["Idempotent-Replayed"]


async def test_a_client_sees_and_changes_its_own_alone(doors: Routes) -> None:
    """Another's order is answered like one that is not there."""
    one, other = doors.key("one"), doors.key("other")
    theirs, ours = await doors.order(one), await doors.order(other)
    emitted_before = doors.queries.emitted.copy()

    for order_id in (theirs, "none"):
        answers = [
            await doors.client.get(f"/orders/{order_id}", headers=other),
            await doors.client.get(f"/orders/{order_id}/events", headers=other),
            await doors.post(f"/orders/{order_id}/cancel", other),
            await doors.post(f"/orders/{order_id}/returns", other),
        ]
        texts = {(await each.json())["detail"].replace(order_id, "X") for each in answers}
        assert ([404] * 4, 1) == ([each.status for each in answers], len(texts))
    listed = (await (await doors.client.get("/orders", headers=other)).json())["orders"]

    assert [ours] == [each["order_id"] for each in listed]
    assert emitted_before == doors.queries.emitted


async def test_a_key_for_orders_reads_nothing_else(doors: Routes) -> None:
    """Tables and topics hold what is of all clients."""
    shop = doors.key("shop")

    statuses = {
        (await doors.client.get(path_of(route), headers=shop)).status
        for route in FOR_READERS
        if not route.scope and route.method == "GET"
    }

    assert {403} == statuses


async def test_an_id_is_not_to_be_guessed(doors: Routes) -> None:
    """Whoever knows a client's name and the keys that it chooses knows no id."""
    first = await doors.order(doors.key("shop"))
    clients.revoke(doors.folder, "shop")
    (doors.folder / clients.FILE).unlink()

    assert first != await doors.order(doors.key("shop"))


# --- what takes more ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param(
            {"lines": [*ORDER["lines"], {"sku": "cup", "quantity": 1, "unit_price_minor": 0}]},
            "lines[1]",
            id="a price of nothing",
        ),
        pytest.param(
            {"lines": [*ORDER["lines"], {"sku": "cup", "quantity": 1, "amount_minor": 0}]},
            "lines[1]",
            id="an amount of nothing",
        ),
        pytest.param(
            {"charges": [{"code": "off", "amount_minor": -99}]},
            "charges[0].amount_minor",
            id="a discount",
        ),
    ],
)
async def test_who_may_not_discount_does_not(doors: Routes, change: Any, field: str) -> None:
    """An operator neither; who may, does."""
    shop = doors.key("shop", "orders:write")
    answers = [
        await doors.place(each, {**ORDER, **change})
        for each in (shop, doors.person("pat", "approver"))
    ]
    allowed = await doors.place(doors.key("dear", "orders:write", "orders:discount"),
                                {**ORDER, **change})  # fmt: skip

    for answer in answers:
        assert (403, field) == (answer.status, (await answer.json())["errors"][0]["field"])
    assert 202 == allowed.status
    [(message, _)] = doors.queries.emitted
    assert isinstance(message, OrderPlaced)


# --- who may look ---------------------------------------------------------------------


async def test_who_comes_from_elsewhere_must_sign_in_to_look(exposed: Routes) -> None:
    """Every page and every list, whatever header they make up."""
    assert len(FOR_READERS) > 40
    for route in FOR_READERS:
        forged = read_headers(replace(CONFIG, signing_key=CONFIG.signing_key), path_of(route))
        headers: dict[str, str]
        for headers in ({}, forged, {"Authorization": "Bearer vic:guess"}):
            answer = await exposed.client.request(route.method, path_of(route), headers=headers)
            assert answer.status in (401, 429), (route, headers)


async def test_a_viewer_reads_from_elsewhere_and_so_does_payflow(exposed: Routes) -> None:
    """Its own commands sign what they ask."""
    signed = read_headers(replace(CONFIG, signing_key="chosen here"), "/inbox?limit=1")

    assert (
        200 == (await exposed.client.get("/tables", headers=exposed.person("vic", "viewer"))).status
    )
    assert 200 == (await exposed.client.get("/inbox?limit=1", headers=signed)).status
    assert 401 == (await exposed.client.get("/tables?limit=2", headers=signed)).status


async def test_a_command_reads_what_has_an_id_of_any_characters(exposed: Routes) -> None:
    """Its token is of the path as it is sent, in which a colon is not quoted."""
    url = str(exposed.client.make_url("")).rstrip("/")
    config = replace(CONFIG, signing_key="chosen here", console_url=url)

    with pytest.raises(ApiError, match="R:1@x,2"):
        await ask(config, "/tables/order/R%3A1%40x%2C2")


async def test_whoever_signs_in_finds_the_page_for_it(exposed: Routes) -> None:
    """And what it loads, and the document of the API."""
    for path in ("/console/sign-in", "/web/style.css", "/openapi.json", "/docs", "/livez"):
        assert 200 == (await exposed.client.get(path)).status, path


async def test_anybody_reads_on_loopback(doors: Routes) -> None:
    """Without a key; what they see is masked."""
    for path in ("/", "/orders", "/tables", "/console/cases"):
        assert 200 == (await doors.client.get(path)).status, path


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
async def test_whoever_comes_through_a_proxy_must_sign_in_to_look(doors: Routes, name: str) -> None:
    """It listens on this machine, its callers are elsewhere; whatever the header says."""
    signed_in = doors.person("vic", "viewer")

    for path in ("/", "/tables"):
        for address in ("203.0.113.7", "127.0.0.1", ""):
            answer = await doors.client.get(path, headers={name: address}, allow_redirects=False)
            assert answer.status not in (200, 500), (path, address)
        assert 200 == (await doors.client.get(path, headers={**signed_in, name: "x"})).status


async def test_behind_a_trusted_proxy_nobody_reads_without_signing_in(
    tmp_path: Path, aiohttp_client: Any, aiohttp_server: Any
) -> None:
    """Also where it adds no header."""
    config = replace(CONFIG, trusted_proxies="127.0.0.1")
    proxied = await doors_of(config, tmp_path, aiohttp_client, aiohttp_server)

    assert 401 == (await proxied.client.get("/tables")).status


async def test_a_page_of_another_site_begins_no_read(doors: Routes) -> None:
    """A link leads here all the same, and our own pages ask."""
    for site, mode, to, status in (
        ("cross-site", "no-cors", "image", 403),
        ("cross-site", "cors", "empty", 403),
        ("cross-site", "", "", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "document", 200),
        ("same-origin", "cors", "empty", 200),
        ("none", "navigate", "document", 200),
    ):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": to}
        assert status == (await doors.client.get("/tables", headers=headers)).status, (mode, to)


# --- attacks on those who may ---------------------------------------------------------


async def test_nobody_else_uses_up_what_an_operator_may_do(doors: Routes) -> None:
    """Hundreds of requests of nobody, from the address that the operator has too."""
    path = "/operators/orders/none/cancel"
    statuses = {(await doors.client.post(path, json={"reason": "x"})).status for _ in range(150)}
    answer = await doors.client.post(
        path, json={"reason": "x"}, headers=doors.person("oda", "operator")
    )

    assert ({401}, 404) == (statuses, answer.status)


def test_a_route_for_clients_says_its_scope() -> None:
    """Or the console does not start."""

    async def handler(_request: Any) -> Any: ...

    handle: Handler = handler
    with pytest.raises(RouteError, match="scope"):
        Route(method="POST", path="/x", handler=handle, audience="client", role=None)
    with pytest.raises(RouteError, match="scope"):
        Route(method="GET", path="/x", handler=handle, audience="public", role=None, scope="stock")


@pytest.mark.parametrize("path", ["/stock/receipts", "/stock/adjustments"])
async def test_what_two_clients_call_the_same_is_received_of_both(doors: Routes, path: str) -> None:
    """Whoever named a receipt first, or guessed the name, had that of everybody."""
    one, other = doors.key("one"), doors.key("other")
    for headers in (one, other, one):
        assert 202 == (await doors.post(path, headers)).status

    first, second, again = doors.queries.emitted
    ids = [count_id(each) for each, _ in (first, second) if isinstance(each, WarehouseMessage)]
    tags = [each.tag for each in clients.clients(doors.folder)]
    assert (first[0], first[1].id) == (again[0], again[1].id)
    assert first[1].id != second[1].id
    assert tags == [each.partition("/")[2][:8] for each in ids]
