"""A console with an operator of each role, signed in over HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.auth import operators
from app.console.api.access import COOKIE
from app.console.api.operator_actions import PROPOSALS
from app.console.server import make_api
from app.registry import load_agents
from tests.support.clients import as_client, client_key
from tests.support.console import CONFIG, FakeWorker, directory_of
from workflows.audit.messages import (
    RefundProposed,
)
from workflows.order.state import Order

REFUND = "/operators/orders/o1/refund"
APPROVE = f"{REFUND}/r1/approve"
WHY = {"reason": "asked by phone"}


class Site:
    """A console with four people, and an order."""

    def __init__(self, queries: FakeWorker, client: TestClient, tokens: dict[str, str]) -> None:
        self.queries = queries
        self.client = client
        self.tokens = tokens

    @property
    def emitted(self) -> list[Any]:
        return [message for message, _ in self.queries.emitted]

    async def signed_in(self, name: str) -> tuple[dict[str, str], str]:
        """Return the cookie and the CSRF token of a new session, as headers and text."""
        answer = await self.client.post("/sign-in", json={"name": name, "token": self.tokens[name]})
        assert 200 == answer.status
        cookie = answer.cookies[COOKIE].value
        self.client.session.cookie_jar.clear()
        return {"Cookie": f"{COOKIE}={cookie}"}, (await answer.json())["csrf"]

    async def page(self, name: str) -> dict[str, str]:
        """Return the headers with which our own page asks for `name`."""
        cookie, csrf = await self.signed_in(name)
        return {**cookie, "X-CSRF-Token": csrf, "Origin": str(self.client.make_url("/"))[:-1]}

    def machine(self, name: str) -> dict[str, str]:
        """Return the headers with which a program asks as `name`."""
        return {"Authorization": f"Bearer {name}:{self.tokens[name]}"}

    async def refund(self, name: str, amount_minor: int, refund_id: str = "r1") -> int:
        body = {**WHY, "refund_id": refund_id, "amount_minor": amount_minor}
        return (await self.client.post(REFUND, json=body, headers=self.machine(name))).status

    async def approve(self, name: str, amount_minor: int) -> int:
        body = {**WHY, "amount_minor": amount_minor}
        return (await self.client.post(APPROVE, json=body, headers=self.machine(name))).status


@pytest.fixture
async def site(tmp_path: Path, aiohttp_client: Any, aiohttp_server: Any) -> Site:
    """A site; proposals are found among the messages produced."""
    load_agents()
    queries = FakeWorker()
    directory = await directory_of(queries, aiohttp_server)
    tokens = {"admin": operators.first_start(tmp_path)}
    for name, role in (("vic", "viewer"), ("oda", "operator"), ("pat", "approver")):
        tokens[name] = operators.add(tmp_path, name, role)
    queries.keep("order", "o1", Order(order_id="o1", total_minor=90_000, currency="GBP"))
    body = {"customer_id": "c1", "lines": [{"email": "a@b.c", "sku": "tea"}], "phone": ""}
    queries.keep("journal", "o1|1|e", {"id": "e", "correlation_id": "o1", "body": body})
    queries.keep(
        "journal", "o1|x|f", {"id": "f", "correlation_id": "o1|x", "body": {"email": "no"}}
    )
    app = make_api(queries, queries, directory, replace(CONFIG, data_dir=str(tmp_path)))

    async def proposal(order_id: str, refund_id: str) -> RefundProposed | None:
        await asyncio.sleep(0)
        proposals = (
            message for message, _ in queries.emitted if isinstance(message, RefundProposed)
        )
        return next((w for w in proposals if (w.about, w.refund_id) == (order_id, refund_id)), None)

    app[PROPOSALS] = proposal
    shop = as_client(client_key(tmp_path))
    return Site(queries, await aiohttp_client(app, middlewares=(shop,)), tokens)
