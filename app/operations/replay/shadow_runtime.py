"""The shell at work on rows of its own: nothing is told, nobody outside is asked."""

import time
from collections.abc import Mapping, Sequence

from app.config import Config
from app.kafka.producer import place_of
from app.wire import signing as seal
from app.wire.records import Outgoing, Record
from app.wire.topics import Topic
from tables import Table

EVERYTHING = 1 << 62
"""An offset behind which all is told: there is nothing to tell again."""


class ShadowPort:
    """Implements `Port` over a dict of rows."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.rows: dict[tuple[int, bytes], bytes] = {}
        self.told = 0
        """How many records would have been told."""

    def now_ms(self) -> int:
        """Return the time of the wall clock; no row depends on it."""
        return time.time_ns() // 1_000_000

    def read(self, _table: Table, partition: int, key: bytes) -> bytes | None:
        """Return the row's bytes, or None."""
        return self.rows.get((partition, key))

    async def tell(self, records: Sequence[Outgoing]) -> None:
        """Count `records`, and let them go."""
        self.told += len(records)

    async def remember(self, _table: Table, rows: Mapping[int, Mapping[bytes, bytes]]) -> None:
        """Keep `rows`."""
        for partition, members in rows.items():
            self.rows |= {(partition, key): body for key, body in members.items()}

    def genuine(self, given: Record, topic: Topic) -> bool:
        """Return what the live shell would."""
        return seal.genuine(given, topic, self._config)

    def at_home(self, given: Record) -> bool:
        """Return what the live shell would."""
        return given.partition == place_of(given.topic, given.key, self._config)

    def through(self, _source: str) -> int:
        """Return that everything is told."""
        return EVERYTHING

    def beat(self, _name: str) -> None:
        """Pass."""
