"""A worker that gets no further ends itself and says where; one that works or waits does not."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.config import Config
from app.host.exit import EXIT_STALLED
from tests.support.workers import end, publish, read, start, until

LIMIT_SECONDS = 8
SLOW_EVENTS = 2_000
"""At 64 calls at once of half a second each: one batch of twice the limit."""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """What the worker says."""
    return tmp_path / "worker.log"


@pytest.mark.parametrize(
    ("reason", "code", "log_parts"),
    [
        pytest.param(
            "wait", EXIT_STALLED, ("agent tally got no further", "stuck_app.py"), id="waits"
        ),
        pytest.param(
            "block", EXIT_STALLED, ("the event loop got no further", "stuck_app.py"), id="blocks"
        ),
        pytest.param("seize", 1, ("Timeout", "stuck_app.py"), id="seizes the interpreter"),
    ],
)
async def test_a_worker_that_is_stuck_ends(  # noqa: PLR0913  what is done, and what comes of it
    reason: str,
    code: int,
    log_parts: tuple[str, ...],
    instance: Config,
    stack: ExitStack,
    log: Path,
) -> None:
    """Whether the agent waits or the loop is blocked: an exit code of its own, and the stacks."""
    worker = start(instance, "stuck_app", log, stall_seconds=LIMIT_SECONDS)
    stack.callback(end, worker)
    await publish(instance, ["", reason])

    assert code == await asyncio.to_thread(worker.wait, 60)
    text = log.read_text()  # noqa: ASYNC240  the worker has ended
    assert [] == [part for part in log_parts if part not in text], text


async def test_a_worker_that_is_slow_or_idle_lives(
    instance: Config, stack: ExitStack, log: Path
) -> None:
    """A batch of twice the limit whose calls are answered, and then nothing to do for as long."""
    worker = start(instance, "stuck_app", log, stall_seconds=LIMIT_SECONDS)
    stack.callback(end, worker)
    await publish(instance, ["slow"] * SLOW_EVENTS, keys=SLOW_EVENTS)

    async def answered() -> bool:
        return len(await read(instance, "payments", 4)) >= SLOW_EVENTS or worker.poll() is not None

    await until(answered, "every event answered")

    with pytest.raises(subprocess.TimeoutExpired):
        await asyncio.to_thread(worker.wait, 2 * LIMIT_SECONDS)
