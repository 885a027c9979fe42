"""`payflow demo`: a whole instance that plays real orders; with `--once` it ends with a report."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from app.auth import operators
from app.config import Config
from app.local import demo_report, demo_settlement, fault_switches
from app.local.demo_settlement import OpenSettlement
from app.local.demo_stream import Firsts, Stream
from app.local.importers.file_content import LoadError
from app.local.importers.loaded import report_lines
from app.local.importers.order_file import FileOptions, read_plan
from app.local.importers.player import Captures, Player
from app.local.importers.receipts import STOCK_PERCENT, divided, receipts_of
from app.local.importers.shop_client import ShopClient
from app.local.instance_folder import client_key, emptied, example, worker_url
from app.local.supervisor import Supervisor
from app.operations.reconciliation.settlement import Settlement
from app.operations.verification import auditor
from app.operations.verification.verdict import Verdict
from workflows.shared.errors import PayflowError

PARTIAL_PERCENT = 50.0
END_SECONDS_MAX = 600.0
SHOW_SECONDS = 1.0

Say = Callable[[str], None]
Show = Callable[[dict[str, Any]], None]


class DemoError(PayflowError):
    """The demo did not come to its end; the message says what is still open."""


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The file to play, and the options."""

    file: Path
    options: FileOptions = FileOptions()
    rate: float
    rate_after: float
    """Orders per second after the file."""
    disk_mb: int
    """The size of the data folder at which no more orders are placed."""
    once: bool = False
    capture: Captures = "at_shipment"
    partial_percent: float = PARTIAL_PERCENT
    """How many orders may ship without what is out of stock."""
    stock_percent: float = STOCK_PERCENT
    """How much of what the file sells is in stock."""
    scopes: tuple[str, ...]
    """Of the client that plays the file."""
    listed_at: str
    """The path at which a client lists what it has started."""
    faults: dict[str, dict[str, float]] = {}


def fresh(config: Config, say: Say) -> Config:
    """Return `config` with an empty data folder of the demo's own; raises as `emptied` does."""
    own = replace(config, data_dir=str(config.data_path / "demo"))
    emptied(own.data_path, say)
    return own


class Demo:
    """One run of the demo: Payflow, the file, and the display."""

    def __init__(
        self,
        config: Config,
        options: DemoOptions,
        say: Say,
        show: Show,
        open_settlement: OpenSettlement,
    ) -> None:
        self.config = config
        self.wanted = options
        self._say = say
        self._show = show
        self._open_settlement = open_settlement
        self._began = time.monotonic()
        self._firsts = Firsts(self._step)
        self._stream: Stream | None = None

    async def run(self) -> dict[str, Any] | None:
        """Play the file; return the report with `once`, otherwise go on until interrupted."""
        plan = read_plan(self.wanted.file, self.wanted.options)
        supervisor = Supervisor(self._own(), self._say)
        timeout = aiohttp.ClientTimeout(total=30)
        async with supervisor.up() as instance, aiohttp.ClientSession(timeout=timeout) as session:
            self.config = instance.config
            self._say(f"         the page: {self.config.console_url}/")
            if hint := operators.first_steps(self.config.data_path):
                self._say(f"         {hint}")
            player = self._player(session)
            self._say(f"         {example(self.config, self.wanted.listed_at)}")
            for system, record in self.wanted.faults.items():
                await fault_switches.put(self.config, system, record)
            first, later = divided(receipts_of(plan, self.wanted.stock_percent), plan)
            await player.receive_stock(first, self._step)
            watching = asyncio.create_task(self._watch(player))
            try:
                await player.play(plan, later, self._step)
                self._step("the file has been played")
                for line in report_lines(player.loaded):
                    self._say(f"         {line}")
                if self.wanted.once:
                    await self._wait_for_end(player)
                    settlement = await demo_settlement.settlement_of(
                        self.config, self._open_settlement, self._step
                    )
                    verdict = await self._wait_for_end(player)
                    return await self._report(player, verdict, settlement, instance)
                rate, disk_mb = self.wanted.rate_after, self.wanted.disk_mb
                self._stream = Stream(self.config, rate, disk_mb)
                await self._stream.run(player, plan, self._step)
                await asyncio.Event().wait()  # for Ctrl-C
            finally:
                watching.cancel()
        return None

    def _player(self, session: aiohttp.ClientSession) -> Player:
        key = client_key(self.config, self.wanted.scopes)
        return Player(
            ShopClient(self.config, key, session, self._step),
            self.wanted.rate,
            capture=self.wanted.capture,
            partial_percent=self.wanted.partial_percent,
        )

    def _own(self) -> Config:
        """Return the configuration of a demo: with faults as they are wanted."""
        return replace(self.config, fault_injection=True)

    def _step(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:5.1f} s  {text}")

    async def _watch(self, player: Player) -> None:
        while True:
            # A console that is away for long says so when the next order is placed.
            with suppress(LoadError):
                figures = await player.get("/figures")
                self._firsts.note(figures["totals"])
                self._show({**figures, "doing": self._doing(player)})
            await asyncio.sleep(SHOW_SECONDS)

    def _doing(self, player: Player) -> str:
        if self._stream is not None:
            return self._stream.doing
        return f"{player.loaded.orders_planned:,} in the file"

    async def _wait_for_end(self, player: Player) -> Verdict:
        """Return the verdict once every order has ended and none is in motion."""
        limit = time.monotonic() + END_SECONDS_MAX
        while True:
            totals = (await player.get("/figures"))["totals"]
            quiet = totals.get("open", 1) == 0 or time.monotonic() > limit
            if quiet and totals.get("orders", 0) >= player.loaded.orders_asked:
                verdict = await auditor.verify(self.config)
                if not verdict.unsettled or time.monotonic() > limit:
                    return verdict
            if time.monotonic() > limit + SHOW_SECONDS:
                raise DemoError(f"after {END_SECONDS_MAX:.0f} s: {totals.get('open')} open")
            await asyncio.sleep(SHOW_SECONDS)

    async def _report(
        self, player: Player, verdict: Verdict, settlement: Settlement, instance: Supervisor
    ) -> dict[str, Any]:
        refused: dict[str, str] = {}
        for return_id, (order_id, _) in player.loaded.returns.items():
            order = await player.get(f"/orders/{order_id}")
            for back in order["returns"]:
                if back["return_id"] == return_id and back["state"] == "refused":
                    refused[return_id] = back["reason"]
        return demo_report.build(
            player.loaded,
            verdict,
            settlement,
            returns_refused=refused,
            duplicates_dropped=await _duplicates(instance),
            wall_s=time.monotonic() - self._began,
        )


async def _duplicates(instance: Supervisor) -> int:
    """Return the number of duplicates that the live workers have dropped."""
    total = 0.0
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for name, child in instance.children.items():
            url = worker_url(instance.config, name, child.pid)
            if not url:
                continue
            async with session.get(f"{url}/metrics") as answer:
                text = await answer.text()
            for family in text_string_to_metric_families(text):
                if family.name == "payflow_duplicates_dropped":
                    total += sum(s.value for s in family.samples if s.name.endswith("_total"))
    return int(total)
