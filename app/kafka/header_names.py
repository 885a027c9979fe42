r"""Reads records whose header names are not UTF-8, which aiokafka 0.14 cannot.

It raises UnicodeDecodeError whenever such a record is fetched, so one of them would stop every
consumer of its partition for ever. Here other bytes of a name are read as escapes (`\xff`), and the
record is dead-lettered like all poison. The fast reader of aiokafka is used until it fails; only
then is the batch read again by its slow one.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


def read_any_header_name() -> None:
    """Let every consumer of this process read such records. Called again, it changes nothing."""
    fetcher.MemoryRecords = Batches


class Batches(_MemoryRecordsPy):  # type: ignore[misc]  final only to say that it is not public
    """The batches of one answer of the broker."""

    def next_batch(self) -> Any:
        """Return the next batch, or None."""
        body = self._next_slice
        batch = super().next_batch()
        return _Batch(batch, body) if isinstance(batch, DefaultRecordBatch) else batch


class _Batch:
    """A batch that falls back from aiokafka's fast reader to its slow one."""

    def __init__(self, batch: Any, body: Any) -> None:
        self._batch = batch
        self._body = body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        last = -1
        try:
            for record in self._batch:
                last = record.offset
                yield record
        except UnicodeDecodeError:
            patient = _Patient(self._body)
            yield from (record for record in patient if record.offset > last)


class _Patient(_DefaultRecordBatchPy):  # type: ignore[misc]  as above
    """aiokafka's slow reader, which decodes only header names as text."""

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Body(self._buffer)


class _Body(bytearray):
    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Name(found) if isinstance(at, slice) else found


class _Name(bytes):
    def decode(self, *_: str) -> str:
        return super().decode("utf-8", "backslashreplace")
