"""The rows of one table on disk: RocksDB underneath, its changelog beside it.

Every error of RocksDB (a full disk, a damaged file) ends the process with nothing committed. A row
that cannot be read never counts as missing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import msgspec
import structlog
from rocksdict import WriteBatch

from app.delivery import row
from app.host.exit import hard_stop
from app.wire.records import UnreadableBatch, unreadable_text
from app.wire.topics import topic_name
from app.worker.metrics import unreadable_batches
from app.worker.store_repair import is_damage, mark
from tables import Table

Params = ParamSpec("Params")
Result = TypeVar("Result")
PAGE_ROWS_MAX = 500
PAGE_BYTES_MAX = 4 << 20
"""What is read of a table in one go when all of it is put into its changelog again."""

log = structlog.get_logger(__name__)


class Store:
    """The rows of one Faust table, by partition."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.stored: dict[int, int] = {}
        """By partition, the offset of the changelog before which its rows are in the store."""

    async def stop_on_errors(self) -> None:
        """Make errors end the process when Faust opens and fills the table; call it before that.

        Faust swallows such an error in a recovery, and would wait for ever.
        """
        data = self._table.data
        apply = data.apply_changelog_batch

        def apply_rows(events: Iterable[Any], **options: Any) -> None:
            apply([event for event in events if self._is_row(event.message)], **options)

        data.apply_changelog_batch = apply_rows
        for name in ("_open_for_partition", "persisted_offset", "apply_changelog_batch"):
            setattr(data, name, self._or_stop(getattr(data, name)))

    def _is_row(self, message: Any) -> bool:
        """Return whether a changelog record is a row; say where it lies when it is none."""
        if isinstance(message.value, UnreadableBatch):
            why = unreadable_text(message, message.value)
            service = topic_name(message.topic).service
            unreadable_batches.labels(service, message.topic).inc()
        elif message.key is None:
            why = "it has no key"
        elif message.key == self._table.data.offset_key:
            why = "its key is the one under which the offset of the changelog lies"
        else:
            return True
        log.error(
            "foreign record in a changelog. Operator: run `payflow verify`; who writes there?",
            origin=f"{message.topic}/{message.partition}/{message.offset}",
            why=why,
        )
        return False

    @property
    def changelog(self) -> str:
        """Return the name of the changelog topic."""
        return str(self._table.changelog_topic.get_topic_name())

    def open_partitions(self) -> list[int]:
        """Return the partitions that this process holds now."""
        return sorted(self._table.data._dbs)

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return the row's bytes, or None."""
        try:
            return self._database(partition).get(key)
        except Exception as error:  # noqa: BLE001  RocksDB has no errors of its own
            self._stop(error)

    def put(self, partition: int, rows: Mapping[bytes, bytes]) -> None:
        """Write `rows` in one RocksDB batch."""
        batch = WriteBatch(raw_mode=True)
        for key, value in rows.items():
            batch.put(key, value)
        try:
            self._database(partition).write(batch)
        except Exception as error:  # noqa: BLE001  RocksDB has no errors of its own
            self._stop(error)

    def drain(self, partition: int, offset: int) -> None:
        """Note that the changelog up to `offset` is in the store."""
        try:
            self._database(partition).put(self._table.data.offset_key, b"%d" % offset)
        except Exception as error:  # noqa: BLE001  RocksDB has no errors of its own
            self._stop(error)
        self.stored[partition] = offset + 1

    def note_recovered(self, partition: int) -> None:
        """Note how far a recovery has brought the changelog into the store."""
        offset = self.get(partition, self._table.data.offset_key)
        self.stored[partition] = int(offset) + 1 if offset is not None else 0

    def page(self, partition: int, after: bytes | None) -> list[tuple[bytes, bytes]]:
        """Return a page of the entries behind the key `after`; nothing: all were returned.

        Delivery's own marks are among them. The two entries that speak of the changelog itself, its
        offset and the logs that were applied, are not.
        """
        entries: list[tuple[bytes, bytes]] = []
        own, size = (self._table.data.offset_key, row.LOGS_KEY), 0
        iterator = self._database(partition).iter()
        iterator.seek(after + b"\0" if after is not None else b"")
        while iterator.valid() and len(entries) < PAGE_ROWS_MAX and size < PAGE_BYTES_MAX:
            key = iterator.key()
            if key not in own:
                entries.append((key, iterator.value()))
                size += len(entries[-1][1])
            iterator.next()
        try:
            iterator.status()
        except Exception as error:  # noqa: BLE001  RocksDB has no errors of its own
            self._stop(error)
        return entries

    def scan(self, partition: int, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield rows in key order from `start`. Do not await while iterating."""
        # rocksdict's items() ends at a damaged block as if it were the end of the table.
        rows = self._database(partition).iter()
        rows.seek(start)
        while rows.valid():
            key = rows.key()
            if key != self._table.data.offset_key and row.is_row(key):
                yield key, rows.value()
            rows.next()
        try:
            rows.status()
        except Exception as error:  # noqa: BLE001  RocksDB has no errors of its own
            self._stop(error)

    def states(self, table: Table) -> Iterator[tuple[int, bytes, object]]:
        """Yield partition, key and state of every row; log and skip what is not a row.

        An event for such a key is dead-lettered when it comes; it holds up no other event.
        """
        for partition in self.open_partitions():
            for key, body in self.scan(partition, b""):
                try:
                    key.decode()
                    state = row.decode_row(table, body).state
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    log.warning("no row of a table", table=table.name, why=str(error))
                    continue
                yield partition, key, state

    def _database(self, partition: int) -> Any:
        return self._table.data._db_for_partition(partition)

    def _or_stop(self, call: Callable[Params, Result]) -> Callable[Params, Result]:
        def called(*args: Params.args, **options: Params.kwargs) -> Result:
            try:
                return call(*args, **options)
            except Exception as error:  # noqa: BLE001  RocksDB has no errors of its own
                self._stop(error)

        return called

    def _stop(self, error: Exception) -> NoReturn:
        """End the process; damaged tables are marked, and set aside at the next start."""
        name, text = self._table.name, str(error)
        if "lock hold" in text or "While lock file" in text:
            # The partition is being closed: Faust tries again in a second.
            raise error
        if not is_damage(text):
            hard_stop(
                f"the table {name} cannot be read or written: {text}. Nothing more is committed, "
                "and nothing is lost. Operator: is the disk full? Make room, and start again."
            )
        for path in self._damaged(text):
            with suppress(OSError):
                mark(path, text)
        hard_stop(
            f"the table {name} is damaged: {text}. Operator: start again: it is set aside then, "
            "and rebuilt from its changelog."
        )

    def _damaged(self, text: str) -> list[Path]:
        """Return the folders that `text` names: all that are open when it names none."""
        data = self._table.data
        paths = [data.partition_path(partition).absolute() for partition in data._dbs]
        around = data.partition_path(0).absolute().parent.glob("*.db")
        return [path for path in around if f"/{path.name}/" in text] or paths
