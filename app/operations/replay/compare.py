"""Compares two sets of rows: equal, different, or not comparable. Pure."""

from collections.abc import Collection, Mapping

import msgspec

from app.delivery.row import decode_row
from app.wire.personal import masked, masked_text
from tables import Table

DIFFERENCES_MAX = 50

Rows = Mapping[tuple[int, bytes], bytes]
"""Rows by partition and key, as bytes."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One row that differs, masked: two sides that look equal differ in masked parts."""

    table: str
    partition: int
    key: str
    part: str
    live: object
    replayed: object


class RowComparison(msgspec.Struct, kw_only=True):
    """The result of a replay of one table."""

    table: str
    equal: int = 0
    different: int = 0
    not_comparable: int = 0
    """Rows with events that were not read: older than the window or than retention."""
    differences: list[Difference] = []
    """The first of them."""


def compare(
    table: Table, live: Rows, replayed: Rows, incomplete: Collection[tuple[int, bytes]]
) -> RowComparison:
    """Return how `replayed` differs from `live` in state and baggage.

    Applied offsets and processed ids follow from the order of receiving, and are not compared; nor
    is the span from which a row took its trace, nor the outbox, which holds times of the clock.
    """
    comparison = RowComparison(table=table.name)
    for place in sorted(live.keys() | replayed.keys()):
        if place in incomplete:
            comparison.not_comparable += 1
            continue
        difference = _difference(table, place, live.get(place), replayed.get(place))
        if difference is None:
            comparison.equal += 1
            continue
        comparison.different += 1
        if len(comparison.differences) < DIFFERENCES_MAX:
            comparison.differences.append(difference)
    return comparison


def _difference(
    table: Table, place: tuple[int, bytes], live: bytes | None, replayed: bytes | None
) -> Difference | None:
    one, other = (_parts(table, body) for body in (live, replayed))
    for part in ("row", "state", "context"):
        if one.get(part) != other.get(part):
            kind = table.shape if part == "state" else None
            return Difference(
                table=table.name,
                partition=place[0],
                key=masked_text(place[1].decode(errors="replace")),
                part=part,
                live=masked(one.get(part), kind),
                replayed=masked(other.get(part), kind),
            )
    return None


def _parts(table: Table, body: bytes | None) -> dict[str, object]:
    if body is None:
        return {"row": "none"}
    row = decode_row(table, body)
    return {
        "row": "there",
        "state": msgspec.to_builtins(row.state),
        "context": {"correlation_id": row.context.correlation_id, **row.context.baggage},
    }
