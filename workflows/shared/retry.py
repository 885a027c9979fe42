"""When to try again: the one timer of a row, with exponential backoff between tries."""

import msgspec

from workflows.shared.deadline import DeadlineReached


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """The timer of a row. It is never set to a time at which it has fired before."""

    tries: int = 0
    due_at_ms: int | None = None
    woken_at_ms: int = 0


def backoff_ms(tries: int, *, first_ms: int, most_ms: int) -> int:
    """Return how long to wait after `tries` tries: twice as long each time, up to `most_ms`."""
    return min(first_ms << min(tries, 20), most_ms)


def wait_until(wait: Wait, due_at_ms: int) -> Wait:
    """Return `wait` with its timer at `due_at_ms`, or just after the last one that fired."""
    return msgspec.structs.replace(wait, due_at_ms=max(due_at_ms, wait.woken_at_ms + 1))


def sooner(wait: Wait, due_at_ms: int) -> Wait:
    """Return `wait` with its timer at `due_at_ms`, or earlier when it is set already."""
    return wait_until(wait, min(due_at_ms, wait.due_at_ms or due_at_ms))


def rest(wait: Wait) -> Wait:
    """Return `wait` without a timer and with no tries counted."""
    return Wait(woken_at_ms=wait.woken_at_ms)


def reached(due_at_ms: int | None, received: DeadlineReached) -> bool:
    """Return whether `received` is the timer that is set, not one that was replaced since."""
    return due_at_ms is not None and due_at_ms <= received.due_at_ms


def wake(wait: Wait, received: DeadlineReached) -> Wait:
    """Return `wait` after `received`: one try more when it was due.

    The time of a replaced timer is noted too: a timer fires once for each time, so that time must
    not be set again.
    """
    woken_at_ms = max(wait.woken_at_ms, received.due_at_ms)
    if reached(wait.due_at_ms, received):
        return Wait(tries=wait.tries + 1, woken_at_ms=woken_at_ms)
    return msgspec.structs.replace(wait, woken_at_ms=woken_at_ms)
