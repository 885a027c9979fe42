"""Deadlines live in rows; this heap only knows which row is due next.

It is rebuilt from the rows after every recovery, and empty when partitions are taken away.
"""

import heapq


class Deadlines:
    """When each row of one agent wants to be woken."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, bytes]] = []
        self._due: dict[tuple[int, bytes], int] = {}

    def __len__(self) -> int:
        return len(self._due)

    def put(self, partition: int, key: bytes, due_ms: int | None) -> None:
        """Say that the row is due at `due_ms`, or no longer due at all."""
        at = (partition, key)
        if due_ms is None:
            self._due.pop(at, None)
        elif self._due.get(at) != due_ms:
            self._due[at] = due_ms
            heapq.heappush(self._heap, (due_ms, partition, key))

    def next_ms(self) -> int | None:
        """Return when the next row may be due, or None."""
        return self._heap[0][0] if self._heap else None

    def reached(self, now_ms: int, limit: int) -> list[tuple[int, int, bytes]]:
        """Take out and return up to `limit` rows that are due: (due_ms, partition, key)."""
        reached: list[tuple[int, int, bytes]] = []
        while self._heap and self._heap[0][0] <= now_ms and len(reached) < limit:
            due_ms, partition, key = heapq.heappop(self._heap)
            if self._due.get((partition, key)) == due_ms:
                del self._due[(partition, key)]
                reached.append((due_ms, partition, key))
        return reached

    def clear(self) -> None:
        """Forget everything: the rows are no longer ours."""
        self._heap.clear()
        self._due.clear()
