"""A transaction in time: what waited, what worked, what caused what, what compensated."""

from collections.abc import Sequence

import msgspec

from workflows.shared.journal import JournalEntry, causal_order
from workflows.shared.topic import EventKind, kind_of_type


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One event, and how long its cause had waited and was worked on.

    Times are ms.
    """

    entry: JournalEntry
    kind: EventKind
    depth: int
    """Causes before it."""
    cause: int | None
    """The index of its cause in the timeline."""
    began_ms: int
    """When its cause was emitted."""
    received_ms: int = msgspec.field(name="heard_ms")
    """When its producer began to handle the cause."""

    @property
    def name(self) -> str:
        """Return its type as people say it."""
        return self.entry.type.removeprefix("payflow.").removesuffix(".v1").replace("_", " ")

    @property
    def service(self) -> str:
        """Return who emitted it."""
        return self.entry.source.removeprefix("/payflow/")

    @property
    def attempt(self) -> int:
        """Return how many tries preceded this request; 0 for any other event."""
        attempt = self.entry.body.get("attempt")
        return attempt if isinstance(attempt, int) else 0

    @property
    def split(self) -> bool:
        """Return whether waiting and work are known separately: older workers did not record it."""
        return self.cause is not None and self.entry.received_ms > 0

    @property
    def orphan(self) -> bool:
        """Return whether it was caused by something that is not in the timeline."""
        return self.cause is None and bool(self.entry.causation_id)

    @property
    def waited_ms(self) -> int:
        """Return how long its cause lay in Kafka."""
        return max(self.received_ms - self.began_ms, 0)

    @property
    def worked_ms(self) -> int:
        """Return how long its cause was worked on."""
        return max(self.entry.time_ms - self.received_ms, 0)


def timeline(entries: Sequence[JournalEntry]) -> list[Bar]:
    """Return `entries`, causes before effects. Where a cause is not known, nothing had to wait."""
    bars: list[Bar] = []
    places: dict[str, int] = {}
    for entry in causal_order(entries):
        cause = places.get(entry.causation_id)
        began_ms = bars[cause].entry.time_ms if cause is not None else entry.time_ms
        received_ms = entry.received_ms if cause is not None and entry.received_ms else began_ms
        bars.append(
            Bar(
                entry=entry,
                kind=kind_of_type(entry.type),
                depth=bars[cause].depth + 1 if cause is not None else 0,
                cause=cause,
                began_ms=began_ms,
                # Clocks of two machines differ: nothing is received before it is emitted.
                received_ms=min(max(received_ms, began_ms), max(entry.time_ms, began_ms)),
            )
        )
        places[entry.id] = len(bars) - 1
    return bars
