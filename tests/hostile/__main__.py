"""`python -m tests.hostile`: an instance of its own, lied to for a while, then asked if it held."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app.chaos.report import breaches_of
from app.config import Config
from app.local.supervisor import Supervisor
from tests.hostile.program import DrillOptions, Found, attack


async def run(folder: Path, *, seconds: float, rate: float, orders: float, seed: int) -> Found:
    """Return what came of an attack on an instance in `folder`."""
    config = Config(data_dir=str(folder), broker_port=0, console_port=0)
    options = DrillOptions(seconds=seconds, rate=rate, orders_rate=orders, seed=seed)
    async with Supervisor(config, say).up() as instance:
        return await attack(instance.config, options, say)


def say(text: str) -> None:
    """Show progress."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack, print what came of it; return 1 when Payflow did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=100.0, help="lies a second")
    parser.add_argument("--orders", type=float, default=5.0, help="honest orders per second")
    parser.add_argument("--seed", type=int, default=1)
    record = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="payflow-hostile-"))
    outcome = asyncio.run(
        run(
            folder, seconds=record.seconds, rate=record.rate, orders=record.orders, seed=record.seed
        )
    )
    verdict = outcome.verdict
    print(
        f"lies: {outcome.tricks}; {outcome.poison} poison, {len(outcome.missing)} not dead-lettered"
    )
    print(f"orders: {outcome.orders} accepted, {verdict.figures['orders_completed']} completed")
    print(f"verify: {'holds' if verdict.verify_ok else 'BROKEN'} {breaches_of(verdict)[:20]}")
    for line in outcome.missing[:40]:
        print(f"missing: {line}")
    held = verdict.verify_ok and not outcome.missing and not outcome.lost
    if held:
        shutil.rmtree(folder)
    else:
        print(f"logs: {folder}/logs")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
