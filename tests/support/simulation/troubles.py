"""The faults of one simulated scenario: numbered decisions, each with dice of its own.

So one can be left out, and the others stay what they were.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

DECISIONS_A_TICK = 1_000
APART = DECISIONS_A_TICK // 2


class Troubles:
    """The faults of one scenario: decisions numbered by tick, each with dice of its own."""

    def __init__(self, seed: int, fault_numbers: frozenset[int] | None = None) -> None:
        self.struck: list[tuple[int, str]] = []
        """The number and kind of each fault that occurred."""
        self.rates: dict[str, float] = {}
        self._seed = seed
        self._kept = fault_numbers
        self._count = 0
        self._tick = 0

    @property
    def tick(self) -> int:
        """Return the tick that decisions belong to."""
        return self._tick

    @tick.setter
    def tick(self, tick: int) -> None:
        self._tick, self._count = tick, (tick + 1) * DECISIONS_A_TICK

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Number the decisions of a `with` beside those of the tick, which stay as they are."""
        before, self._count = self._count, (self._tick + 1) * DECISIONS_A_TICK + APART
        yield
        self._count = before

    def strikes(self, kind: str, rate: float) -> bool:
        """Return whether the fault `kind` occurs now; one that is not kept never does."""
        self._count += 1
        if not rate or self._dice(kind).random() >= rate:
            return False
        if self._kept is not None and self._count not in self._kept:
            return False
        self.struck.append((self._count, kind))
        return True

    def pick(self, kind: str, among: Sequence[Any]) -> Any:
        """Return one of `among`: how the latest trouble goes wrong."""
        return self._dice(f"how {kind}").choice(among)

    def _dice(self, kind: str) -> Random:
        return Random(f"{self._seed} {self._count} {kind}")
