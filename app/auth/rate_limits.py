"""Rate limits: a token bucket for each address."""

from collections.abc import Callable

from cachetools import LRUCache

ADDRESSES_MAX = 10_000
"""Most buckets; the least recently used is dropped, which makes it full again."""


class Rates:
    """Tries by address: `burst` at once, then one in `seconds_each`."""

    def __init__(self, burst: int, seconds_each: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._seconds_each = seconds_each
        self._clock = clock
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(ADDRESSES_MAX)

    def take(self, address: str) -> float:
        """Take one try of `address`; return 0, or how many seconds to wait when none is left."""
        left = self._left(address)
        if left < 1:
            return (1 - left) * self._seconds_each
        self._put(address, left - 1)
        return 0.0

    def release(self, address: str) -> None:
        """Put one try back into the bucket of `address`, after a right token."""
        self._put(address, min(self._left(address) + 1, float(self._burst)))

    def _left(self, address: str) -> float:
        left, at = self._buckets.get(address, (float(self._burst), self._clock()))
        return min(left + (self._clock() - at) / self._seconds_each, float(self._burst))

    def _put(self, address: str, left: float) -> None:
        self._buckets[address] = (left, self._clock())
