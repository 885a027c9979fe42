"""Disks fail: damaged tables are rebuilt, a full disk stops a worker, and nothing is ever lost."""

import asyncio
import os
import resource
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.config import Config
from app.delivery.row import decode_row
from app.host.exit import EXIT_UNSAFE
from tests.support.agents import TALLY
from tests.support.store_files import halve, only, overwrite
from tests.support.workers import (
    committed,
    emitted_ids,
    end,
    publish,
    read,
    rows,
    start,
    until,
)

KEYS = 100
EVENTS = 4_000
FEW = 10
FULL_AT_BYTES = 4_096

Damage = Callable[[Path], object]

CLOSED: Mapping[str, Damage] = {
    "tally-0.db": lambda path: (path / "CURRENT").unlink(),
    "tally-1.db": lambda path: os.truncate(only(path, "MANIFEST-*"), 0),
    "tally-2.db": lambda path: halve(newest(path, "*.sst")),
    # Only a read notices.
    "tally-3.db": lambda path: overwrite(newest(path, "*.sst"), 0.4),
}
KILLED: Mapping[str, Damage] = {
    "tally-0.db": lambda path: halve(newest(path, "*.log")),
    "tally-1.db": lambda path: overwrite(newest(path, "*.log"), 0.5),
    "tally-2.db": lambda path: overwrite(newest(path, "*.log"), 0.95),
    "tally-3.db": lambda path: newest(path, "*.log").unlink(),
}


def newest(path: Path, pattern: str) -> Path:
    """Return the newest of RocksDB's files: it numbers them."""
    return max(path.glob(pattern))


async def work(config: Config, stack: ExitStack, log: Path, events: int) -> list[int | None]:
    """Keep a worker alive until `events` are committed, stop it; return how each one ended."""
    workers = [start(config, "tally_app", log)]
    stack.callback(end, workers[-1])

    async def through() -> bool:
        if workers[-1].poll() is not None:
            workers.append(start(config, "tally_app", log))
            stack.callback(end, workers[-1])
        return await committed(config) >= events

    await until(through, f"{events} events through")
    workers[-1].send_signal(signal.SIGTERM)
    await asyncio.to_thread(workers[-1].wait, 20)
    return [worker.returncode for worker in workers]


def set_aside(folder: Path) -> list[str]:
    """Return the names of tables that were set aside, markers included."""
    return sorted(path.name for path in folder.glob("test/**/*.damaged*"))


async def check(config: Config, events: int) -> None:
    """Compare the rows on disk with their changelog, bit by bit, and count the events."""
    changelog = await read(config, "payflow-test-tally-changelog", 4)
    row_by_key = rows(config)
    assert {record.key: record.value for record in changelog} == row_by_key
    received = {key: decode_row(TALLY, body).state.received for key, body in row_by_key.items()}
    assert Counter(b"o%d" % (number % KEYS) for number in range(events)) == received
    emitted = await emitted_ids(config)
    assert events == len(set(emitted))


@pytest.mark.parametrize(
    ("names", "ends"),
    [
        pytest.param(["tally-3.db"], [EXIT_UNSAFE, 0], id="found at work"),
        # Where one is found at the start, the others are read through.
        pytest.param(sorted(CLOSED), [0], id="found at the start"),
    ],
)
async def test_damaged_tables_are_set_aside_and_rebuilt(
    instance: Config, stack: ExitStack, tmp_path: Path, names: list[str], ends: list[int]
) -> None:
    """At work the process ends for it, once; all is as before."""
    log = tmp_path / "worker.log"
    await publish(instance, [""] * EVENTS)
    assert [0] == await work(instance, stack, log, EVENTS)
    # The rows of the last batch are put again from the changelog: it must not be all of them.
    await publish(instance, [""] * FEW, first=EVENTS)
    assert [0] == await work(instance, stack, log, EVENTS + FEW)
    for name in names:
        CLOSED[name](only(Path(instance.data_dir), f"test/**/{name}"))
    await publish(instance, [""] * EVENTS, first=EVENTS + FEW)

    total = 2 * EVENTS + FEW
    assert ends == await work(instance, stack, log, total), log.read_text()
    await check(instance, total)
    assert [f"{name}.damaged-1" for name in names] == set_aside(Path(instance.data_dir))
    log_text = log.read_text()
    assert ends.count(EXIT_UNSAFE) == log_text.count(
        "payflow: the table tally is damaged: Corruption"
    )


async def test_what_a_killed_worker_s_log_has_lost_comes_from_the_changelog(
    instance: Config, stack: ExitStack, tmp_path: Path
) -> None:
    """Cut off, flipped, or gone: rows that were acknowledged are there again, bit by bit."""
    log = tmp_path / "worker.log"
    await publish(instance, [""] * EVENTS)
    worker = start(instance, "tally_app", log)
    stack.callback(end, worker)

    async def half_through() -> bool:
        return await committed(instance) > EVENTS // 2

    await until(half_through, "the worker is at work")
    end(worker)
    for name, hurt in KILLED.items():
        hurt(only(Path(instance.data_dir), f"test/**/{name}"))

    await publish(instance, [""] * EVENTS, first=EVENTS)

    assert [0] == await work(instance, stack, log, 2 * EVENTS), log.read_text()
    await check(instance, 2 * EVENTS)


async def test_a_full_disk_stops_the_worker_and_loses_nothing(
    instance: Config, stack: ExitStack, tmp_path: Path
) -> None:
    """No file may grow any more: it ends at once and says so; with space again, all is there."""
    log = tmp_path / "worker.log"
    await publish(instance, [""] * EVENTS)
    worker = start(instance, "tally_app", log)
    stack.callback(end, worker)

    async def at_work() -> bool:
        return await committed(instance) >= EVENTS

    await until(at_work, "the worker is at work")
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (FULL_AT_BYTES, FULL_AT_BYTES))
    await publish(instance, [""] * EVENTS, first=EVENTS)

    assert EXIT_UNSAFE == await asyncio.to_thread(worker.wait, 60)
    assert "payflow: the table tally cannot be read or written" in log.read_text().splitlines()[-1]
    assert EVENTS == await committed(instance)
    assert EVENTS == len(set(await emitted_ids(instance)))
    assert [0] == await work(instance, stack, log, 2 * EVENTS), log.read_text()
    await check(instance, 2 * EVENTS)
