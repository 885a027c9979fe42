"""External systems on loopback ports, and a console that only takes down what it is sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.config import Config
from app.wire.signing import read_headers

WAIT_SECONDS = 10.0
"""How long a test waits for what must happen; nothing that passes waits that long."""
TIMEOUT_SECONDS = 2.0


class Console:
    """Takes webhooks; `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[tuple[str, bytes]] = []
        self.notices: list[dict[str, Any]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Take one webhook down."""
        body = await request.read()
        header = "Stripe-Signature" if "provider" in request.path else "X-Carrier-Signature"
        self.received.append((request.headers[header], body))
        self.notices.append(msgspec.json.decode(body))
        return web.Response(status=self.status)


class System:
    """A running simulator: its URL, its files, and a plain HTTP client."""

    def __init__(self, config: Config, url: str, client: aiohttp.ClientSession) -> None:
        self.config = config
        self.url = url
        self.client = client

    async def set(self, **faults: float) -> None:
        """Set faults."""
        status, answer = await self.ask("PUT", "/_faults", json=faults)
        assert 200 == status, answer

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Return the status and the JSON of one request, which the instance has signed."""
        signed = read_headers(self.config, path) | options.pop("headers", {})
        url = f"{self.url}{path}"
        async with self.client.request(method, url, headers=signed, **options) as answer:
            return answer.status, await answer.json(content_type=None)

    async def state(self) -> dict[str, int]:
        """Return the counts of the simulator."""
        return (await self.ask("GET", "/_state"))[1]


@asynccontextmanager
async def listening() -> AsyncIterator[Console]:
    """Run a console."""
    console = Console()
    app = web.Application()
    app.router.add_post("/webhooks/{system}", console.take)
    async with TestServer(app) as server:
        console.url = str(server.make_url("")).rstrip("/")
        yield console


@asynccontextmanager
async def running(
    make_app: Callable[[Config], web.Application], data_dir: Path, console_url: str
) -> AsyncIterator[System]:
    """Run the simulator that `make_app` makes, over the files in `data_dir`."""
    config = Config(data_dir=str(data_dir), console_url=console_url)
    async with TestServer(make_app(config)) as server, aiohttp.ClientSession() as client:
        url = str(server.make_url("")).rstrip("/")
        system_config = msgspec.structs.replace(
            config,
            provider_url=url,
            carrier_url=url,
            provider_timeout_seconds=TIMEOUT_SECONDS,
            carrier_timeout_seconds=TIMEOUT_SECONDS,
        )
        yield System(system_config, url, client)


async def until(claim: Callable[[], Awaitable[bool] | bool]) -> None:
    """Wait until `claim` holds; raises TimeoutError when it never does."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            holds = claim()
            if await holds if isinstance(holds, Awaitable) else holds:
                return
            await asyncio.sleep(0.01)
