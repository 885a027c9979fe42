"""The simulated world behind a console: its requests go in, and it reads the rows that follow."""

import asyncio
from collections.abc import Iterator
from contextlib import closing

import pytest

from app.wire import codecs
from app.wire.envelope import Envelope, from_headers
from tests.support.console import FakeWorker
from tests.support.simulation.troubles import Troubles
from tests.support.simulation.world import World
from workflows.shared.message import Message


class ConsoleWorld(World):
    """The world, without a fault, of the console that emits to `queries` and asks it for rows."""

    def __init__(self, queries: FakeWorker, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(1, Troubles(1, frozenset()), loop, with_console=True)
        self.queries = queries
        self._carried_out = 0

    @property
    def emitted(self) -> list[tuple[Message, Envelope]]:
        """Return every message with its envelope, in the order produced."""
        pairs: list[tuple[Message, Envelope]] = []
        for record in self.records:
            envelope = from_headers(record.headers)
            pairs.append((codecs.decode(record.value, envelope, record.key), envelope))
        return pairs

    def carry_out(self) -> None:
        """Let the agents receive what the console has emitted, and all that follows from it.

        The world runs a loop of its own: beside one that runs already, it needs another thread.
        """
        for message, envelope in self.queries.emitted[self._carried_out :]:
            self.produce(message, envelope)
        self._carried_out = len(self.queries.emitted)
        self.drain()
        for worker in self.workers:
            for key, state in worker.rows():
                assert worker.agent.table is not None, f"{worker.agent.name} has rows"
                self.queries.keep(worker.agent.table.name, key, state)


@pytest.fixture
def world(queries: FakeWorker) -> Iterator[ConsoleWorld]:
    """The agents, with nothing that they have received."""
    with closing(asyncio.new_event_loop()) as loop:
        yield ConsoleWorld(queries, loop)
