"""Records that a hostile producer writes: copies of real ones, made wrong, and garbage. Pure."""

from collections.abc import Callable, Sequence
from random import Random

import msgspec

from app.wire.records import Outgoing, Record, header
from app.wire.signing import SIGNATURE
from app.wire.topics import topic_name

GARBAGE_BYTES_MAX = 2_000
HEADERS_MAX = 60
NAMES = (
    "ce_id", "ce_type", "ce_source", "ce_time", "ce_correlationid", "traceparent", "baggage",
    "content-type", "x-payflow-seal", "x-dead-cause", "x-dead-origin", "x-dead-history",
    "x-retry-attempt", "x-retry-due-ms", "x-redrive-id", "x-redrive-of", "x-redrive-topic", "",
)  # fmt: skip
"""Headers that mean something to Payflow."""
CE_NAMES = ("ce_id", "ce_type", "ce_source", "ce_time")


class ForgedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record to be written, and whether it must be dead-lettered where agents read it."""

    kind: str
    record: Outgoing
    is_poison: bool = True


Forge = Callable[[Random, Outgoing], Outgoing]
"""(random, a copy of a real record) -> what is made of it."""


def copy_of(record: Record) -> Outgoing:
    """Return `record` as it was read, for the same partition."""
    return Outgoing(
        topic=record.topic,
        key=record.key,
        value=record.value,
        headers=list(record.headers),
        partition=record.partition,
    )


def _set(record: Outgoing, **changes: object) -> Outgoing:
    return msgspec.structs.replace(record, **changes)


def _damaged(random: Random, record: Outgoing) -> Outgoing:
    body = bytearray(record.value or b"?")
    at = random.randrange(len(body))
    body[at] ^= 1 << random.randrange(8)
    return _set(record, value=bytes(body))


def _other_headers(random: Random, record: Outgoing) -> Outgoing:
    """Return `record` with headers of random bytes, and without an id that could be read."""
    names = [random.choice(NAMES) for _ in range(random.randrange(HEADERS_MAX))]
    headers = [(name, _part(random, 200)) for name in names if name not in CE_NAMES]
    return _set(record, headers=[*headers, ("ce_time", b"yesterday"), ("x-\u00e9\u4e2d", b"\xff")])


def _part(random: Random, most: int) -> bytes:
    return random.randbytes(random.randrange(most))


def garbage(random: Random, topic: str, partition: int) -> Outgoing:
    """Return a record of random bytes without a header."""
    return Outgoing(
        topic=topic,
        partition=partition,
        key=random.randbytes(random.randrange(1, 40)),
        value=_part(random, GARBAGE_BYTES_MAX),
        headers=[],
    )


FORGERIES: dict[str, Forge] = {
    "tombstone of a row": lambda _, record: _set(record, value=None),
    "tombstone of no row": lambda random, record: _set(
        record, key=random.randbytes(12), value=None
    ),
    "tombstone without headers": lambda _, record: _set(record, value=None, headers=[]),
    "no key": lambda _, record: _set(record, key=None),
    # A producer of aiokafka sends one of both.
    "no key and an empty value": lambda _, record: _set(record, key=None, value=b""),
    "an empty key": lambda _, record: _set(record, key=b""),
    "an empty value": lambda _, record: _set(record, value=b""),
    "damaged": _damaged,
    "no headers": lambda _, record: _set(record, headers=[]),
    "other headers": _other_headers,
    "another key": lambda random, record: _set(record, key=random.randbytes(12)),
    "deep JSON": lambda _, record: _set(record, value=b"[" * 50_000),
    "no JSON": lambda random, record: _set(record, value=_part(random, GARBAGE_BYTES_MAX)),
}
"""What is made of copies, by kind: none of it is a message of Payflow any more."""
COPY, GARBAGE, WRONG_PARTITION, WRONG_TOPIC = "copy", "garbage", "wrong partition", "wrong topic"
KINDS = (COPY, GARBAGE, WRONG_PARTITION, WRONG_TOPIC, *FORGERIES)


def forged(
    random: Random, kind: str, topic: str, partitions: int, originals: Sequence[Record]
) -> ForgedRecord:
    """Return a record of `kind` for `topic`; garbage where `originals` have nothing to copy."""
    at = random.randrange(partitions)
    here = [each for each in originals if each.topic == topic and _is_copied(each)]
    elsewhere = [each for each in originals if each.topic != topic and _is_copied(each)]
    if kind == WRONG_TOPIC and elsewhere and topic_name(topic).kind in ("event", "timer"):
        record = copy_of(random.choice(elsewhere))
        return ForgedRecord(kind=kind, record=_set(record, topic=topic, partition=at))
    if kind in (GARBAGE, WRONG_TOPIC) or not here:
        return ForgedRecord(kind=GARBAGE, record=garbage(random, topic, at))
    record = copy_of(random.choice(here))
    if kind == COPY or (kind == WRONG_PARTITION and partitions == 1):
        return ForgedRecord(kind=COPY, record=record, is_poison=False)
    if kind == WRONG_PARTITION:
        assert record.partition is not None, "it was read from one"
        return ForgedRecord(
            kind=kind, record=_set(record, partition=(record.partition + 1) % partitions)
        )
    return ForgedRecord(kind=kind, record=FORGERIES[kind](random, record))


def with_key(forgery: ForgedRecord, key: bytes) -> ForgedRecord:
    """Return `forgery` with `key` where it has none."""
    record = forgery.record
    return msgspec.structs.replace(forgery, record=_set(record, key=record.key or key))


def _is_copied(record: Record) -> bool:
    """Return whether `record` is Payflow's own, so that a change of it makes it poison."""
    return bool(header(record, SIGNATURE)) and record.key is not None
