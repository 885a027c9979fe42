"""A runtime without effects: it keeps rows in a dict and produces nothing."""

from collections.abc import Mapping, Sequence

from app.config import Config
from app.kafka.producer import place_of
from app.wire import signing
from app.wire.clock import now_ms
from app.wire.records import Outgoing, Record
from tables import Table
from workflows.shared.topic import Topic

EVERYTHING = 1 << 62
"""An offset before which every outbox counts as produced: nothing is produced again."""


class ShadowRuntime:
    """Implements `Runtime` over a dict of rows."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.rows: dict[tuple[int, bytes], bytes] = {}
        self.emitted = 0
        """How many records would have been produced."""

    def now_ms(self) -> int:
        """Return the time of the wall clock; no row depends on it."""
        return now_ms()

    def read(self, _table: Table, partition: int, key: bytes) -> bytes | None:
        """Return the row's bytes, or None."""
        return self.rows.get((partition, key))

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Count `records`, and produce none of them."""
        self.emitted += len(records)

    async def store(self, _table: Table, rows: Mapping[int, Mapping[bytes, bytes]]) -> None:
        """Keep `rows`."""
        for partition, members in rows.items():
            self.rows |= {(partition, key): body for key, body in members.items()}

    def is_authentic(self, record: Record, topic: Topic) -> bool:
        """Return what the live engine would."""
        return signing.is_authentic(record, topic, self._config)

    def in_own_partition(self, record: Record) -> bool:
        """Return what the live engine would."""
        return record.partition == place_of(record.topic, record.key, self._config)

    def through(self, _source: str) -> int:
        """Return that every outbox was produced."""
        return EVERYTHING

    def checkpoint(self, _name: str) -> None:
        """Pass."""
