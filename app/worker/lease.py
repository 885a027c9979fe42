"""How long a worker may still write: while its group cannot have given its partitions away.

A worker that was suspended (a stopped process, a paused machine) wakes in the middle of a batch and
would go on writing rows that another has taken over. Offsets are fenced by the group's generation,
produced records are not; so the worker asks itself, before every write, whether the broker can have
missed it for longer than its session. Times are of the monotonic clock, in seconds: it runs on
while a process is stopped.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any

from aiokafka.errors import NodeNotReadyError
from aiokafka.protocol.produce import ProduceRequest

MARGIN_SECONDS = 2.0
"""A write needs time to arrive."""


class Lease:
    """Renewed by every heartbeat that the group's coordinator has answered."""

    def __init__(self, session_seconds: float) -> None:
        self._session = session_seconds
        self._until = 0.0
        self.lost = False
        """Whether the group has removed this member."""

    def renew(self, asked_at: float) -> None:
        """Note that a heartbeat sent at `asked_at` was answered: the session began anew then."""
        self.lost = False
        self._until = max(self._until, asked_at + self._session - MARGIN_SECONDS)

    def lose(self) -> None:
        """Note that the group has removed this member."""
        self.lost = True
        self._until = 0.0

    def holds(self, now: float) -> bool:
        """Return whether no other worker can own the partitions at `now`."""
        return now < self._until


def follow(coordinator: Any, lease: Lease, lost: Callable[[], None]) -> None:
    """Renew `lease` with every heartbeat of aiokafka's group `coordinator`.

    `lost` is called when the group no longer knows this member.
    """
    checkpoint, begin = coordinator._do_heartbeat, coordinator._start_heartbeat_task
    reset = coordinator.reset_generation

    async def do_heartbeat() -> bool:
        asked_at = time.monotonic()
        is_member = bool(await checkpoint())
        if is_member:
            lease.renew(asked_at)
        return is_member

    def start_heartbeat_task() -> None:
        # aiokafka's first heartbeat comes after an interval; nobody may write until then.
        begin()
        coordinator._first_heartbeat = asyncio.ensure_future(do_heartbeat())

    def reset_generation() -> None:
        reset()
        lease.lose()
        lost()

    coordinator._do_heartbeat = do_heartbeat
    coordinator._start_heartbeat_task = start_heartbeat_task
    coordinator.reset_generation = reset_generation


def write_under(client: Any, lease: Lease, owned: Collection[str]) -> None:
    """Let a producer's `client` write to a topic of `owned` only while `lease` holds.

    The producer retries a refused write, which keeps its place and its sequence number.
    """
    send = client.send

    async def authorized(node_id: int, request: Any, **options: Any) -> Any:
        if isinstance(request, ProduceRequest) and _touches(request, owned):
            # Nothing is awaited between this check and the write: `send` finds the connection
            # ready.
            if not await client.ready(node_id):
                raise NodeNotReadyError(f"node {node_id} is not ready")
            if not lease.holds(time.monotonic()):
                raise NodeNotReadyError("the session may have run out: nothing is written")
        return await send(node_id, request, **options)

    client.send = authorized


def _touches(request: Any, owned: Collection[str]) -> bool:
    return any(topic in owned for topic, _ in request._topics)
