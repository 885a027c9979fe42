"""A `Runtime` without Kafka and without a disk: dicts, lists, and a clock that tests set."""

from collections.abc import Mapping, Sequence

from app.wire.records import Outgoing, Record
from tables import Table
from workflows.shared.topic import Topic


class Crash(BaseException):
    """The process died at a checkpoint: a `BaseException`, so that no handler catches it."""


class FakeRuntime:
    """Implements `Runtime`. `crash_at` names the checkpoint at which the process dies once."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.rows: dict[tuple[str, int, bytes], bytes] = {}
        self.changelog: dict[tuple[str, int, bytes], bytes] = {}
        self.emitted: list[Outgoing] = []
        self.crash_at = ""
        self.refuses_to_produce = False
        self.done: dict[str, int] = {}

    def now_ms(self) -> int:
        return self.now

    def read(self, table: Table, partition: int, key: bytes) -> bytes | None:
        return self.rows.get((table.name, partition, key))

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if self.refuses_to_produce:
            raise ConnectionError("the broker is away")
        self.emitted += records

    async def store(self, table: Table, rows: Mapping[int, Mapping[bytes, bytes]]) -> None:
        for partition, members in rows.items():
            for key, body in members.items():
                self.rows[(table.name, partition, key)] = body
                self.checkpoint("on disk")
                self.changelog[(table.name, partition, key)] = body

    def is_authentic(self, record: Record, _topic: Topic) -> bool:
        return ("forged", b"yes") not in record.headers

    def in_own_partition(self, record: Record) -> bool:
        return ("misplaced", b"yes") not in record.headers

    def through(self, source: str) -> int:
        return self.done.get(source, 0)

    def checkpoint(self, name: str) -> None:
        if name == self.crash_at:
            self.crash_at = ""
            raise Crash(name)


def as_read(emitted: Outgoing, offset: int, partition: int = 0) -> Record:
    """Return what a consumer reads of `emitted`."""
    return Record(
        topic=emitted.topic,
        partition=partition,
        offset=offset,
        key=emitted.key,
        value=emitted.value,
        headers=tuple(emitted.headers),
    )
