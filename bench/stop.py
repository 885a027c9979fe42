"""What people who look cost a stop: `python -m bench.stop [--tabs 20] [--rounds 3]`.

An instance is started, watched live in open tabs of a real Chromium or by nobody, in turn, and
stopped.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from playwright.async_api import async_playwright

from app.config import Config
from app.local.supervisor import Supervisor

LIVE_SECONDS = 3.0


async def stop_seconds(folder: Path, tabs: int) -> float:
    """Return how long an instance on `folder` takes to stop with `tabs` open."""
    own = Config(data_dir=str(folder), broker_port=0, console_port=0)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        async with Supervisor(own, lambda _line: None).up() as instance:
            for _ in range(tabs):
                page = await (await browser.new_context()).new_page()
                await page.goto(instance.config.console_url)
            await asyncio.sleep(LIVE_SECONDS)
            began = time.monotonic()
        seconds = time.monotonic() - began
        await browser.close()
    print(f"{tabs} tabs: {seconds:.2f} s", file=sys.stderr, flush=True)
    return round(seconds, 2)


async def measure(tabs: int, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each stop, without tabs and with them in turn."""
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(rounds):
        for name, open_ in (("without", 0), ("with", tabs)):
            with tempfile.TemporaryDirectory(prefix="payflow-bench-") as folder:
                seconds[name].append(await stop_seconds(Path(folder), open_))
    return seconds


def main() -> None:
    """Measure and print, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.stop", description=__doc__)
    parser.add_argument("--tabs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    record = parser.parse_args()
    seconds = asyncio.run(measure(record.tabs, record.rounds))
    ratio = statistics.median(seconds["with"]) / statistics.median(seconds["without"])
    print(msgspec.json.encode({"seconds": seconds, "with_over_without": round(ratio, 2)}).decode())


if __name__ == "__main__":
    main()
