"""Transactions at a steady rate: sent when they are due, however slowly Payflow answers.

Each is sent again under its own key until it is accepted, as a customer's page would do.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from random import Random

import aiohttp
import msgspec
import stamina
from msgspec.structs import replace

from app.chaos.instance import DrillError
from app.entrypoints.drill_load import LoadCase, LoadRequest
from app.entrypoints.requests import load_entrypoints
from app.local.importers.shop_client import TryAgain
from workflows.shared.errors import PayflowError

ASK_SECONDS_MAX = 400.0
"""Longer than any outage of a drill."""
WARM_UP_SECONDS = 12.0


class Load:
    """Transactions of one seed, started through the console."""

    def __init__(self, seed: int, url: str, session: aiohttp.ClientSession, key: str) -> None:
        self.asked = 0
        self.during = "the start"
        """The fault that is being injected."""
        self.placed: dict[str, str] = {}
        """The fault during which each order was accepted, by its id."""
        self.failed: list[str] = []
        """Orders that were never accepted, and why."""
        self.late_seconds_max = 0.0
        self._seed = seed
        self._url = url
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        self._session = session
        self._random = Random(f"payflow load {seed}")  # noqa: S311  a seed has to replay
        self._loads = load_entrypoints().loads
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def accepted(self) -> int:
        """Return how many orders were accepted."""
        return len(self.placed)

    async def stock_up(self, waits: Callable[[], Awaitable[None]]) -> None:
        """Request the stock; `waits` returns when it is on hand."""
        for each in self._loads:
            if each.prepare is not None:
                await self.post(each.prepare(self._seed))
        await waits()

    async def play(self, rate: float) -> None:
        """Place orders at `rate` per second until cancelled."""
        began, first = time.monotonic(), self.asked
        while True:
            due = began + (self.asked - first) / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.late_seconds_max = max(self.late_seconds_max, time.monotonic() - due)
            self._ask(hot=False)

    async def burst(self, count: int, rate: float) -> None:
        """Place `count` orders of the same article."""
        for _ in range(count):
            self._ask(hot=True)
            await asyncio.sleep(1 / rate)

    async def join(self) -> None:
        """Return when every request has been answered."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def end(self) -> None:
        """Ask no further for what is under way: of a drill that is stopped."""
        for asking in self._under_way:
            asking.cancel()

    def of(self, transaction_id: str) -> str:
        """Return the fault during which an order was accepted."""
        return self.placed.get(transaction_id, "an unknown time")

    def latest(self, count: int) -> list[str]:
        """Return the ids of up to `count` orders accepted lately."""
        return list(self.placed)[-count:]

    def _ask(self, *, hot: bool) -> None:
        self.asked += 1
        load = self._loads[self.asked % len(self._loads)]
        case = load.case(self._seed, self.asked, self._random, hot)
        asking = asyncio.ensure_future(self._play(case))
        self._under_way.add(asking)
        asking.add_done_callback(self._under_way.discard)

    async def _play(self, case: LoadCase) -> None:
        try:
            started = str((await self.post(case.start))["correlation_id"])
            self.placed[started] = self.during
            for request in case.then:
                await asyncio.sleep(request.after_seconds)
                with suppress(*([Refused] if request.may_be_refused else [])):
                    await self.post(replace(request, path=request.path.replace("{id}", started)))
        except (DrillError, Refused, TryAgain) as error:
            self.failed.append(f"{case.start.idempotency_key}: {error}")

    async def post(
        self, request: LoadRequest, also: Mapping[str, str] | None = None
    ) -> dict[str, object]:
        """Send `request`, with `also` as headers, until it is answered. Raises Refused."""
        headers = {**self._headers, **(also or {})}
        if request.idempotency_key:
            headers["Idempotency-Key"] = request.idempotency_key
        payload = msgspec.json.encode(request.body)
        async for attempt in stamina.retry_context(
            on=TryAgain, attempts=None, timeout=ASK_SECONDS_MAX, wait_max=2.0
        ):
            with attempt:
                return await self._once(request.path, payload, headers)
        raise DrillError(f"{request.path} was never answered")

    async def _once(self, path: str, payload: bytes, headers: dict[str, str]) -> dict[str, object]:
        try:
            async with self._session.post(
                self._url + path, data=payload, headers=headers
            ) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TryAgain(f"{path}: {error!r}") from error
        if answer.status >= 500:  # noqa: PLR2004
            raise TryAgain(f"{path}: {answer.status} {text[:200]!r}")
        if answer.status >= 400:  # noqa: PLR2004
            raise Refused(f"{path}: {answer.status} {text[:200]!r}")
        return dict(msgspec.json.decode(text))


class Refused(PayflowError):
    """The API refuses a request, with a reason."""
