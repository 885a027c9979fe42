"""The low watermark of each partition: all before it is handled. Places are (topic, partition)."""

import asyncio
from collections.abc import Iterable

Place = tuple[str, int]


class Watermarks:
    """The low watermark of each partition, and whether a batch is under way."""

    def __init__(self) -> None:
        self.next_offset: dict[Place, int] = {}
        self.idle = asyncio.Event()
        self.idle.set()
        self._running = 0

    def begin(self) -> None:
        """Note that a batch is under way."""
        self._running += 1
        self.idle.clear()

    def end(self) -> None:
        """Note that the batch has ended."""
        self._running -= 1
        if not self._running:
            self.idle.set()

    def move(self, place: Place, next_offset: int) -> None:
        """Note that everything of `place` before `next_offset` is handled."""
        self.next_offset[place] = max(next_offset, self.next_offset.get(place, 0))

    def forget(self, places: Iterable[Place]) -> None:
        """Drop the places of revoked partitions."""
        for place in places:
            self.next_offset.pop(place, None)
