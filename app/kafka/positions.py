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
ANSWERS_NEEDED = 2
"""How many answers without records say that a partition has none left."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer knows of a partition."""

    position: int
    """The next offset that it fetches."""
    answered_ms: int
    """When the broker last answered a fetch at `position`; 0: not yet."""
    end: int
    """The last stable offset in that answer."""
    is_paused: bool = False
    """Whether the consumer drops what an answer holds of it."""


def lag(through: int, end: int, begin: int = 0) -> int:
    """Return how many offsets lie from `through`, a position, to `end`, the last stable offset.

    What lies before `begin` has been deleted, and is not to be read any more.
    """
    return max(end - max(through, begin), 0)


class Reach(Generic[PlaceT]):
    """How far the partitions of one consumer are read: at a hole that ends a log, to its end.

    An answer without records proves nothing by itself: the broker leaves a partition out when
    others have filled the answer, also with what the consumer drops. So the end counts only after
    ANSWERS_NEEDED answers at one position, while no partition gave anything, moved, or went. The
    first of them may belong to a fetch from before, and the slow broker of a busy machine answers
    none of them for seconds: fetches that were not answered count for nothing.
    """

    def __init__(self) -> None:
        self._last: dict[PlaceT, Answer] = {}
        self._empty: dict[PlaceT, int] = {}

    def observe(self, answers: Mapping[PlaceT, Answer], gave: bool) -> dict[PlaceT, int]:  # noqa: FBT001  one of two facts
        """Return the offset before which nothing is left to fetch, of each partition.

        Call it after each fetch, with whether that `gave` any records. Leave out partitions that
        have records fetched and not yet given.
        """
        last, self._last = self._last, dict(answers)
        if gave or _may_be_filled(last, answers):
            self._empty = {}
        else:
            self._empty = {
                place: self._empty.get(place, 0) + (answer.answered_ms != last[place].answered_ms)
                for place, answer in answers.items()
                if place in last
            }
        return {
            place: max(answer.position, answer.end)
            if self._empty.get(place, 0) >= ANSWERS_NEEDED
            else answer.position
            for place, answer in answers.items()
        }


def _may_be_filled(last: Mapping[PlaceT, Answer], answers: Mapping[PlaceT, Answer]) -> bool:
    """Return whether an answer since `last` may have been filled."""
    return any(
        place not in answers
        or answers[place].position != before.position
        or (answers[place].is_paused and answers[place].answered_ms != before.answered_ms)
        for place, before in last.items()
    )
