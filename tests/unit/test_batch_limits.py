"""How much an agent takes at once: a row holds what its batch decides, so bytes are bounded."""

import asyncio
from types import SimpleNamespace
from typing import Any

from app.config import Config
from app.registry import load_agents
from app.wire.byte_limits import BATCH_BYTES_MAX, BODY_BYTES_MAX
from app.worker.log_check import LogCheck
from app.worker.runner import BATCH_EVENTS_MAX, Runner


def event(size: int) -> Any:
    """Return an event as Faust gives it, with a body of `size` bytes."""
    message = SimpleNamespace(
        topic="orders", partition=0, offset=0, key=b"o", value=b"x" * size, headers=(), timestamp=1
    )
    return SimpleNamespace(message=message)


async def batches(sizes: list[int]) -> list[int]:
    """Return the number of events in each batch."""
    app: Any = SimpleNamespace(
        agent_names=[], revocation_listeners=[], crash_point=None, logs=LogCheck(Config())
    )
    runner = Runner(app, load_agents()["order"], Config(), None)
    queue: asyncio.Queue[Any] = asyncio.Queue()
    for size in sizes:
        queue.put_nowait(event(size))
    counts: list[int] = []
    while not queue.empty():
        counts.append(len(await runner._next_batch(queue)))
    return counts


async def test_large_events_are_taken_a_few_at_a_time() -> None:
    """And small ones up to their number; none is left."""
    large = await batches([BODY_BYTES_MAX] * 9)
    small = await batches([100] * (BATCH_EVENTS_MAX + 1))

    assert [2, 2, 2, 2, 1] == large
    assert max(large) * BODY_BYTES_MAX <= BATCH_BYTES_MAX
    assert [BATCH_EVENTS_MAX, 1] == small
