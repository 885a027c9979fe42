"""Records with header names that are not UTF-8 are read, and so are those around them."""

from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record import memory_records
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.structs import TopicPartition

from app.config import Config
from app.kafka.admin import client_options
from app.kafka.record_batches import Batches, batch_of

GZIP = 1


class Odd(str):
    """A header name as a careless client writes it: bytes of any kind."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"od\xff"


def batch(names: list[str], compression: int) -> bytes:
    """Return a batch of one record for each of `names`, which is the name of its header."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, -1, 1 << 20)
    for offset, name in enumerate(names):
        # Compression has to be worth it, or the builder leaves it.
        builder.append(offset, 1, b"key", b"body" * 100, [(name, b"value"), ("none", None)])
    return bytes(builder.build())


def read(body: bytes) -> list[Any]:
    client_options(Config(broker_url="nowhere:1"))
    records = fetcher.MemoryRecords(body)
    isolation, check_crcs = 0, True
    return list(
        fetcher.PartitionRecords(
            TopicPartition("t", 0), records, [], 0, None, None, check_crcs, isolation
        )
    )


@pytest.mark.parametrize("compression", [0, GZIP])
def test_a_name_that_is_no_text_is_spelled_out_and_nothing_is_lost(compression):
    """Whoever makes a client of ours can read it: the engine dead-letters it like other poison."""
    records = read(batch(["a", Odd("odd"), "ä"], compression))

    assert [0, 1, 2] == [each.offset for each in records]
    assert ["a", "od\\xff", "ä"] == [each.headers[0][0] for each in records]
    assert [("none", None)] * 3 == [each.headers[1] for each in records]
    assert {(b"key", b"body" * 100)} == {(each.key, each.value) for each in records}


def test_what_can_be_read_fast_is_read_fast():
    """The reader in C gives the records; the slow one is for what it cannot read."""
    body = batch(["a"], 0)
    own = next(iter(memory_records.MemoryRecords(body).next_batch()))

    record = next(iter(batch_of(Batches(body).take())))

    assert type(own) is type(record)
    assert "Py" not in type(record).__name__
