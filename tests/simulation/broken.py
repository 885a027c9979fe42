"""The shell with one of its promises taken out: some seed must notice each.

The fence alone is not here: while a row remembers an event's id, that does the fence's work. What
happens to a redelivery after the id is forgotten is asked in `tests/shell`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.delivery import row
from app.delivery.batch import Stage
from tests.simulation.house import Worker


def no_memory_of_events(patch: pytest.MonkeyPatch) -> None:
    """What was applied before is applied again, by its place and by its id."""
    patch.setattr(row, "applied", lambda _row, _given, _event_id: False)


def told_before_remembered(patch: pytest.MonkeyPatch) -> None:
    """A decision is told before it is safe (ADR 4)."""

    def tell_first(stage: Stage, saying: Any, words: Any) -> None:
        if saying is not None:
            stage.before += stage._outgoing_of(saying, words)

    patch.setattr(Stage, "tell_after", tell_first)


def not_told_again(patch: pytest.MonkeyPatch) -> None:
    """What a crash left untold stays untold."""
    patch.setattr(Stage, "_retold", lambda _stage, _at, loaded: loaded)


def not_put_again(patch: pytest.MonkeyPatch) -> None:
    """A row that a crash left out of its changelog stays out of it."""
    patch.setattr(
        Stage,
        "dropped",
        lambda _stage, given, head, _at, before: row.applied(before, given, head.id),
    )


def committed_too_early(patch: pytest.MonkeyPatch) -> None:
    """Offsets are committed when a batch is read, not when it is through."""
    patch.setattr(Worker, "commits_early", True)


BROKEN: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    each.__name__: each
    for each in (
        no_memory_of_events,
        told_before_remembered,
        not_told_again,
        not_put_again,
        committed_too_early,
    )
}
"""Every broken shell by name."""


@contextmanager
def broken(name: str) -> Iterator[None]:
    """Work with the shell of that name for a `with`."""
    with pytest.MonkeyPatch.context() as patch:
        BROKEN[name](patch)
        yield
