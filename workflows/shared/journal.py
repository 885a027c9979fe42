"""The journal: every event of a transaction, and the order in which one caused the next."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Any

import msgspec


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it was received."""

    id: str = ""
    type: str = ""
    source: str = ""
    time_ms: int = 0
    causation_id: str = ""
    correlation_id: str = ""
    traceparent: str = ""
    received_ms: int = msgspec.field(name="heard_ms", default=0)
    """When its producer began to handle the cause (ms); 0: not known."""
    body: dict[str, Any] = {}


INITIAL = JournalEntry()


def row_of(entry: JournalEntry) -> str:
    """Return the row of `entry`: those of one transaction lie together, in the order of time."""
    return f"{entry.correlation_id}|{entry.time_ms:014d}|{entry.id}"


def causal_order(entries: Sequence[JournalEntry]) -> list[JournalEntry]:
    """Return `entries` with every cause before its effects; otherwise by time.

    Each event once. A missing cause is ignored, and a cycle of causes is broken.
    """
    by_id = {entry.id: entry for entry in entries}
    effects: dict[str, list[str]] = {}
    waiting: dict[str, int] = {}
    for entry in by_id.values():
        has_cause = entry.causation_id in by_id and entry.causation_id != entry.id
        waiting[entry.id] = int(has_cause)
        if has_cause:
            effects.setdefault(entry.causation_id, []).append(entry.id)
    free = [(by_id[name].time_ms, name) for name, count in waiting.items() if not count]
    heapify(free)
    ordered: list[JournalEntry] = []
    while waiting:
        if not free:
            first = min(waiting, key=lambda name: (by_id[name].time_ms, name))
            heappush(free, (by_id[first].time_ms, first))
        _, name = heappop(free)
        if name not in waiting:
            continue
        del waiting[name]
        ordered.append(by_id[name])
        for effect in effects.get(name, ()):
            if effect in waiting:
                heappush(free, (by_id[effect].time_ms, effect))
    return ordered
