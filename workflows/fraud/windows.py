"""Aggregates that rules read, over exact windows of an entity's payments.

A window holds what lies less than its length apart, at whatever phase. In the order of their time
the last payment of a burst completes it; emitted in another order, whichever comes last does. So
the fullest window that holds this payment counts, later ones that are known already included.
"""

from collections.abc import Callable, Sequence

from workflows.fraud.entity import Attempt, Entity, around
from workflows.fraud.entity_messages import Aggregate


def measure(state: Entity, attempt: Attempt, aggregate: Aggregate) -> float:
    """Return the value of `aggregate` for the fullest window that holds `attempt`."""
    window_ms = aggregate.window_seconds * 1000
    entries = [each for each in around(state, attempt, window_ms) if _counts(each, aggregate)]
    ends = {attempt.at_ms, *(each.at_ms for each in entries if each.at_ms > attempt.at_ms)}
    value = _VALUES[aggregate.function]
    return max(
        value([each for each in entries if end_ms - window_ms < each.at_ms <= end_ms], aggregate)
        for end_ms in ends
    )


def _counts(each: Attempt, aggregate: Aggregate) -> bool:
    if each.declined != (aggregate.function == "declines"):
        return False
    return not aggregate.below_minor or each.amount_minor < aggregate.below_minor


def _distinct(entries: Sequence[Attempt], aggregate: Aggregate) -> float:
    start = f"{aggregate.what}:"
    return float(len({tag for each in entries for tag in each.met if tag.startswith(start)}))


_VALUES: dict[str, Callable[[Sequence[Attempt], Aggregate], float]] = {
    "count": lambda entries, _: float(len(entries)),
    "declines": lambda entries, _: float(len(entries)),
    "sum": lambda entries, _: float(sum(each.amount_minor for each in entries)),
    "max": lambda entries, _: float(max((each.amount_minor for each in entries), default=0)),
    "distinct": _distinct,
}
