"""The console's API over a worker whose tables are dicts."""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.config import Config
from app.console.server import make_api
from app.kafka.producer import partition_of
from app.registry import load_agents
from app.wire.envelope import Envelope
from app.worker.discovery import Directory, Worker
from app.worker.http import RowPage, make_site
from tables import declared
from tests.support.clients import as_client, client_key
from workflows.payment import process as payment
from workflows.payment.capture_messages import CaptureCaseDecided
from workflows.payment.dispute_messages import DisputeDecided
from workflows.payment.messages import RefundCaseDecided
from workflows.payment.state import Payment
from workflows.shared.message import Message

CONFIG = Config(service="console")
ORDER = {
    "country": "France",
    "currency": "GBP",
    "lines": [{"sku": "tea", "quantity": 2, "unit_price_minor": 250}],
    "payment_method": "pm_card_visa",
}


class FakeWorker:
    """A worker that holds all partitions of all tables, in dicts."""

    service = "console"

    def __init__(self) -> None:
        self.emitted: list[tuple[Message, Envelope]] = []
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.said: list[Message] = []
        """What the payment agent emits."""
        self.agent_after_seconds: float | None = 0.0
        """How long the payment agent takes for a decision; None: it is away."""

    def ready(self) -> tuple[bool, str]:
        return True, "ready"

    def get(self, table: str, key: str) -> dict[str, Any] | None:
        return self.rows.get((table, key))

    def scan(self, table: str, prefix: str, limit: int, after: str) -> RowPage:
        matches = (
            row
            for (name, key), row in sorted(self.rows.items())
            if name == table and key.startswith(prefix) and key > after
        )
        return RowPage(rows=[row for row, _ in zip(matches, range(limit), strict=False)])

    def partitions(self) -> dict[str, list[int]]:
        return {name: list(range(CONFIG.partitions)) for name in declared}

    async def publish(self, message: Message, envelope: Envelope) -> None:
        self.emitted.append((message, envelope))
        if isinstance(message, RefundCaseDecided | CaptureCaseDecided | DisputeDecided):
            if self.agent_after_seconds is None:
                return
            if self.agent_after_seconds:
                asyncio.get_running_loop().call_later(
                    self.agent_after_seconds, self.decide, message
                )
            else:
                self.decide(message)

    def decide(self, message: Message) -> None:
        """Let the payment agent receive the decision about a case; it drains at once."""
        key = str(getattr(message, "transaction_id", ""))
        row = self.rows.get(("payment", key))
        if row is None:
            return
        state = payment.evolve(msgspec.convert(row["state"], Payment), message, 0)
        for emitted in payment.pending(state):
            state = payment.evolve(state, emitted, 0)
            self.said.append(emitted)
        self.keep("payment", key, state)

    def keep(self, table: str, key: str, state: Any, **context: str) -> None:
        """Put a row where the API finds it."""
        self.rows[(table, key)] = {
            "key": key,
            "partition": partition_of(key.encode(), CONFIG.partitions),
            "state": msgspec.to_builtins(state),
            "context": {"baggage": context},
        }


@pytest.fixture
def queries() -> FakeWorker:
    """An empty instance."""
    load_agents()
    return FakeWorker()


async def directory_of(queries: FakeWorker, aiohttp_server: Any, service: str = "all") -> Directory:
    """Return a directory of one worker that holds all rows and serves them over HTTP."""
    server = await aiohttp_server(make_site(queries, Config()))
    worker = Worker(
        service=service,
        url=str(server.make_url("")).rstrip("/"),
        pid=1,
        at_ms=time.time_ns() // 1_000_000 + 3_600_000,
        ready=True,
        partitions=queries.partitions(),
    )
    directory = Directory()
    directory.receive(msgspec.json.encode(worker))
    return directory


@pytest.fixture
async def client(
    queries: FakeWorker, tmp_path: Path, aiohttp_client: Any, aiohttp_server: Any
) -> TestClient:
    """A shop at the API; tables are read over HTTP from a worker's own site."""
    directory = await directory_of(queries, aiohttp_server)
    app = make_api(queries, queries, directory, replace(CONFIG, data_dir=str(tmp_path)))
    return await aiohttp_client(app, middlewares=(as_client(client_key(tmp_path)),))


async def place(client: TestClient, body: Any = ORDER, key: str = "k1") -> Any:
    """Place an order."""
    return await client.post("/orders", json=body, headers={"Idempotency-Key": key})
