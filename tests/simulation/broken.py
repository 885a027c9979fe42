"""The engine with one of its promises taken out: some seed must notice each.

The applied offsets alone are not here: while a row remembers an event's id, that does their work.
What happens to a redelivery after the id is forgotten is asked in `tests/delivery`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.delivery import row
from app.delivery.batch import Batch
from app.delivery.outbox import outgoing_of
from tests.support.simulation.world import Worker


def no_processed_ids(patch: pytest.MonkeyPatch) -> None:
    """What was applied before is applied again, by its place and by its id."""
    patch.setattr(row, "applied", lambda _row, _record, _event_id: False)


def produced_before_stored(patch: pytest.MonkeyPatch) -> None:
    """A decision is emitted before it is safe (ADR 4)."""

    def produce_first(batch: Batch, outbox_entry: Any, messages: Any) -> None:
        if outbox_entry is not None:
            batch.before += outgoing_of(batch.agent, outbox_entry, messages)

    patch.setattr(Batch, "produce", produce_first)


def not_produced_again(patch: pytest.MonkeyPatch) -> None:
    """An outbox that a crash left unproduced stays unproduced."""
    patch.setattr(Batch, "_produced_again", lambda _batch, _record, _at, loaded: loaded)


def not_put_again(patch: pytest.MonkeyPatch) -> None:
    """A row that a crash left out of its changelog stays out of it."""
    patch.setattr(
        Batch,
        "dropped",
        lambda _batch, record, envelope, _at, before: row.applied(before, record, envelope.id),
    )


def committed_too_early(patch: pytest.MonkeyPatch) -> None:
    """Offsets are committed when a batch is read, not when it is through."""
    patch.setattr(Worker, "commits_early", True)


BROKEN: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    each.__name__: each
    for each in (
        no_processed_ids,
        produced_before_stored,
        not_produced_again,
        not_put_again,
        committed_too_early,
    )
}
"""Every broken engine by name."""


@contextmanager
def broken(name: str) -> Iterator[None]:
    """Work with the engine of that name for a `with`."""
    with pytest.MonkeyPatch.context() as patch:
        BROKEN[name](patch)
        yield
