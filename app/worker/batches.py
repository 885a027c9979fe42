"""The batches under way in one worker: waited for at a rebalance, or discarded.

A batch is a task of its own. When the group has gone on without this worker, the decisions of
a batch are void, as after a crash: the task is cancelled, its producer is replaced, and its
records come again from the committed offsets. No row and no record says otherwise, since a crash at
each of these moments leaves the same behind (`app.delivery.processor`).
"""

import asyncio
from collections.abc import Coroutine


class Batches:
    """The batches under way, and whether another may begin."""

    def __init__(self) -> None:
        self.idle = asyncio.Event()
        self.idle.set()
        self._running: set[asyncio.Task[None]] = set()
        self._open = True

    async def run(self, batch: Coroutine[object, None, None]) -> bool:
        """Run `batch`; return False when it was discarded, or did not begin. Raises what it does.

        What it was made of comes again then.
        """
        if not self._open:
            batch.close()
            return False
        task = asyncio.ensure_future(batch)
        self._running.add(task)
        self.idle.clear()
        try:
            await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            return False
        finally:
            self._running.discard(task)
            if not self._running:
                self.idle.set()
        return True

    def suspend(self) -> None:
        """Let no other batch begin until `resume`: partitions are being shared out."""
        self._open = False

    def resume(self) -> None:
        """Let batches begin: what was read before is dropped, and comes again."""
        self._open = True

    def discard(self) -> int:
        """Cancel every batch under way, let no other begin; return how many are cancelled now."""
        self.suspend()
        return sum(task.cancel() for task in self._running if not task.cancelling())
