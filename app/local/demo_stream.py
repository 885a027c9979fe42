"""What a demo does after its file: orders without end, until its folder is full."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from app.config import Config
from app.kafka.producer import open_producer
from app.local import fault_switches
from app.local.importers.endless import POISON, POISON_TOPIC, draw
from app.local.importers.player import Player
from app.local.importers.retail_file import Plan

ORDERS_PER_SECOND_AFTER = 1.0
"""After the file: a machine with two cores has time left for the pages."""
DISK_MB_MAX = 4_000
"""Every topic and row is kept, since `verify` reads them from their beginning: so orders have to
end where the folder is this large."""
SIZE_SECONDS = 5.0
CARRIER_FAULTS = {"refuse": 0.02}
FIRSTS = {
    "completed": "first order completed",
    "payment_failed": "first payment declined",
    "stock_outs": "first order out of stock",
    "fraud_detected": "first fraud found",
    "shipment_failed": "first shipment refused by the carrier",
    "returns_accepted": "first items returned",
}
"""What is said once, when a figure is no longer zero."""
MB, BLOCK_BYTES = 1_000_000, 512


class Firsts:
    """Says what has happened for the first time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._left = dict(FIRSTS)

    def note(self, totals: Mapping[str, int]) -> None:
        """Say what `totals` count that was never said."""
        for name in [each for each in self._left if totals.get(each)]:
            self._say(self._left.pop(name))


class Stream:
    """Orders drawn from a file, placed at `rate` per second until the folder holds `disk_mb`."""

    def __init__(self, config: Config, rate: float, disk_mb: int) -> None:
        self._config = config
        self._rate = rate
        self._disk_mb = disk_mb
        self.doing = ""
        """What it does now, for the line of progress."""

    async def run(self, player: Player, plan: Plan, say: Callable[[str], None]) -> None:
        """Place orders; return when the folder is full. Raises LoadError, FaultError."""
        if not (await fault_switches.get(self._config, "carrier")).get("refuse"):
            await fault_switches.put(self._config, "carrier", CARRIER_FAULTS)
        async with open_producer(self._config) as producer:
            await producer.send_and_wait(POISON_TOPIC, POISON)
        say(f"one dead letter waits: {self._config.console_url}/console/dead-letters")
        say(
            f"goes on with {self._rate:g} orders per second like those of the file, until "
            f"{self._config.data_path} holds {self._disk_mb:,} MB (--rate, --disk-mb); Ctrl-C stops"
        )
        playing = asyncio.create_task(player.go_on(draw(plan, seed=1), self._rate))
        try:
            while not playing.done() and await self._is_below_limit():
                await asyncio.wait({playing}, timeout=SIZE_SECONDS)
            if playing.done():
                playing.result()
        finally:
            playing.cancel()
        say(
            f"{self._config.data_path} holds {self._disk_mb:,} MB: no more orders are placed, "
            "everything else goes on. A new demo begins with an empty folder; Ctrl-C stops"
        )

    async def _is_below_limit(self) -> bool:
        size_mb = await asyncio.to_thread(folder_bytes, self._config.data_path) / MB
        if size_mb >= self._disk_mb:
            self.doing = f"no more: {self._disk_mb:,} MB are used"
            return False
        self.doing = f"{self._rate:g} per second, {size_mb:,.0f} of {self._disk_mb:,} MB"
        return True


def folder_bytes(path: Path) -> int:
    """Return what the files below `path` take on the disk; files that vanish count nothing."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                # An index of Kafka's is a file with holes: it takes less than its length.
                total += Path(folder, name).stat().st_blocks * BLOCK_BYTES
    return total
