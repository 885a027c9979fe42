"""What a hostile producer does with a record it has read: repeats, moves, corrupts, forges."""

import re
from collections.abc import Callable
from random import Random

import msgspec

from app.wire.records import Record
from app.wire.signing import SIGNATURE

DEEP = 10_000
LONG_BYTES = 2_000_000


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the hostile producer, and whether it must end in dead topics."""

    trick: str
    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    poison: bool = True
    odd: bool = False
    """Whether it carries a header whose name is not UTF-8."""
    compressed: bool = False


Trick = Callable[[Record, Random, list[str], int], Sent]


def sent_as(trick: str, record: Record, **changes: object) -> Sent:
    """Return `record` as a lie, with `changes`."""
    fields = {
        "topic": record.topic,
        "partition": record.partition,
        "key": record.key,
        "value": record.value,
        "headers": record.headers,
    }
    return Sent(trick=trick, **(fields | changes))  # type: ignore[arg-type]


def repeat(record: Record, _random: Random, _topics: list[str], _partitions: int) -> Sent:
    """The same bytes again."""
    return sent_as("repeat", record, poison=False)


def misplace(record: Record, random: Random, _topics: list[str], partitions: int) -> Sent:
    """The same bytes in a partition where the key does not belong."""
    other = (record.partition + random.randrange(1, partitions)) % partitions
    return sent_as("misplace", record, partition=other)


def move(record: Record, random: Random, topics: list[str], _partitions: int) -> Sent:
    """The same bytes on another topic; between the topics of one home, that is a repetition."""
    target = random.choice([t for t in topics if t != record.topic])
    alike = _first_topic(target) == _first_topic(record.topic) or target.endswith(".redrive")
    return sent_as("move", record, topic=target, poison=not alike)


def _first_topic(topic: str) -> str:
    """Return the topic that dead letters, retries and redriven records of `topic` come from."""
    return re.sub(r"\.\w+\.(dead|retry-\w+)$", "", topic)


def flip(record: Record, random: Random, _topics: list[str], _partitions: int) -> Sent:
    """One byte of the body changed."""
    body = bytearray(record.value or b"x")
    body[random.randrange(len(body))] ^= random.randrange(1, 256)
    return sent_as("flip", record, value=bytes(body))


def rename(record: Record, random: Random, _topics: list[str], _partitions: int) -> Sent:
    """One header of the envelope changed: the time, the id, the correlation."""
    name = random.choice(["ce_id", "ce_time", "ce_correlationid", "ce_type", "baggage"])
    headers = dict(record.headers) | {name: b"2020-01-01T00:00:00Z"}
    return sent_as("rename", record, headers=tuple(headers.items()))


def forge(record: Record, random: Random, _topics: list[str], _partitions: int) -> Sent:
    """A well-formed event with another id and, where it has one, another amount; no signature."""
    headers = dict(record.headers) | {"ce_id": f"forged-{random.random()}".encode()}
    headers.pop(SIGNATURE, None)
    open_topic = record.topic in {"orders", "warehouse"}
    return sent_as(
        "forge",
        record,
        value=_richer(record.value),
        headers=tuple(headers.items()),
        poison=not open_topic,
    )


def _richer(body: bytes | None) -> bytes | None:
    try:
        message = msgspec.json.decode(body or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    if isinstance(message, dict) and isinstance(message.get("amount_minor"), int):
        return msgspec.json.encode(message | {"amount_minor": message["amount_minor"] + 1})
    return body


def garble(record: Record, random: Random, _topics: list[str], _partitions: int) -> Sent:
    """No event at all."""
    body = random.choice(GARBAGE)
    headers = random.choice([record.headers, (), (("ce_id", b"\xff"),), record.headers[:2]])
    key = random.choice([record.key, None, b"", b"\xff\xfe"])
    return sent_as("garble", record, key=key, value=body, headers=headers)


def stall(record: Record, _random: Random, _topics: list[str], _partitions: int) -> Sent:
    """No event, and it claims to be due in a hundred years."""
    headers = (("x-retry-due-ms", b"4900000000000"), ("x-retry-attempt", b"1"))
    return sent_as("stall", record, value=b"{later", headers=headers)


GARBAGE = (
    b"",
    None,
    b"{not json",
    b"NaN",
    b'{"type":"payflow.order.placed.v1","order_id":Infinity}',
    b"[" * DEEP,
    b"x" * LONG_BYTES,
    b"[1,2,3]",
    b'{"type":"payflow.payment.completed.v9"}',
    b'{"order_id":"\\ud800"}',
    b"\x00\x01\x02",
    b"[" + b"{}," * 9_999 + b"{}]",
)
TRICKS: tuple[Trick, ...] = (repeat, repeat, misplace, move, flip, rename, forge, garble, stall)
