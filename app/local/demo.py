"""`payflow demo`: a whole instance that plays real orders; with `--once` it ends with a report."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from app.auth import operators
from app.config import Config
from app.kafka.producer import open_producer
from app.local import demo_report, fault_switches
from app.local.importers.endless import POISON, POISON_TOPIC, draw
from app.local.importers.loaded import report_lines
from app.local.importers.order_file import FileOptions, read_plan
from app.local.importers.player import Player
from app.local.importers.retail_file import Plan
from app.local.instance_folder import emptied, worker_url
from app.local.supervisor import Supervisor
from app.operations.verification import auditor
from app.operations.verification.verdict import Verdict
from workflows.shared.errors import PayflowError

SETTLE_SECONDS_MAX = 600.0
SHOW_SECONDS = 1.0
RATE_MAX = 2.0
"""Orders per second after the file: a machine with two cores has time left."""
CARRIER_FAULTS = {"refuse": 0.02}

Say = Callable[[str], None]
Show = Callable[[dict[str, Any]], None]


class DemoError(PayflowError):
    """The demo did not come to its end; the message says what is still open."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The file to play, and the options."""

    file: Path
    options: FileOptions = FileOptions()
    rate: float
    once: bool = False
    faults: dict[str, dict[str, float]] = {}


def fresh(config: Config, say: Say) -> Config:
    """Return `config` with an empty data folder of the demo's own; raises as `emptied` does."""
    own = replace(config, data_dir=str(config.data_path / "demo"))
    emptied(own.data_path, say)
    return own


class Demo:
    """One run of the demo: Payflow, the file, and the display."""

    def __init__(self, config: Config, wanted: Wanted, say: Say, show: Show) -> None:
        self.config = config
        self.wanted = wanted
        self._say = say
        self._show = show
        self._began = time.monotonic()
        self._first_completed = False

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
            for system, record in self.wanted.faults.items():
                await fault_switches.put(getattr(self.config, f"{system}_url"), record)
            player = Player(self.config.console_url, self.wanted.rate, session, self._step)
            await player.receive_stock(plan, self._step)
            watching = asyncio.create_task(self._watch(player))
            try:
                await player.play(plan)
                self._step("the file has been played")
                for line in report_lines(player.loaded):
                    self._say(f"         {line}")
                if self.wanted.once:
                    verdict = await self._settled(player)
                    return await self._report(player, verdict, instance)
                await self._go_on(player, plan)
            finally:
                watching.cancel()
        return None

    async def _go_on(self, player: Player, plan: Plan) -> None:
        """Place orders drawn from the file for ever, of which a few end badly."""
        rate = min(self.wanted.rate, RATE_MAX)
        if not self.wanted.faults.get("carrier"):
            await fault_switches.put(self.config.carrier_url, CARRIER_FAULTS)
        async with open_producer(self.config) as producer:
            await producer.send_and_wait(POISON_TOPIC, POISON)
        self._step(f"goes on with {rate:g} orders per second like those of the file; Ctrl-C stops")
        await player.go_on(draw(plan, seed=1), rate)

    def _own(self) -> Config:
        """Return the configuration of a demo: of past orders, with faults as they are wanted."""
        return replace(self.config, backdate="everyone", fault_injection=True)

    def _step(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:5.1f} s  {text}")

    async def _watch(self, player: Player) -> None:
        while True:
            figures = await player.get("/figures")
            totals = figures["totals"]
            if totals.get("completed") and not self._first_completed:
                self._first_completed = True
                self._step("first order completed")
            self._show({**figures, "planned": player.loaded.orders_planned})
            await asyncio.sleep(SHOW_SECONDS)

    async def _settled(self, player: Player) -> Verdict:
        """Return the verdict once every order has ended and none is in motion."""
        limit = time.monotonic() + SETTLE_SECONDS_MAX
        while True:
            totals = (await player.get("/figures"))["totals"]
            quiet = totals.get("open", 1) == 0 or time.monotonic() > limit
            if quiet and totals.get("orders", 0) >= player.loaded.orders_asked:
                verdict = await auditor.verify(self.config)
                if not verdict.unsettled or time.monotonic() > limit:
                    return verdict
            if time.monotonic() > limit + SHOW_SECONDS:
                raise DemoError(f"after {SETTLE_SECONDS_MAX:.0f} s: {totals.get('open')} open")
            await asyncio.sleep(SHOW_SECONDS)

    async def _report(
        self, player: Player, verdict: Verdict, instance: Supervisor
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
