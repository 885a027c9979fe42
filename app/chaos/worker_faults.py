"""Faults of Payflow's processes: kills, freezes, rebalances, wiped and damaged disks."""

import asyncio
import os
import resource
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import psutil
from msgspec.structs import replace

from app.chaos.instance import DrillError, Site, spare
from app.chaos.plan import Step
from app.config import Config
from app.host.exit import EXIT_UNSAFE

FULL_AT_BYTES = 4_096
DAMAGED_BYTES = 64
DISCARDED = "batches discarded"
"""What a worker logs when the group went on without it in the middle of a batch."""

Mark = float
"""When the fault was over (monotonic): recovery is counted from there."""


async def kill(site: Site, step: Step, _random: Random) -> Mark:
    """Kill the worker by SIGKILL, at any moment."""
    os.kill(site.child(step.target).pid, signal.SIGKILL)
    return time.monotonic()


async def crash_point(site: Site, step: Step, _random: Random) -> Mark:
    """Let the worker kill itself at a checkpoint of the engine."""
    child = site.child(step.target)
    await site.restart(step.target, {"PAYFLOW_CRASH_AT": step.detail})
    doomed = child.pid
    await site.until(lambda: child.pid != doomed or not child.running, f"crash at {step.detail}")
    return time.monotonic()


async def term_in_rebalance(site: Site, step: Step, random: Random) -> Mark:
    """Stop a worker cleanly at the moment another one joins."""
    child = site.child(step.target)
    joining = spare(step.target, _second_config(site, step.target), site.config.data_path)
    joining.start()
    try:
        await asyncio.sleep(random.uniform(1.5, site.size.joining_seconds_max))
        restarts = child.restarts
        await site.stop(step.target, child)
        mark = time.monotonic()
        await site.until(lambda: child.restarts > restarts, f"{step.target} is started again")
        await asyncio.sleep(site.size.stay_seconds)
        await site.stop(f"{step.target} (second)", joining)
    finally:
        joining.kill()
    return mark


async def join_and_leave(site: Site, step: Step, _random: Random) -> Mark:
    """Let a second worker join the group, and leave it again."""
    async with site.second(step.target):
        await asyncio.sleep(site.size.stay_seconds)
    return time.monotonic()


async def zombie(site: Site, step: Step, _random: Random) -> Mark:
    """Freeze a worker with a decided batch; another takes over; then the first one wakes."""
    child = site.child(step.target)
    async with site.second(step.target):
        await site.restart(step.target, {"PAYFLOW_CRASH_AT": "decided:8:stop"})
        sleeper = child.pid
        await site.until(lambda: _frozen(sleeper), f"{step.target} freezes")
        await asyncio.sleep(site.size.sleep_seconds)
        os.kill(sleeper, signal.SIGCONT)
        mark = time.monotonic()
        log_path = child.log_path
        await site.until(
            lambda: DISCARDED in log_path.read_text(), f"{step.target} discards its batch"
        )
    if child.pid != sleeper:
        raise DrillError(f"{step.target} ended when its session was over: {child.reason()}")
    return mark


def _frozen(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() == psutil.STATUS_STOPPED


@asynccontextmanager
async def _dead(site: Site, service: str) -> AsyncIterator[Path]:
    """Keep the worker of `service` killed for a `with`; yield its folder."""
    child = site.child(service)
    site.supervisor.held.add(service)
    try:
        child.kill()
        yield site.folder(service)
    finally:
        site.supervisor.held.discard(service)


async def disk_wiped(site: Site, step: Step, _random: Random) -> Mark:
    """Kill the worker and delete its tables, which are restored from the changelog."""
    async with _dead(site, step.target) as folder:
        shutil.rmtree(folder)
    return time.monotonic()


async def disk_damaged(site: Site, step: Step, random: Random) -> Mark:
    """Kill the worker and overwrite bytes of its tables."""
    async with _dead(site, step.target) as folder:
        stores = sorted(folder.glob("**/*.db"))
        if not stores:
            raise DrillError(f"no tables in {folder}")
        for store in stores:
            _corrupt(store, random)
    return time.monotonic()


def _corrupt(store: Path, random: Random) -> None:
    """Overwrite bytes of the largest SST file, or of the manifest when there is none yet."""
    files = sorted(store.glob("*.sst"), key=lambda path: path.stat().st_size)
    path = files[-1] if files else next(iter(sorted(store.glob("MANIFEST-*"))))
    body = bytearray(path.read_bytes())
    at = random.randrange(max(1, len(body) - DAMAGED_BYTES))
    body[at : at + DAMAGED_BYTES] = random.randbytes(DAMAGED_BYTES)
    path.write_bytes(bytes(body))


async def two_on_one_folder(site: Site, step: Step, _random: Random) -> Mark:
    """Start a second worker on the folder of the first: it is refused, and names the holder."""
    own = replace(site.config, service=step.target)
    intruder = spare(step.target, own, site.config.data_path)
    intruder.start()
    try:
        await site.until(lambda: not intruder.running, "the second on one folder is refused")
        last_lines = intruder.last_lines()
        if intruder.exit_code != EXIT_UNSAFE or str(site.child(step.target).pid) not in last_lines:
            raise DrillError(f"refused with code {intruder.exit_code}, saying: {last_lines}")
    finally:
        intruder.kill()
    return time.monotonic()


async def disk_full(site: Site, step: Step, _random: Random) -> Mark:
    """Let no file of the worker grow until it is restarted (RLIMIT_FSIZE)."""
    child = site.child(step.target)
    full = child.pid
    resource.prlimit(full, resource.RLIMIT_FSIZE, (FULL_AT_BYTES, FULL_AT_BYTES))
    await site.until(lambda: child.pid != full or not child.running, f"{step.target} stops")
    return time.monotonic()


async def clock_step(site: Site, step: Step, _random: Random) -> Mark:
    """Set the clock of one worker an hour off for a while, and then right again."""
    library = clock_library()
    if library is None:
        raise DrillError(obstacle(step.fault))
    off = {
        "LD_PRELOAD": str(library),
        "FAKETIME": step.detail,
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    await site.restart(step.target, off)
    await asyncio.sleep(site.size.clock_seconds)
    await site.restart(step.target, {})
    return time.monotonic()


def clock_library() -> Path | None:
    """Return the library that shifts a process's clock, or None when it is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def obstacle(fault: str) -> str:
    """Return why `fault` cannot be injected on this machine; empty when it can."""
    if fault == "clock_step" and clock_library() is None:
        return "libfaketime is not installed. Operator: apt-get install faketime"
    return ""


def _second_config(site: Site, service: str) -> Config:
    folder = site.config.data_path / f"second-{service}"
    return replace(site.config, service=service, data_dir=str(folder))


WORKERS = {
    each.__name__: each
    for each in (
        kill,
        crash_point,
        term_in_rebalance,
        join_and_leave,
        zombie,
        disk_wiped,
        disk_damaged,
        two_on_one_folder,
        disk_full,
        clock_step,
    )
}
"""Every fault of this module by name."""
