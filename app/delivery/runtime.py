"""What the engine needs of the world, and the result of a batch."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from app.wire.envelope import Envelope
from app.wire.records import Outgoing, Record
from tables import Table
from workflows.shared.message import Message
from workflows.shared.topic import Topic

Place = tuple[int, bytes]
"""A row's partition and key."""


class Runtime(Protocol):
    """What the engine needs of the world."""

    def now_ms(self) -> int:
        """Return the time of the wall clock."""
        ...

    def read(self, table: Table[object], partition: int, key: bytes, /) -> bytes | None:
        """Return the row's bytes, or None."""
        ...

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Produce `records` in order; return when the broker has acknowledged every one."""
        ...

    async def store(
        self, table: Table[object], rows: Mapping[int, Mapping[bytes, bytes]], /
    ) -> None:
        """Put `rows` (by partition, by key) and their changelog records, acknowledged."""
        ...

    def is_authentic(self, record: Record, topic: Topic) -> bool:
        """Return whether Payflow produced `record`, or `topic` is open to other producers."""
        ...

    def in_own_partition(self, record: Record) -> bool:
        """Return whether `record` lies in the partition that its key belongs to."""
        ...

    def through(self, source: str, /) -> int:
        """Return the offset of a source before which every outbox was produced.

        -1: it lies in a log that is gone, and no offset says what was produced.
        """
        ...

    def checkpoint(self, name: str, /) -> None:
        """Pass the checkpoint `name`: a drill or a test may crash here."""
        ...


class BatchResult(msgspec.Struct):
    """The result of one batch, for metrics."""

    applied: list[tuple[Envelope, int]] = []
    """The envelope of each event applied, and when (ms)."""
    records: list[Record] = []
    """The record of each event applied, in step with `applied`."""
    messages: list[Message] = []
    """Each message applied, in step with `applied`."""
    emitted: list[Message] = []
    duplicates: int = 0
    """Events dropped because the row had applied them."""
    redelivered: int = 0
    """Those of them that were read again from the same offset."""
    retried: list[str] = []
    """The cause of each retry."""
    dead: list[tuple[str, str]] = []
    """Topic and cause of each dead letter."""
    dead_letters: list[dict[str, str]] = []
    """The fields of a log line for each dead letter: cause, detail, origin, transaction."""
    due: dict[Place, int | None] = {}
    """When each touched row wants to be woken (ms)."""
