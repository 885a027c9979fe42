"""Plays a retail file through the HTTP API, as the shop's own system would."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from random import Random
from typing import Any
from urllib.parse import quote

import msgspec

from app.local.importers import retail_file
from app.local.importers.endless import DrawnOrder
from app.local.importers.file_content import LoadError
from app.local.importers.file_countries import asked_country
from app.local.importers.loaded import LoadedFile
from app.local.importers.receipts import CountedAs, Receipt, counted_as, needs
from app.local.importers.retail_file import Adjust, Ask, PlaceOrder, Plan, Refuse, ReturnItems
from app.local.importers.shop_client import Conflict, Refused, ShopClient
from workflows.inventory.shelf import REMEMBERED_MAX
from workflows.payment.capture_messages import CaptureKind

ORDERS_PER_SECOND = 18.0
Captures = CaptureKind
"""When the money of the orders is taken."""
STOCK_SECONDS_MAX = 120.0
PAYMENT_METHOD = "pm_card_visa"
RETURN_SECONDS = 20.0
"""How long after it was placed an order comes back: it has probably arrived."""
RETURN_AGAIN_SECONDS = 2.0
"""How long a return waits that is refused because nothing has been shipped yet."""
RETURN_SECONDS_MAX = 900.0
"""And in all: by then an order has ended, or is stuck."""
ENDED = frozenset({"completed", "cancelled"})
"""States of an order in which the refusal of a return is final."""


class Player:
    """One file on its way through the API of an instance."""

    def __init__(
        self,
        shop: ShopClient,
        rate: float,
        *,
        capture: Captures = "automatic",
        partial_percent: float = 0,
    ) -> None:
        self.loaded = LoadedFile()
        self._unshipped: deque[tuple[float, ReturnItems]] = deque()
        """Returns of orders that were not shipped, and when each is asked for again."""
        self._shop = shop
        self._capture: Captures = capture
        self._partial_percent = partial_percent
        """How many orders may ship without what is out of stock; the same ones each time."""
        self._rate = rate

    async def get(self, path: str) -> Any:
        """Return the JSON at `path`; waits while the console is away."""
        return await self._shop.get(path)

    async def receive_stock(self, receipts: Sequence[Receipt], say: Callable[[str], None]) -> None:
        """Receive what `receipts` say; return when it is on hand."""
        item_names: list[CountedAs] = []
        for receipt in receipts:
            answer = await self._shop.post("/stock/receipts", msgspec.to_builtins(receipt))
            item_names += counted_as(receipt, answer)
        items = [item for receipt in receipts for item in receipt.items]
        skus = {item.sku for item in items}
        say(f"{sum(item.quantity for item in items)} units of {len(skus)} SKUs received")
        await self._wait_for_stock(item_names)

    async def _wait_for_stock(self, receipts: list[CountedAs]) -> None:
        limit = time.monotonic() + STOCK_SECONDS_MAX
        names = frozenset(each for receipt in receipts for each in receipt)
        counted = await self._counted(names)
        while not all(receipt & counted for receipt in receipts):
            if time.monotonic() > limit:
                raise LoadError(f"the stock did not arrive in {STOCK_SECONDS_MAX:.0f} s")
            await asyncio.sleep(0.3)
            counted = await self._counted(names)

    async def _counted(self, names: frozenset[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return every receipt that a shelf has counted, or may have, with its SKU."""
        counted: set[tuple[str, str]] = set()
        after = ""
        while True:
            page = await self._shop.get(f"/tables/stock?limit=1000&after={quote(after, safe='')}")
            for row in page["rows"]:
                counted |= {(row["key"], each) for each in row["state"]["counted"]}
                if len(row["state"]["counted"]) >= REMEMBERED_MAX:
                    # The shelf may have counted the receipt long ago, and forgotten it.
                    counted |= {each for each in names if each[0] == row["key"]}
            if page["next"] is None:
                return counted
            after = page["next"]

    async def play(
        self,
        plan: Plan,
        later: Sequence[Receipt] = (),
        say: Callable[[str], None] = lambda _: None,
    ) -> LoadedFile:
        """Send all requests in the file's order, orders at the given rate; return what was sent.

        The stock of `later` is received meanwhile, and what needs it waits until it is on hand. A
        return waits until its order is shipped.
        """
        self.loaded.begin(plan)
        if not later:
            return await self._play(plan, None, frozenset())
        receiving = asyncio.create_task(self.receive_stock(later, say))
        later_skus = frozenset(item.sku for receipt in later for item in receipt.items)
        try:
            return await self._play(plan, receiving, later_skus)
        finally:
            receiving.cancel()

    async def _play(
        self, plan: Plan, receiving: asyncio.Task[None] | None, later_skus: frozenset[str]
    ) -> LoadedFile:
        began = time.monotonic()
        for ask in plan.asks:
            if receiving is not None and not later_skus.isdisjoint(needs(ask)):
                await receiving
                receiving = None
                # Orders that have waited keep their distances: all at once, they would be a crowd.
                began = max(began, time.monotonic() - self.loaded.orders_asked / self._rate)
            if isinstance(ask, PlaceOrder):
                due = began + self.loaded.orders_asked / self._rate
                await asyncio.sleep(max(due - time.monotonic(), 0))
            await self._ask(ask)
            while self._unshipped and self._unshipped[0][0] < time.monotonic():
                await self._ask(self._unshipped.popleft()[1])
        limit = time.monotonic() + RETURN_SECONDS_MAX
        while self._unshipped:
            due, back = self._unshipped.popleft()
            await asyncio.sleep(max(due - time.monotonic(), 0))
            await self._ask(back, again=time.monotonic() < limit)
        return self.loaded

    async def go_on(self, orders: Iterator[DrawnOrder], rate: float) -> None:
        """Place `orders` at `rate` per second, each when it is due, and return some of them."""
        began, coming_back = time.monotonic(), deque[tuple[float, str, DrawnOrder]]()
        for number, draw in enumerate(orders):
            await asyncio.sleep(max(began + number / rate - time.monotonic(), 0))
            while coming_back and coming_back[0][0] < time.monotonic():
                await self._return_items(*coming_back.popleft()[1:])
            with suppress(Refused):
                order_id = await self._place_drawn(draw)
                if draw.ending == "returned":
                    coming_back.append((time.monotonic() + RETURN_SECONDS, order_id, draw))

    async def _place_drawn(self, draw: DrawnOrder) -> str:
        if draw.receipt.items:
            await self._shop.post("/stock/receipts", msgspec.to_builtins(draw.receipt))
        key = f"demo:{draw.order.reference}"
        body = self._order_body(draw.order) | {"payment_method": draw.payment_method}
        del body["ordered_at_ms"]  # it is placed now
        answer = await self._shop.post("/orders", body, {"Idempotency-Key": key})
        return str(answer["order_id"])

    async def _return_items(self, order_id: str, draw: DrawnOrder) -> None:
        line = draw.order.lines[0]
        back = {"sku": line.sku, "quantity": line.quantity}
        body = {"return_id": f"back-{draw.order.reference}", "lines": [back]}
        with suppress(Refused):  # it may have been cancelled
            await self._shop.post(f"/orders/{order_id}/returns", body)

    async def _ask(self, ask: Ask, *, again: bool = True) -> None:
        """Ask one thing; what the API refuses is counted, and the next goes on."""
        try:
            match ask:
                case PlaceOrder():
                    await self._place(ask)
                case ReturnItems():
                    await self._return(ask)
                case Adjust():
                    await self._adjust(ask)
                case Refuse():
                    self.loaded.refuse(ask)
        except Refused as error:
            if again and isinstance(error, Conflict) and isinstance(ask, ReturnItems):
                order_id = self.loaded.order_ids[ask.reference]
                if (await self._shop.get(f"/orders/{order_id}"))["state"] not in ENDED:
                    self._unshipped.append((time.monotonic() + RETURN_AGAIN_SECONDS, ask))
                    return
            reason = f"the API refuses it: {error}"
            self.loaded.refuse(Refuse(rows=ask.rows, file_lines=ask.file_lines, reason=reason))

    async def _place(self, ask: PlaceOrder) -> None:
        key = f"retail:{ask.reference}"
        answer = await self._shop.post("/orders", self._order_body(ask), {"Idempotency-Key": key})
        self.loaded.order_ids[ask.reference] = str(answer["order_id"])
        self.loaded.orders_asked += 1
        self.loaded.count("orders", ask)

    def _order_body(self, ask: PlaceOrder) -> dict[str, Any]:
        lines = [msgspec.to_builtins(line) for line in ask.lines]
        percentile = Random(ask.reference).uniform(0, 100)  # noqa: S311  the same for each order
        return {
            "customer_id": ask.customer_id,
            "country": asked_country(ask.country),
            "currency": retail_file.CURRENCY,
            "lines": lines,
            "charges": ask.charges,
            "payment_method": PAYMENT_METHOD,
            "capture": self._capture,
            "partial_shipment": percentile < self._partial_percent,
            "ordered_at_ms": ask.ordered_at_ms,
            "reference": ask.reference,
        }

    async def _return(self, ask: ReturnItems) -> None:
        order_id = self.loaded.order_ids.get(ask.reference)
        if order_id is None:
            raise Refused("the order that it returns was refused")
        lines = [{"sku": line.sku, "quantity": line.quantity} for line in ask.lines]
        body = {"return_id": ask.return_id, "lines": lines}
        await self._shop.post(f"/orders/{order_id}/returns", body)
        self.loaded.returns[ask.return_id] = (order_id, ask.rows)
        self.loaded.return_lines[ask.return_id] = ask.file_lines
        self.loaded.count("returns", ask)

    async def _adjust(self, ask: Adjust) -> None:
        body = {
            "adjustment_id": ask.adjustment_id,
            "sku": ask.sku,
            "delta": ask.delta,
            "reason": ask.reason,
        }
        await self._shop.post("/stock/adjustments", body)
        self.loaded.adjustments += 1
        self.loaded.count("adjustments", ask)
