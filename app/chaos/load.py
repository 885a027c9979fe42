"""Orders at a steady rate: asked when they are due, not when Payflow has time for them.

Each is asked again under its own key until it is accepted, as a customer's page would.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import aiohttp
import msgspec
import stamina

from app.chaos.instance import DrillError
from app.local.importers.player import TryAgain
from app.wire.envelope import derive_id

LINES = 4
SKUS = 200
SCARCE_SKUS = 6
SCARCE_UNITS = 300
PLENTY_UNITS = 1_000_000
HOT = "sku-hot"
CUSTOMERS = 2_000
COUNTRIES = ("United Kingdom", "Germany", "France", "EIRE")
DECLINED = "pm_card_chargeDeclined"
VISA = "pm_card_visa"
DECLINED_RATE, CANCELLED_RATE, RETURNED_RATE = 0.03, 0.03, 0.02
ASK_SECONDS_MAX = 400.0
"""Longer than any outage of a drill."""
WARM_UP_SECONDS = 12.0
LATEST_MAX = 500


class Load:
    """Orders of one seed, placed through the console."""

    def __init__(self, seed: int, url: str, session: aiohttp.ClientSession) -> None:
        self.asked = 0
        self.accepted = 0
        self.failed: list[str] = []
        """Orders that were never accepted, and why."""
        self.late_seconds_max = 0.0
        self._seed = seed
        self._url = url
        self._session = session
        self._random = Random(f"payflow load {seed}")  # noqa: S311  a seed has to replay
        self._latest: deque[str] = deque(maxlen=LATEST_MAX)
        self._under_way: set[asyncio.Task[None]] = set()

    async def stock_up(self, waits: Callable[[], Any]) -> None:
        """Receive the goods; `waits` returns when they lie on the shelves."""
        units = {f"sku-{at}": PLENTY_UNITS for at in range(SKUS)}
        units |= {f"sku-{at}": SCARCE_UNITS for at in range(SCARCE_SKUS)}
        units[HOT] = PLENTY_UNITS
        items = [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]
        await self._post("/stock/receipts", {"receipt_id": f"drill-{self._seed}", "items": items})
        await waits()

    async def play(self, rate: float) -> None:
        """Place orders at `rate` a second until cancelled."""
        began, first = time.monotonic(), self.asked
        while True:
            due = began + (self.asked - first) / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.late_seconds_max = max(self.late_seconds_max, time.monotonic() - due)
            self._ask(())

    async def burst(self, count: int, rate: float) -> None:
        """Place `count` orders that all want the same article."""
        for _ in range(count):
            self._ask((HOT,))
            await asyncio.sleep(1 / rate)

    async def settled(self) -> None:
        """Return when every order asked has been answered."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def latest(self, count: int) -> list[str]:
        """Return the ids of up to `count` orders accepted lately."""
        return list(self._latest)[-count:]

    def _ask(self, wanted: tuple[str, ...]) -> None:
        self.asked += 1
        number, random = self.asked, self._random
        others = random.sample([f"sku-{at}" for at in range(SKUS)], LINES - len(wanted))
        body = {
            "country": random.choice(COUNTRIES),
            "currency": "GBP",
            "customer_id": f"c{random.randrange(CUSTOMERS)}",
            "payment_method": DECLINED if random.random() < DECLINED_RATE else VISA,
            "reference": f"drill-{self._seed}-{number}",
            "lines": [
                {
                    "sku": sku,
                    "quantity": random.randint(1, 3),
                    "unit_price_minor": random.randint(50, 5_000),
                }
                for sku in (*wanted, *others)
            ],
        }
        wanted_too = {"cancel": CANCELLED_RATE, "return": RETURNED_RATE}
        then = frozenset(what for what, rate in wanted_too.items() if random.random() < rate)
        after = random.uniform(0.0, 3.0)
        asking = asyncio.ensure_future(self._order(number, body, then, after))
        self._under_way.add(asking)
        asking.add_done_callback(self._under_way.discard)

    async def _order(
        self, number: int, body: dict[str, Any], then: frozenset[str], after: float
    ) -> None:
        key = f"drill:{self._seed}:{number}"
        order_id = derive_id("order", key)
        try:
            await self._post("/orders", body, {"Idempotency-Key": key})
            self.accepted += 1
            self._latest.append(order_id)
            if "cancel" in then:
                await asyncio.sleep(after)
                await self._post(f"/orders/{order_id}/cancel", {"reason": "changed my mind"})
            if "return" in then:
                await asyncio.sleep(10 + after)
                line = body["lines"][0]
                back = {
                    "sku": line["sku"],
                    "quantity": 1,
                    "amount_minor": line["unit_price_minor"],
                }
                with suppress(Refused):
                    # It may be cancelled by now, or not have arrived.
                    await self._post(
                        f"/orders/{order_id}/returns",
                        {"return_id": f"back-{number}", "lines": [back]},
                    )
        except (DrillError, Refused, TryAgain) as error:
            self.failed.append(f"{order_id}: {error}")

    async def _post(
        self, path: str, body: Any, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        record = {"Content-Type": "application/json", **(headers or {})}
        payload = msgspec.json.encode(body)
        async for attempt in stamina.retry_context(
            on=TryAgain, attempts=None, timeout=ASK_SECONDS_MAX, wait_max=2.0
        ):
            with attempt:
                return await self._once(path, payload, record)
        raise DrillError(f"{path} was never answered")

    async def _once(self, path: str, payload: bytes, headers: dict[str, str]) -> dict[str, Any]:
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


class Refused(Exception):
    """The API says no, with a reason."""
