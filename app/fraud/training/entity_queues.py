"""Selects the payments to produce: those of one entity in order, the others in parallel.

With more than one partition, two payments of one entity may be received in another order than they
were produced. A payment is produced only once all earlier ones of its entities are judged, so each
gets the verdict it would get offline, whatever the number of partitions and workers.
"""

from collections import deque
from collections.abc import Sequence


class EntityQueues:
    """Queues of payments, one an entity. Payments are numbers, entities are names."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[int]] = {}
        self._entities: dict[int, Sequence[str]] = {}
        self._ready: deque[int] = deque()
        self.under_way = 0
        """Payments produced, and not judged yet."""

    def __len__(self) -> int:
        """Return how many are not judged yet, produced or not."""
        return len(self._entities)

    def add(self, payment: int, entities: Sequence[str]) -> None:
        """Let `payment` wait behind the earlier ones of its `entities`."""
        self._entities[payment] = entities
        for entity in entities:
            self._queues.setdefault(entity, deque()).append(payment)
        self._append_if_first(payment)

    def take(self, most: int) -> list[int]:
        """Return payments to produce now, so that no more than `most` are under way."""
        count = min(most - self.under_way, len(self._ready))
        payments = [self._ready.popleft() for _ in range(count)]
        self.under_way += len(payments)
        return payments

    def judged(self, payment: int) -> bool:
        """Release the followers of `payment`; return whether it was under way."""
        entities = self._entities.pop(payment, None)
        if entities is None:
            return False
        self.under_way -= 1
        for entity in entities:
            queue = self._queues[entity]
            queue.popleft()
            if queue:
                self._append_if_first(queue[0])
            else:
                del self._queues[entity]
        return True

    def _append_if_first(self, payment: int) -> None:
        if all(self._queues[entity][0] == payment for entity in self._entities[payment]):
            self._ready.append(payment)
