"""A batch that cannot be read costs its own offsets, and nothing that lies around it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kafka import compression, record_batches
from app.kafka.raw_batches import BatchHeader, batch_bytes, record_bytes
from app.wire.records import UnreadableBatch
from tests.support.batches import (
    batch,
    marker,
    read,
    with_attributes,
    with_content,
    with_length,
    with_magic,
    with_wrong_bytes,
)

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
BEFORE, BEHIND = batch(0, [b"a", b"b"]), batch(5, [b"c"])
VICTIM = batch(2, [b"x" * 100, b"y" * 100, b"z" * 100])


def shown(records: list[Any]) -> list[Any]:
    """Return the body of each record; of unreadable batches, their offsets."""
    return [
        (each.value.first, each.value.last)
        if isinstance(each.value, UnreadableBatch)
        else each.value
        for each in records
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(with_attributes(VICTIM, 7), "codec", id="an unknown codec"),
        pytest.param(with_wrong_bytes(VICTIM), "CRC", id="a wrong checksum"),
        pytest.param(with_magic(VICTIM, 3), "magic 3", id="a newer magic"),
        pytest.param(with_magic(VICTIM, 255), "magic 255", id="a magic of nobody"),
        pytest.param(with_content(VICTIM, b"\xff" * 40), "", id="no structure"),
        pytest.param(with_content(VICTIM, b""), "", id="no records"),
        *(
            pytest.param(
                with_attributes(with_content(VICTIM, b"no archive" * 5), codec), "", id=f"no {name}"
            )
            for name, codec in (("gzip", GZIP), ("snappy", SNAPPY), ("lz4", LZ4), ("zstd", ZSTD))
        ),
    ],
)
def test_an_unreadable_batch_is_one_record_that_says_where_it_lies(body: bytes, reason: str):
    """What lies before and behind it is read; its bytes are kept."""
    records, position = read(BEFORE + body + BEHIND)

    assert [b"a", b"b", (2, 4), b"c"] == shown(records)
    assert ([0, 1, 4, 5], 6) == ([each.offset for each in records], position)
    assert (body, True) == (records[2].value, reason in records[2].value.reason)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(with_length(VICTIM, 1_000_000), id="longer than what came"),
        pytest.param(VICTIM[:30], id="cut off"),
        pytest.param(with_length(VICTIM, -12), id="a length below zero"),
        pytest.param(with_length(VICTIM, 3), id="a length below any"),
        pytest.param(b"\x00" * 11, id="a few bytes"),
    ],
)
def test_a_batch_without_an_end_costs_at_least_the_next_offset_and_no_loop(body: bytes):
    """Nobody knows where it ends: the broker says what comes behind it."""
    records, position = read(body, position=2)

    assert [True] == [isinstance(each.value, UnreadableBatch) for each in records]
    assert (2, True) == (records[0].value.first, 3 <= position <= 5)


def test_a_batch_that_is_cut_off_behind_others_comes_again():
    """A broker cuts the last batch of an answer: that is no fault."""
    assert ([b"a", b"b"], 2) == (shown((found := read(BEFORE + VICTIM[:50]))[0]), found[1])


def test_an_answer_without_anything_is_none():
    """Brokers may say so by no bytes at all."""
    assert (([], 7), ([], 7)) == (read(None, position=7), read(b"", position=7))


def test_what_lies_before_an_error_in_a_batch_is_read():
    """The second record says that it is longer than the batch: the first one stays."""
    whole = batch(2, [b"x" * 10, b"y" * 10])
    content = bytearray(whole[61:])
    content[len(content) // 2] = 0x7E

    records, position = read(with_content(whole, bytes(content)) + BEHIND, position=2)

    assert ([b"x" * 10, (3, 3), b"c"], 6) == (shown(records), position)


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
def test_every_codec_of_kafka_is_read(codec: int):
    """The libraries are dependencies, not what somebody may have installed."""
    values = [b"body" * 100, None]

    assert values == shown(read(batch(0, values, codec=codec))[0])


@pytest.mark.parametrize("codec", [GZIP, LZ4, ZSTD])
def test_a_few_bytes_that_claim_to_be_gigabytes_are_no_batch(
    codec: int, monkeypatch: pytest.MonkeyPatch
):
    """They would fill the memory of every process that reads them, again and again."""
    whole = batch(0, [b"a" * 1_000_000], codec=codec)
    monkeypatch.setattr(compression, "CONTENT_BYTES_MAX", 100_000)

    assert ([(0, 0), b"c"], 6) == (shown((found := read(whole + BEHIND))[0]), found[1])


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param((2, 0, 1), id="backwards"),
        pytest.param((0, 0, 1), id="one twice"),
        pytest.param((0, 1, 5_000), id="far ahead"),
        pytest.param((-4, 1, 2), id="before the batch"),
    ],
)
def test_a_record_at_an_offset_of_another_hides_no_event(deltas: tuple[int, ...]) -> None:
    """Brokers take such a batch: all of it is set aside, and what lies behind it is read."""
    content = b"".join(record_bytes(delta, b"key", b"x") for delta in deltas)
    body = batch_bytes(BatchHeader(count=3, at_ms=1), content)

    [aside, *behind], position = read(body + batch(3, [b"c", b"d"]))

    assert (0, 2, 5) == (aside.value.first, aside.value.last, position)
    assert [(3, b"c"), (4, b"d")] == [(record.offset, record.value) for record in behind]


def test_batches_that_unfold_to_more_than_fits_into_memory_come_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest of the answer is left, and fetched again from where the reading has come."""
    monkeypatch.setattr(record_batches, "UNFOLDED_BYTES_MAX", 2_500)
    batches = [batch(number, [bytes(1_000)], codec=ZSTD) for number in range(6)]

    records, position = read(b"".join(batches))
    rest, end = read(b"".join(batches[position:]), position)

    assert ([0, 1, 2], 3) == ([record.offset for record in records], position)
    assert ([3, 4, 5], 6) == ([record.offset for record in rest], end)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(1_700_000_000_000, 1_700_000_000_000), (0, -1), (0, 1 << 62), (0, -9)]
)
def test_a_time_that_is_none_is_not_known(ours: int, theirs: int):
    """Producers say any 64 bits; a page could not be drawn of most."""
    assert [ours] == [each.timestamp for each in read(batch(0, [b"a"], timestamp=theirs))[0]]


def test_what_was_aborted_is_passed_over_and_what_was_committed_is_read():
    """The position ends behind the markers, which no record shows."""
    theirs, ours = 7, 8
    body = (
        batch(0, [b"theirs"], producer=theirs)
        + batch(1, [b"ours"], producer=ours)
        + marker(2, theirs, commit=False)
        + marker(3, ours, commit=True)
        + batch(4, [b"theirs again"], producer=theirs)
        + marker(5, theirs, commit=True)
    )

    records, position = read(body, aborted=[(theirs, 0)])

    assert ([b"ours", b"theirs again"], 6) == (shown(records), position)


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), missing=st.integers(0, 200))
def test_no_byte_stops_a_reader(at: int, byte: int, missing: int):
    """Whatever is written over whichever byte: nothing is raised, and the reading goes on."""
    whole = bytearray(BEFORE + VICTIM + BEHIND)
    whole[at % len(whole)] = byte
    body = bytes(whole[: len(whole) - missing])

    _, position = read(body, position=0)

    assert position > 0
