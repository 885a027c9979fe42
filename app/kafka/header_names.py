r"""Reads records whose header names are not UTF-8, which aiokafka 0.14 cannot.

It raises UnicodeDecodeError whenever such a record is fetched, so one of them would stop every
consumer of its partition for ever. Here other bytes of a name are read as escapes (`\xff`), and the
record is dead-lettered like all poison. The fast reader of aiokafka is used until it fails; only
then is the batch read again by its slow one.
"""

from collections.abc import Iterator
from typing import Any, SupportsIndex

from aiokafka.record._protocols import DefaultRecordBatchProtocol, DefaultRecordProtocol
from aiokafka.record.default_records import _DefaultRecordBatchPy


class AnyHeaderName:
    """A batch as aiokafka's fast reader sees it, but for what it cannot read."""

    def __init__(self, batch: DefaultRecordBatchProtocol, body: memoryview) -> None:
        self._batch = batch
        self._body = body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> DefaultRecordProtocol:
        return next(self._batch)

    def __iter__(self) -> Iterator[DefaultRecordProtocol]:
        last = -1
        try:
            for record in self._batch:
                last = record.offset
                yield record
        except UnicodeDecodeError:
            patient = _Patient(self._body)
            yield from (record for record in patient if record.offset > last)


class _Patient(_DefaultRecordBatchPy):  # type: ignore[misc]  final only to say that it is private
    """aiokafka's slow reader, which decodes only header names as text."""

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Body(self._buffer)


class _Body(bytearray):
    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        part = super().__getitem__(at)
        return part if isinstance(part, int) else _Name(part)


class _Name(bytes):
    def decode(self, *_: str) -> str:
        return super().decode("utf-8", "backslashreplace")
