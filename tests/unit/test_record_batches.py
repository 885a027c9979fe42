"""A batch that cannot be read costs its own offsets, and nothing that lies around it."""

import asyncio
import struct
from functools import cache
from itertools import chain
from typing import Any

import cramjam
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from app.kafka import compression
from app.kafka.raw_batches import (
    CODECS,
    BatchHeader,
    batch_bytes,
    part_bytes,
    record_bytes,
    sized,
    varint,
)
from app.wire.byte_limits import BATCH_RECORDS_MAX, CONTENT_BYTES_MAX, ROW_BYTES_MAX
from app.wire.records import UnreadableBatch
from tests.support.batches import (
    batch,
    marker,
    message,
    read,
    with_attributes,
    with_content,
    with_length,
    with_magic,
    with_wrong_bytes,
)
from tests.support.fetching import fetching

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
BEFORE, BEHIND = batch(0, [b"a", b"b"]), batch(5, [b"c"])
VICTIM = batch(2, [b"x" * 100, b"y" * 100, b"z" * 100])


def bodies_of(records: list[Any]) -> list[Any]:
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

    assert [b"a", b"b", (2, 4), b"c"] == bodies_of(records)
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
    """A broker cuts the last batch of an answer: that is not a fault."""
    assert ([b"a", b"b"], 2) == (bodies_of((reading := read(BEFORE + VICTIM[:50]))[0]), reading[1])


def test_an_answer_without_anything_is_none():
    """Brokers may say so by no bytes at all."""
    assert (([], 7), ([], 7)) == (read(None, position=7), read(b"", position=7))


def test_what_lies_before_an_error_in_a_batch_is_read():
    """The second record says that it is longer than the batch: the first one stays."""
    whole = batch(2, [b"x" * 10, b"y" * 10])
    content = bytearray(whole[61:])
    content[len(content) // 2] = 0x7E

    records, position = read(with_content(whole, bytes(content)) + BEHIND, position=2)

    assert ([b"x" * 10, (3, 3), b"c"], 6) == (bodies_of(records), position)


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
def test_every_codec_of_kafka_is_read(codec: int):
    """The libraries are dependencies, not what somebody may have installed."""
    values = [b"body" * 100, None]

    assert values == bodies_of(read(batch(0, values, codec=codec))[0])


@pytest.mark.parametrize("codec", [GZIP, LZ4, ZSTD])
def test_a_few_bytes_that_claim_to_be_gigabytes_are_no_batch(
    codec: int, monkeypatch: pytest.MonkeyPatch
):
    """They would fill the memory of every process that reads them, again and again."""
    whole = batch(0, [b"a" * 1_000_000], codec=codec)
    monkeypatch.setattr(compression, "CONTENT_BYTES_MAX", 100_000)

    assert ([(0, 0), b"c"], 6) == (bodies_of((reading := read(whole + BEHIND))[0]), reading[1])


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


def test_snappy_is_read_with_and_without_the_blocks_of_java():
    """Other clients write one block, and no header before it."""
    record = record_bytes(0, b"key", b"body" * 20_000)
    bodies = [CODECS[SNAPPY](record), bytes(cramjam.snappy.compress_raw(record))]

    for content in bodies:
        body = batch_bytes(BatchHeader(count=1, at_ms=1, attributes=SNAPPY), content)
        assert [b"body" * 20_000] == bodies_of(read(body)[0])


def blocks(*contents: bytes) -> bytes:
    """Return `contents` as a Java client writes them: each behind its length."""
    header = compression.XERIAL + struct.pack(">ii", 1, 1)
    return header + b"".join(struct.pack(">i", len(each)) + each for each in contents)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xff\xff\xff\xff\x0f" + b"a" * 20, id="four gigabytes, says it"),
        pytest.param(blocks(b"\xff\xff\xff\xff\x0f" + b"a" * 20), id="its block says so"),
        pytest.param(blocks(*[b"\x80\x80\x80\x02" + b"a"] * 4), id="its blocks say so together"),
        pytest.param(blocks(b"") + struct.pack(">i", -8), id="a block before itself"),
        pytest.param(blocks(b"") + struct.pack(">i", 1 << 30) + b"a", id="a block behind its end"),
        pytest.param(blocks(b"") + b"\0\0", id="no length of a block"),
    ],
)
def test_snappy_that_says_what_it_has_not_is_unreadable_before_it_is_unfolded(content: bytes):
    """The library makes room for as much as a block says."""
    body = batch_bytes(BatchHeader(count=1, at_ms=1, attributes=SNAPPY), content)

    assert [(0, 0), b"c"] == bodies_of(read(body + BEHIND)[0])


# --- how much a few bytes may unfold to ---------------------------------------------------


def compressed(codec: int, content: bytes, count: int = 1) -> bytes:
    """Return a batch with `content`."""
    header = BatchHeader(count=count, at_ms=1, attributes=codec)
    return batch_bytes(header, CODECS[codec](content) if codec else content)


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
def test_a_bomb_is_set_aside_and_the_longest_row_is_read(codec: int):
    """A byte more than any batch of ours may have; what lies behind is read as ever."""
    longest = ROW_BYTES_MAX * b"r"
    bomb = compressed(codec, record_bytes(0, b"key", bytes(CONTENT_BYTES_MAX)))
    row = compressed(codec, record_bytes(0, b"key", longest))

    assert [longest] == bodies_of(read(row)[0])
    [aside, behind], position = read(bomb + BEHIND)
    assert (True, 6) == (f"{CONTENT_BYTES_MAX} bytes" in aside.value.reason, position)
    assert (bomb, b"c") == (aside.value, behind.value)


@pytest.mark.parametrize("codec", [0, ZSTD])
def test_a_batch_of_more_records_than_any_of_messages_is_one_record(codec: int):
    """Empty ones, seven bytes each: they would be a gigabyte of objects, and dead letters."""
    most = batch_of_empty(codec, BATCH_RECORDS_MAX)
    more = batch_of_empty(codec, BATCH_RECORDS_MAX + 1)

    records, position = read(most)
    assert (BATCH_RECORDS_MAX, BATCH_RECORDS_MAX) == (len(records), position)
    [aside], position = read(more)
    assert (0, BATCH_RECORDS_MAX, BATCH_RECORDS_MAX + 1) == (
        aside.value.first,
        aside.value.last,
        position,
    )


def moved(body: bytes, offset: int) -> bytes:
    """Return the batch in `body` from `offset`: a checksum does not cover that."""
    return struct.pack(">q", offset) + body[8:]


def batch_of_empty(codec: int, count: int) -> bytes:
    """Return a batch of so many records without a key and a body."""
    return compressed(codec, b"".join(empty_records()[:count]), count)


@cache
def empty_records() -> list[bytes]:
    """Return the bytes of one record more than a batch may have."""
    return [record_bytes(number, None, None) for number in range(BATCH_RECORDS_MAX + 1)]


def test_a_batch_of_headers_alone_is_unreadable_and_a_long_one_of_messages_is_not():
    """Two bytes a header: 1,600 bytes took 800 MB of memory."""
    headers = (CONTENT_BYTES_MAX - 100) // 2
    body = b"\0\0\0" + part_bytes(b"key") + part_bytes(b"v") + varint(headers)
    bomb = compressed(ZSTD, sized(body + b"\0\x01" * headers))
    legal = b"".join(
        record_bytes(number, b"key", b"v" * 100, [(b"name-%d" % at, b"value") for at in range(10)])
        for number in range(20_000)
    )

    [aside, behind], _ = read(bomb + BEHIND)
    assert (True, b"c") == ("headers" in aside.value.reason, behind.value)
    assert 20_000 == len(read(compressed(ZSTD, legal, 20_000))[0])


@pytest.mark.parametrize("content", [b"\xff" * 4_000_000, sized(b"\0" * 4_000_000)])
def test_a_long_batch_without_structure_is_unreadable(content: bytes):
    """Its headers cannot be counted."""
    assert [(0, 1), b"c"] == bodies_of(read(compressed(ZSTD, content, 2) + BEHIND)[0])


async def test_a_step_opens_a_bounded_part_of_what_was_fetched_and_the_next_goes_on() -> None:
    """Of twelve partitions with a row of 16 MB each: one a step, each once, in its order."""
    row = compressed(ZSTD, record_bytes(0, b"key", bytes(ROW_BYTES_MAX)))
    bodies = {TopicPartition("rows", at): row + batch(1, [b"small"]) for at in range(12)}
    offsets: dict[TopicPartition, list[int]] = {place: [] for place in bodies}
    async with fetching(bodies) as fetcher:
        while sum(map(len, offsets.values())) < 2 * len(bodies):
            step = await fetcher.fetched_records([], 1.0, 2_000)
            assert 2 > sum(len(each.value) == ROW_BYTES_MAX for each in chain(*step.values()))
            for place, records in step.items():
                offsets[place] += [each.offset for each in records]

        assert [[0, 1]] * len(bodies) == list(offsets.values())
        assert dict.fromkeys(bodies, 1) == fetcher._client.answered, "nothing is fetched again"


async def test_bombs_end_a_step_each() -> None:
    """Each costs a reader as much as the longest row: others have their turn between them."""
    bomb = compressed(ZSTD, record_bytes(0, b"key", bytes(CONTENT_BYTES_MAX)))
    body = b"".join(moved(bomb, offset) for offset in range(20)) + batch(20, [b"last"])
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(others())
    records: list[Any] = []
    async with fetching({TopicPartition("orders", 0): body}) as fetcher:
        while not records or records[-1].value != b"last":
            before = turns
            step = await fetcher.fetched_records([], 1.0)
            assert 1 >= sum(
                isinstance(each.value, UnreadableBatch) for each in chain(*step.values())
            )
            assert turns > before
            records += chain(*step.values())
    beside.cancel()

    assert list(range(21)) == [each.offset for each in records]


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

    assert ([b"ours", b"theirs again"], 6) == (bodies_of(records), position)


def wrapped(content: bytes, codec: int = GZIP, magic: int = 1, attributes: int = 0) -> bytes:
    """Return the message with the messages of `content`, the last at offset 3."""
    packed = CODECS[codec](content)
    return message(3, packed, magic=magic, attributes=codec | attributes)


BEFORE_MESSAGE, BEHIND_MESSAGE = message(1, b"a"), message(4, b"c")


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4])
@pytest.mark.parametrize("magic", [0, 1])
def test_messages_of_before_batches_are_read(magic: int, codec: int) -> None:
    """Those within a compressed one count from the first of it, or say where they lie."""
    at = 0 if magic else 2
    within = message(at, b"x", magic=magic) + message(at + 1, b"y", magic=magic)

    records, position = read(
        message(1, b"a", magic=magic) + wrapped(within, codec, magic) + batch(4, [b"c"])
    )

    times = [1_001, 1_000, 1_001] if magic else [0, 0, 0]
    assert ([1, 2, 3, 4], 5) == ([each.offset for each in records], position)
    assert [b"a", b"x", b"y", b"c"] == bodies_of(records)
    assert times == [each.timestamp for each in records[:3]]


def test_messages_have_the_time_of_the_broker_where_it_says_so() -> None:
    """Which is that of the message around them."""
    appended = 0x08

    records, _ = read(wrapped(message(0, b"x") + message(1, b"y"), attributes=appended))

    assert [(2, 1_003, 1), (3, 1_003, 1)] == [
        (each.offset, each.timestamp, each.timestamp_type) for each in records
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(
            wrapped(message(0, b"x", length=-12) + message(1, b"y")),
            "does not end where it says",
            id="one that ends where it begins",
        ),
        pytest.param(
            wrapped(message(0, b"x")[:-1]), "does not end where it says", id="one cut off"
        ),
        pytest.param(wrapped(message(0, b"\0" * CONTENT_BYTES_MAX)), "longer than", id="a bomb"),
        pytest.param(
            wrapped(wrapped(message(0, b"x"))), "is compressed", id="one compressed again"
        ),
        pytest.param(wrapped(message(0, b"x", magic=0)), "another magic", id="another magic"),
        pytest.param(wrapped(b""), "no message", id="none"),
        pytest.param(
            wrapped(message(90, b"x", magic=0), magic=0), "its offsets", id="an offset far ahead"
        ),
        pytest.param(message(3, b"no archive", attributes=GZIP), "BadGzipFile", id="no archive"),
        pytest.param(bytes(wrapped(message(0, b"x"))[:-1]) + b"?", "CRC", id="a wrong checksum"),
    ],
)
def test_a_message_that_cannot_be_unfolded_is_set_aside(body: bytes, reason: str) -> None:
    """It ends no process and holds none up; what lies around it is read."""
    records, position = read(BEFORE_MESSAGE + body + BEHIND_MESSAGE)

    assert ([b"a", (2, 3), b"c"], 5) == (bodies_of(records), position)
    assert reason in records[1].value.reason


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_no_byte_of_a_compressed_message_stops_a_reader(at: int, byte: int) -> None:
    """Whatever is written over whichever byte of what it unfolds to."""
    content = bytearray(message(0, b"x" * 20) + message(1, b"y" * 20))
    content[at % len(content)] = byte

    _, position = read(BEFORE_MESSAGE + wrapped(bytes(content)) + BEHIND_MESSAGE)

    assert 5 == position


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), missing=st.integers(0, 200))
def test_no_byte_stops_a_reader(at: int, byte: int, missing: int):
    """Whatever is written over whichever byte: nothing is raised, and the reading goes on."""
    whole = bytearray(BEFORE + VICTIM + BEHIND)
    whole[at % len(whole)] = byte
    body = bytes(whole[: len(whole) - missing])

    _, position = read(body, position=0)

    assert position > 0
