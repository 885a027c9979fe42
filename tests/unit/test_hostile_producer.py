"""What a hostile producer writes stops no reader, and what it must be named by is checked."""

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from app.chaos.batch_shapes import SHAPES, unreadable_tombstone
from app.chaos.hostile_records import COPY, FORGERIES, KINDS, copy_of, forged
from app.chaos.row_differences import Rows, take
from app.chaos.written_records import Written, origins
from app.config import Config
from app.delivery.dead_letters import to_dead
from app.delivery.processor import run_batch
from app.kafka.raw_batches import BatchHeader, batch_bytes, record_bytes, varint
from app.wire import signing
from app.wire.records import (
    ORIGIN,
    UNREADABLE,
    Record,
    UnreadableBatch,
    unreadable_text,
)
from app.wire.signing import signed
from tests.support.agents import ANSWERS, cancel
from tests.support.batches import read
from tests.support.runtime import FakeRuntime, as_read
from workflows.shared.topic import Topic

AT_MS = 1_700_000_000_000
LONG = [name for name in SHAPES if name.startswith("long ")]
PARTITIONS = 4


class SigningRuntime(FakeRuntime):
    """A runtime with real signatures and partitions."""

    def is_authentic(self, record: Record, topic: Topic) -> bool:
        return signing.is_authentic(record, topic, Config())


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_reader_comes_through_every_batch(name: str) -> None:
    """It never raises, and it goes on behind whatever it is that a broker might take."""
    for seed in range(1 if name in LONG else 3):
        body = SHAPES[name](Random(seed), AT_MS)

        records, position = read(body)

        assert not body or position > 0
        assert all(0 <= record.offset < position for record in records)


@pytest.mark.parametrize("name", LONG)
def test_a_batch_that_unfolds_to_more_than_a_reader_takes_is_set_aside(name: str) -> None:
    """A few kilobytes, whose content is longer than any producer makes a batch."""
    [record], position = read(SHAPES[name](Random(1), AT_MS))

    assert isinstance(record.value, UnreadableBatch)
    assert (1, 0, 0) == (position, record.value.first, record.value.last)


def test_what_is_written_to_changelogs_is_a_row_of_nobody() -> None:
    """No reader opens it."""
    [record], _ = read(unreadable_tombstone(Random(1), AT_MS))

    assert isinstance(record.value, UnreadableBatch)


def test_batches_made_by_hand_are_those_of_clients() -> None:
    """Key, value, headers and offsets come back as they were."""
    content = record_bytes(0, b"k", b"v", [(b"h", None)]) + record_bytes(1, None, None)

    records, position = read(batch_bytes(BatchHeader(count=2, at_ms=AT_MS), content))

    assert 2 == position
    assert [(b"k", b"v", (("h", None),)), (None, None, ())] == [
        (record.key, record.value, tuple(record.headers)) for record in records
    ]


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, b"\0"), (-1, b"\1"), (1, b"\2"), (63, b"\x7e"), (64, b"\x80\1"), (-7, b"\x0d")],
)
def test_numbers_are_written_as_kafka_does(number: int, written: bytes) -> None:
    """Zigzag, seven bits a byte."""
    assert written == varint(number)


@pytest.mark.parametrize("kind", sorted(FORGERIES))
async def test_what_must_be_named_is_dead_lettered(kind: str) -> None:
    """Each kind but a copy is poison to the engine: otherwise the drill would ask too much."""
    real = signed_copy(1)
    forgery = forged(Random(7), kind, "orders", PARTITIONS, [real])
    runtime = SigningRuntime()
    record = replace(real, key=forgery.record.key, value=forgery.record.value,
                     headers=tuple(forgery.record.headers))  # fmt: skip

    handled = await run_batch(ANSWERS, runtime, [record])

    assert (kind, True, 1) == (forgery.kind, forgery.is_poison, len(handled.dead))


def signed_copy(number: int) -> Record:
    """Return an event of Payflow as it lies on its topic."""
    record = cancel(number)
    return as_read(signed(copy_of(record), Config().signing_key), record.offset)


def test_a_copy_is_no_poison_and_nothing_real_means_garbage() -> None:
    """Copies are events that were applied before; without originals every kind is garbage."""
    real = signed_copy(1)

    assert not forged(Random(1), COPY, "orders", PARTITIONS, [real]).is_poison
    assert {True} == {forged(Random(1), kind, "orders", 1, []).is_poison for kind in KINDS}


def test_a_dead_letter_names_every_offset_of_a_batch() -> None:
    """An unreadable batch is one dead letter; what was read is named by its own origin."""
    batch = UnreadableBatch(b"?", first=3, last=5, reason="r")
    place = Record(topic="orders", partition=2, offset=5, key=None, value=batch)
    detail = unreadable_text(place, batch)

    assert ["orders/2/3", "orders/2/4", "orders/2/5"] == origins(dead(place, UNREADABLE, detail))
    assert ["orders/2/5"] == origins(dead(place, "forged", detail))


def dead(record: Record, cause: str, detail: str) -> Record:
    """Return the dead letter of `record` as it is read."""
    emitted = to_dead(
        record, service="s", agent="a", cause=cause, detail=detail, stack="", now_ms=AT_MS
    )
    return as_read(emitted, 0)


def test_written_records_are_due_by_their_origins_unless_they_were_aborted() -> None:
    """A retry is named by where it was first read."""
    written = Written()
    place = Record(topic="orders", partition=2, offset=5, key=b"k", value=None)
    retry = replace(
        place, topic="orders.test.retry-1s", offset=9, headers=((ORIGIN, b"orders/2/1"),)
    )
    written.add(place, is_poison=True, is_read=True)
    written.add(replace(place, offset=4), is_poison=True, is_read=False)
    written.add(replace(place, offset=3), is_poison=False, is_read=True)
    written.add(retry, is_poison=True, is_read=True)

    assert {"orders": {"orders/2/5"}, retry.topic: {"orders/2/1"}} == written.poison
    assert ({"orders/2/4"}, [5, 9]) == (written.aborted, list(written.last.values()))


def test_what_is_no_row_makes_no_difference_between_a_table_and_its_changelog() -> None:
    """A batch that nobody can read is passed over, as a recovery does."""
    rows: Rows = {}
    take(rows, consumed(b"k", b"v"))
    take(rows, consumed(None, UnreadableBatch(b"?", first=1, last=1, reason="r")))
    take(rows, consumed(b"other", None))

    assert {(2, b"k"): b"v"} == rows


def consumed(key: bytes | None, value: bytes | None) -> Any:
    """Return a record as an aiokafka consumer gives it."""
    return SimpleNamespace(partition=2, key=key, value=value)
