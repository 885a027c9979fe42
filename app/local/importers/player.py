"""Plays a retail file through the HTTP API, as the shop's own system would."""

import asyncio
import csv
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import aiohttp
import msgspec
import stamina

from app.local.importers import retail_file
from app.local.importers.retail_file import Adjust, Ask, PlaceOrder, Plan, Refuse, ReturnItems
from workflows.shared.errors import ErrorKind, PayflowError

ORDERS_PER_SECOND = 18.0
RECEIPT_ITEMS_MAX = 500
STOCK_SECONDS_MAX = 120.0
RETRY_SECONDS_MAX = 120.0
PAYMENT_METHOD = "pm_card_visa"
STOCK_SHARE = (4, 5)
"""The share of what the file sells that is received, so that some orders are refused."""


class LoadError(PayflowError):
    """The file cannot be played or the API refuses it; the message says which and why."""


class TryAgain(PayflowError):
    """The API does not answer now, and may later."""

    kind: ClassVar[ErrorKind] = "unavailable"


class Loaded(msgspec.Struct, kw_only=True):
    """The requests so far; they grow while a file is played."""

    rows_read: int = 0
    orders_asked: int = 0
    orders_planned: int = 0
    adjustments: int = 0
    rows: Counter[str] = msgspec.field(default_factory=Counter)
    """Rows by their outcome: orders, returns, adjustments, refused."""
    refused: Counter[str] = msgspec.field(default_factory=Counter)
    """Rows by the reason they were refused for."""
    order_ids: dict[str, str] = {}
    """Order id by the number of its invoice."""
    returns: dict[str, tuple[str, int]] = {}
    """Order id and number of rows by return id."""


def read_plan(path: Path) -> Plan:
    """Return the requests of the file; raises LoadError naming the file and its error."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            missing = set(retail_file.COLUMNS) - set(rows.fieldnames or ())
            if missing:
                raise LoadError(f"{path} lacks the columns {', '.join(sorted(missing))}")
            plan = retail_file.plan(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LoadError(f"{path} cannot be read: {error}") from error
    if not plan.rows_read:
        raise LoadError(f"{path} holds no rows")
    return plan


class Player:
    """One file on its way through the API at `url`."""

    def __init__(self, url: str, rate: float, session: aiohttp.ClientSession) -> None:
        self.loaded = Loaded()
        self._url = url
        self._rate = rate
        self._session = session

    async def receive_stock(self, plan: Plan, say: Callable[[str], None]) -> None:
        """Receive four fifths of what the file sells; return when the stock is on hand."""
        part, whole = STOCK_SHARE
        items = [
            {"sku": sku, "quantity": -(-units * part // whole)}
            for sku, units in sorted(plan.sold_units.items())
        ]
        for number, chunk in enumerate(_chunks(items, RECEIPT_ITEMS_MAX)):
            await self._post("/stock/receipts", {"receipt_id": f"opening-{number}", "items": chunk})
        say(f"{sum(item['quantity'] for item in items)} units of {len(items)} SKUs received")
        await self._wait_for_stock(len(items))

    async def _wait_for_stock(self, skus: int) -> None:
        limit = time.monotonic() + STOCK_SECONDS_MAX
        while await self._count("stock") < skus:
            if time.monotonic() > limit:
                raise LoadError(f"the stock did not arrive in {STOCK_SECONDS_MAX:.0f} s")
            await asyncio.sleep(0.3)

    async def _count(self, table: str) -> int:
        count, after = 0, ""
        while True:
            page = await self.get(f"/tables/{table}?limit=1000&after={after}")
            count += len(page["rows"])
            if page["next"] is None:
                return count
            after = page["next"]

    async def play(self, plan: Plan) -> Loaded:
        """Send all requests in the file's order, orders at the given rate; return what was sent."""
        self.loaded.rows_read = plan.rows_read
        self.loaded.orders_planned = sum(isinstance(ask, PlaceOrder) for ask in plan.asks)
        began = time.monotonic()
        for ask in plan.asks:
            if isinstance(ask, PlaceOrder):
                due = began + self.loaded.orders_asked / self._rate
                await asyncio.sleep(max(due - time.monotonic(), 0))
            await self._ask(ask)
        return self.loaded

    async def _ask(self, ask: Ask) -> None:
        match ask:
            case PlaceOrder():
                key = f"retail:{ask.reference}"
                answer = await self._post("/orders", _order_body(ask), {"Idempotency-Key": key})
                self.loaded.order_ids[ask.reference] = answer["order_id"]
                self.loaded.orders_asked += 1
                self.loaded.rows["orders"] += ask.rows
            case ReturnItems():
                order_id = self.loaded.order_ids[ask.reference]
                body = {"return_id": ask.return_id, "lines": ask.lines}
                await self._post(f"/orders/{order_id}/returns", body)
                self.loaded.returns[ask.return_id] = (order_id, ask.rows)
                self.loaded.rows["returns"] += ask.rows
            case Adjust():
                body = {
                    "adjustment_id": ask.adjustment_id,
                    "sku": ask.sku,
                    "delta": ask.delta,
                    "reason": ask.reason,
                }
                await self._post("/stock/adjustments", body)
                self.loaded.adjustments += 1
                self.loaded.rows["adjustments"] += ask.rows
            case Refuse():
                self.loaded.refused[ask.reason] += ask.rows
                self.loaded.rows["refused"] += ask.rows

    async def get(self, path: str) -> Any:
        """Return the JSON at `path`; waits while the console is away."""
        return await self._request("GET", path, None, {})

    async def _post(self, path: str, body: object, headers: dict[str, str] | None = None) -> Any:
        return await self._request("POST", path, msgspec.json.encode(body), headers or {})

    async def _request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Any:
        async for attempt in stamina.retry_context(
            on=TryAgain, attempts=None, timeout=RETRY_SECONDS_MAX, wait_max=2.0
        ):
            with attempt:
                return await self._once(method, path, body, headers)
        raise LoadError(f"{method} {path} was never answered")

    async def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Any:
        record = {"Content-Type": "application/json", **headers}
        try:
            async with self._session.request(
                method, self._url + path, data=body, headers=record
            ) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TryAgain(f"{method} {path}: {error}") from error
        if answer.status >= 500:  # noqa: PLR2004
            raise TryAgain(f"{method} {path}: {text[:300]!r}")
        if answer.status >= 400:  # noqa: PLR2004
            raise LoadError(f"{method} {path} was refused: {text[:500].decode(errors='replace')}")
        return msgspec.json.decode(text)


def _order_body(ask: PlaceOrder) -> dict[str, Any]:
    lines = [msgspec.to_builtins(line) for line in ask.lines]
    return {
        "customer_id": ask.customer_id,
        "country": ask.country,
        "currency": retail_file.CURRENCY,
        "lines": lines,
        "charges": ask.charges,
        "payment_method": PAYMENT_METHOD,
        "ordered_at_ms": ask.ordered_at_ms,
        "reference": ask.reference,
    }


Item = TypeVar("Item")


def _chunks(items: list[Item], size: int) -> Iterator[list[Item]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
