"""The low watermark of each partition: all before it is handled. Places are (topic, partition)."""

from collections.abc import Iterable

Place = tuple[str, int]


class Watermarks:
    """The low watermark of each partition."""

    def __init__(self) -> None:
        self.next_offset: dict[Place, int] = {}

    def move(self, place: Place, next_offset: int) -> None:
        """Note that everything of `place` before `next_offset` is handled."""
        self.next_offset[place] = max(next_offset, self.next_offset.get(place, 0))

    def forget(self, places: Iterable[Place]) -> None:
        """Drop the places of revoked partitions."""
        for place in places:
            self.next_offset.pop(place, None)
