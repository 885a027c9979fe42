"""The table partitions that are open while logs are checked, and what their rows have noted.

A check waits for brokers, and partitions may come and go meanwhile: what was asked of some must not
be taken for an answer about others.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from aiokafka import TopicPartition

from app.delivery.agent import Agent
from app.delivery.row import LOGS_KEY, is_row
from app.kafka.applied_logs import AppliedLog, AppliedLogs, decode_logs, marks_of
from app.kafka.logs import PlaceFacts
from app.worker.log_identity import LogRefused, Source, is_to_be_filled, raise_first
from app.worker.store import Store
from app.worker.worker_app import WorkerApp
from workflows.shared.errors import PayflowError

Readers = Mapping[str, tuple[Agent, Store | None]]
"""By topic: which agent reads it, and where its rows are."""


class PartitionsMoved(PayflowError):
    """Other partitions are open than those that were asked about: all is to be asked again."""


class Rebalanced(PayflowError):
    """Partitions were given up: a check of its own follows the recovery that follows."""


def marks_of_table(
    readers: Readers, marks: Mapping[tuple[str, int], AppliedLog], store: Store, at: int
) -> list[AppliedLog]:
    """Return those of `marks` that are of what the rows of one partition of `store` are made of."""
    return [
        marks[topic, at]
        for topic, (_, reader_store) in readers.items()
        if reader_store is store and (topic, at) in marks
    ]


class OpenPartitions:
    """The partitions of `stores` that are open now."""

    def __init__(
        self, app: WorkerApp, stores: Sequence[Store], note_progress: Callable[[], None]
    ) -> None:
        self._app = app
        self._note_progress = note_progress
        self._stores = stores
        self._rebalances = app.rebalances
        self.places = self._places()
        for store, at in self.places:
            store.note_recovered(at)
        self.logs: dict[tuple[str, int], AppliedLogs] = {
            (store.changelog, at): decode_logs(store.get(at, LOGS_KEY)) for store, at in self.places
        }
        """By changelog and partition: which logs the rows have applied."""

    def check(self) -> None:
        """Raise Rebalanced or PartitionsMoved when others are open by now."""
        if self._app.rebalances != self._rebalances:
            raise Rebalanced("partitions were given up")
        if self._places() != self.places:
            raise PartitionsMoved("other partitions of tables are open than those asked about")

    def go_on(self) -> None:
        """Note that a check got further. Raises as `check` does."""
        self._note_progress()
        self.check()

    async def pages(self, store: Store, at: int) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        """Yield the rows of a partition a page at a time; other tasks run between two pages.

        Nothing runs between the reading of a page and its first use: a row is as it was read until
        who uses it awaits. Raises as `check` does.
        """
        last: bytes | None = None
        while page := store.page(at, last):
            self.go_on()
            yield [(key, body) for key, body in page if is_row(key)]
            last = page[-1][0]
            await asyncio.sleep(0)

    def refills(
        self,
        readers: Readers,
        facts: Mapping[TopicPartition, PlaceFacts],
        source: Callable[[str, int], Source],
    ) -> set[tuple[str, int]]:
        """Return those whose changelogs are to be filled from the table on disk.

        Raises LogRefused where rows would be missing.
        """
        marks = marks_of(facts)
        refills: set[tuple[str, int]] = set()
        refused: list[LogRefused] = []
        for store, at in self.places:
            name = store.changelog
            of = marks_of_table(readers, marks, store, at)
            now = facts.get(TopicPartition(name, at))
            try:
                if is_to_be_filled(source(name, at), self.logs[name, at], now, of):
                    refills.add((name, at))
            except LogRefused as error:
                refused.append(error)
        raise_first(refused)
        return refills

    def _places(self) -> list[tuple[Store, int]]:
        return [(store, at) for store in self._stores for at in store.open_partitions()]
