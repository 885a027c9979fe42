"""How far a partition is read, and how much is left: by position, never by the last record.

Offsets hold more than records: markers of transactions, what was aborted, holes of compaction. A
consumer that has received the last record may be any number of offsets before the end, with nothing
left to do. Its position says so, which passes all of them but one kind: where compaction took whole
batches up to the end, there is nothing to fetch that would move it.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

import msgspec

PlaceT = TypeVar("PlaceT", bound=Hashable)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer knows of a partition."""

    position: int
    """The next offset that it fetches."""
    answered_ms: int
    """When the broker last answered a fetch at `position`; 0: not yet."""
    end: int
    """The last stable offset in that answer."""


def lag(through: int, end: int, begin: int = 0) -> int:
    """Return how many offsets lie from `through`, a position, to `end`, the last stable offset.

    What lies before `begin` has been deleted, and is not to be read any more.
    """
    return max(end - max(through, begin), 0)


class Reach(Generic[PlaceT]):
    """How far the partitions of one consumer are read: at a hole that ends a log, to its end.

    An answer without records proves nothing by itself: the broker leaves a partition out when
    others have filled the answer. So the end counts only after an answer at the same position, and
    a fetch later in which no partition gave anything or moved.
    """

    def __init__(self) -> None:
        self._last: dict[PlaceT, Answer] = {}
        self._ends: dict[PlaceT, int] = {}

    def observe(self, answers: Mapping[PlaceT, Answer], gave: bool) -> dict[PlaceT, int]:  # noqa: FBT001  one of two facts
        """Return the offset before which nothing is left to fetch, of each partition.

        Call it after each fetch, with whether that `gave` any records. Leave out partitions that
        have records fetched and not yet given.
        """
        last, self._last = self._last, dict(answers)
        moved = any(
            place in last and last[place].position != answer.position
            for place, answer in answers.items()
        )
        if gave or moved:
            self._ends = {}
            return {place: answer.position for place, answer in answers.items()}
        reached = {
            place: max(answer.position, self._ends.get(place, 0))
            for place, answer in answers.items()
        }
        self._ends = {
            place: answer.end
            if answer.answered_ms > last[place].answered_ms
            else self._ends.get(place, 0)
            for place, answer in answers.items()
            if place in last
        }
        return reached
