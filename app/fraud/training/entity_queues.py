"""Which payments may be told now: those of one party in their order, the others side by side.

With more than one partition, two payments of one party may be heard in another order than they were
told. Told only once all earlier ones of its parties are judged, each finds what it would find
offline, whatever the number of partitions and workers.
"""

from collections import deque
from collections.abc import Sequence


class Lanes:
    """Queues of payments, one a party. Payments are numbers, parties are names."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[int]] = {}
        self._parties: dict[int, Sequence[str]] = {}
        self._ready: deque[int] = deque()
        self.under_way = 0
        """Told by now, not judged yet."""

    def __len__(self) -> int:
        """Return how many are not judged yet, told or not."""
        return len(self._parties)

    def add(self, payment: int, parties: Sequence[str]) -> None:
        """Let `payment` wait behind the earlier ones of its `parties`."""
        self._parties[payment] = parties
        for party in parties:
            self._lanes.setdefault(party, deque()).append(payment)
        self._look_at(payment)

    def take(self, most: int) -> list[int]:
        """Return payments to tell now, so that no more than `most` are under way."""
        count = min(most - self.under_way, len(self._ready))
        taken = [self._ready.popleft() for _ in range(count)]
        self.under_way += len(taken)
        return taken

    def judged(self, payment: int) -> bool:
        """Let the followers of `payment` go; return whether it was waited for."""
        parties = self._parties.pop(payment, None)
        if parties is None:
            return False
        self.under_way -= 1
        for party in parties:
            lane = self._lanes[party]
            lane.popleft()
            if lane:
                self._look_at(lane[0])
            else:
                del self._lanes[party]
        return True

    def _look_at(self, payment: int) -> None:
        if all(self._lanes[party][0] == payment for party in self._parties[payment]):
            self._ready.append(payment)
