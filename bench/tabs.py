"""What people who look cost those who work: `python -m bench.tabs [--tabs 20] [--rate 3]`.

An instance of its own is given orders at a steady rate. Windows without anybody and windows with
open tabs of a real Chromium take turns; of each window: events handled a second by all workers, the
processor time that an event took them, and how far they were behind at its end.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec
import psutil
from playwright.async_api import async_playwright

from app.chaos.load import Load
from app.chaos.probe import read_totals
from app.config import Config
from app.local.instance_folder import client_key, worker_url
from app.local.supervisor import Supervisor
from app.operations.search.consumer_groups import groups
from bench import SCOPES

NOT_WORKERS = frozenset({"up", "provider", "carrier", "console"})
"""Who is not a worker. The console serves the tabs: its own time is emitted apart."""
PAGES = ("/", "/console/transactions", "/console/invariants", "/console/flow")
"""What is open in the tabs, in turn; most people look at the first."""
REST_SECONDS = 8.0


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """One window."""

    tabs: int
    events_per_second: float
    cpu_us_per_event: float
    console_cpu: float
    """Cores that the console took."""
    behind: int
    """Events not yet handled at the end."""


async def measure_cost(instance: Supervisor, tabs: int, seconds: float) -> Cost:
    """Return what was measured in a window of `seconds`."""
    pids = {name: child.pid for name, child in instance.children.items()}
    workers = [pid for name, pid in pids.items() if name not in NOT_WORKERS]
    before = (await _events(instance), _cpu(workers), _cpu([pids["console"]]), time.monotonic())
    await asyncio.sleep(seconds)
    after = (await _events(instance), _cpu(workers), _cpu([pids["console"]]), time.monotonic())
    events, cpu, console, passed = (b - a for a, b in zip(before, after, strict=True))
    return Cost(
        tabs=tabs,
        events_per_second=round(events / passed, 1),
        cpu_us_per_event=round(cpu / max(events, 1) * 1e6),
        console_cpu=round(console / passed, 3),
        behind=sum(each.lag for each in await groups(instance.config)),
    )


async def _events(instance: Supervisor) -> float:
    config, workers = instance.config, instance.children.items()
    urls = [worker_url(config, name, each.pid) for name, each in workers if name not in NOT_WORKERS]
    async with aiohttp.ClientSession() as session:
        totals = [await read_totals(session, config, url) for url in urls]
    return float(sum(each.events for each in totals))


def _cpu(pids: Sequence[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(each.user + each.system for each in times)


async def measure(folder: Path, tabs: int, rate: float, seconds: float, pairs: int) -> list[Cost]:
    """Return what was seen, windows without and with tabs in turn."""
    own = Config(data_dir=str(folder), broker_port=0, console_port=0)
    costs: list[Cost] = []
    async with (
        Supervisor(own, _say).up() as instance,
        aiohttp.ClientSession() as session,
        async_playwright() as playwright,
    ):
        key = client_key(instance.config, SCOPES)
        load = Load(1, instance.config.console_url, session, key)
        await load.stock_up(lambda: asyncio.sleep(5))
        playing = asyncio.create_task(load.play(rate))
        await asyncio.sleep(REST_SECONDS)
        for _ in range(pairs):
            costs.append(await measure_cost(instance, 0, seconds))
            _say(str(costs[-1]))
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            for number in range(tabs):
                # A context each: connections of one would wait for each other.
                page = await (await browser.new_context()).new_page()
                await page.goto(instance.config.console_url + PAGES[number % len(PAGES)])
            await asyncio.sleep(REST_SECONDS)
            costs.append(await measure_cost(instance, tabs, seconds))
            _say(str(costs[-1]))
            await browser.close()
            await asyncio.sleep(REST_SECONDS)
        playing.cancel()
        await load.join()
    return costs


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ratio(costs: Sequence[Cost], name: str) -> float:
    """Return the median of `name` with tabs over the median without."""
    with_tabs, without = (
        statistics.median(getattr(each, name) for each in costs if bool(each.tabs) == open_)
        for open_ in (True, False)
    )
    return round(with_tabs / without, 3)


def main() -> None:
    """Measure and print, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.tabs", description=__doc__)
    parser.add_argument("--tabs", type=int, default=20)
    parser.add_argument("--rate", type=float, default=3.0, help="orders a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="of one window")
    parser.add_argument("--pairs", type=int, default=3)
    record = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="payflow-bench-") as folder:
        costs = asyncio.run(
            measure(Path(folder), record.tabs, record.rate, record.seconds, record.pairs)
        )
    ratios = {name: ratio(costs, name) for name in ("events_per_second", "cpu_us_per_event")}
    print(msgspec.json.encode({"windows": costs, "with_over_without": ratios}).decode())


if __name__ == "__main__":
    main()
