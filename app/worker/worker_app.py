"""What checks of logs need of a worker's Faust application."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from aiokafka import AIOKafkaProducer


class WorkerApp(Protocol):
    """A worker's Faust application."""

    owned_topics: set[str]
    rebalances: int
    """How often partitions were given up; each time a recovery follows, and a check."""

    def flows(self) -> bool:
        """Return whether events flow."""
        ...

    def sources(self) -> Sequence[tuple[str, int]]:
        """Return the topics and partitions that are assigned."""
        ...

    def through_source(self, source: str) -> int:
        """Return the offset of a source before which everything is stored and produced."""
        ...

    def producer_of(self, agent: str) -> AIOKafkaProducer:
        """Return the producer of `agent`."""
        ...

    async def commit_at(self, offsets: Mapping[tuple[str, int], int], /) -> bool:
        """Commit `offsets`; return whether the group took them."""
        ...
