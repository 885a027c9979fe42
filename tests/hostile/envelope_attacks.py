"""Lies about the envelope, and what anybody may produce on the open topics.

Each of them has once stopped a worker for good, hidden a dead letter or broken the audit.
"""

from random import Random
from typing import Any

import msgspec

from app.kafka.producer import partition_of
from app.wire.envelope import derive_id
from app.wire.records import Record
from app.wire.signing import SIGNATURE
from tests.hostile.attacks import Sent, Trick, sent_as

SECOND_MS = 1_000
NOW_ISO = "2026-01-01T00:00:00Z"
NEVER = "1970-01-01T00:00:00Z"
FUTURE_ISO = "2099-12-31T00:00:00Z"
DIGITS = b"9" * 5_000
"""More than Python makes an int of."""
NEARLY_BYTES = 2_999_600
"""With its headers as much as a topic takes: a dead letter has to say why it lies there besides."""
BOMB_BYTES = 8_000_000
"""Sent compressed: a few KB to the broker."""
RARELY = 0.04


def sign_oddly(record: Record, random: Random, _topics: list[str], _partitions: int) -> Sent:
    """A signature that is neither ASCII nor hexadecimal, or nothing."""
    sign = random.choice([b"\xff\xfe", "é".encode(), b"0" * 64, b"x" * 100_000])
    return sent_as("sign_oddly", record, headers=_set(record, {SIGNATURE: sign}))


def claim(record: Record, random: Random, topics: list[str], _partitions: int) -> Sent:
    """No event.

    Its headers claim to be those of a dead letter, a retry, a redriven one of elsewhere.
    """
    claims = {
        "x-origin": f"{random.choice(topics)}/{random.randrange(4)}/{random.randrange(500)}",
        "x-retry-due-ms": random.choice(["9" * 5_000, "-1", "²", "4900000000000", ""]),
        "x-retry-attempt": random.choice(["9" * 5_000, "3", "-3", "none"]),
        "x-redrive-topic": random.choice(topics),
        "x-redrive-of": "orders.order.dead/0/0",
        "x-redrive-id": "1",
        "x-dead-origin": "orders/0/0",
        "x-dead-cut": "yes",
        "x-dead-digest": "not hexadecimal",
        "x-dead-bytes": "7",
        "x-dead-history": "[[[",
        "x-dead-seal": "0" * 64,
    }
    headers = {name: value.encode() for name, value in claims.items() if random.random() < 0.6}
    return sent_as("claim", record, value=b"{claim", headers=_set(record, headers))


def swell(record: Record, random: Random, _topics: list[str], _partitions: int) -> Sent:
    """A header of the envelope that no row and no event after it could carry."""
    name = random.choice(["ce_id", "ce_correlationid", "ce_source", "traceparent", "baggage"])
    headers = {"ce_id": b"swollen", name: b"a=" + b"x" * random.choice([9_000, 300_000])}
    if name == "baggage" and random.random() < 0.5:
        headers[name] = b"a=" + "é".encode() * 2_500
    return sent_as("swell", record, headers=_unsealed(record, headers))


def mistime(record: Record, random: Random, _topics: list[str], _partitions: int) -> Sent:
    """A time that was never, or will never be."""
    times = (
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1969-12-31T00:00:00Z",
        NEVER,
    )
    headers = {"ce_id": b"mistimed", "ce_time": random.choice(times).encode()}
    return sent_as("mistime", record, headers=_unsealed(record, headers))


def name_oddly(record: Record, _random: Random, _topics: list[str], _partitions: int) -> Sent:
    """No event, under a header whose name is not UTF-8."""
    return sent_as("name_oddly", record, value=b"{odd", odd=True)


def fill(record: Record, random: Random, _topics: list[str], _partitions: int) -> Sent:
    """No event: as long as a topic takes, or longer and compressed; mostly a thousand headers."""
    chance = random.random()
    if chance < RARELY:
        return sent_as("fill", record, value=b"f" * NEARLY_BYTES, headers=())
    if chance < 2 * RARELY:
        return sent_as("fill", record, value=b"b" * BOMB_BYTES, headers=(), compressed=True)
    return sent_as("fill", record, value=b"{", headers=(("x", b""),) * 1_000)


def twin(record: Record, random: Random, _topics: list[str], partitions: int) -> Sent:
    """An order, a cancellation, a return or a delivery of items by somebody else.

    About something known where `record` is about something, under a new id or one in use.
    """
    about = (record.key or b"nobody").decode(errors="replace")[:64].strip(".\n") or "nobody"
    order_id = random.choice([about, f"other-{random.randrange(10**9)}"])
    changes: dict[str, Any] = random.choice(
        [
            {},
            {"total_minor": 399},
            {"currency": "XXX"},
            {"payment_method": "pm_card_chargeDeclined"},
            {"lines": [_line("sku-0", 1_000_000, 0)] * 1_000, "total_minor": 1, **_fee(1)},
            {"lines": [], "total_minor": 5, **_fee(5)},
            {"lines": [_line(f"none-{at}", 1, 1) for at in range(1_000)], "total_minor": 1_000},
            {"customer_id": "c \u202e", "reference": "\x7f" * 128},
            {"ordered_at_ms": 99_999_999_999_999},
        ]
    )
    emitted = random.choice(
        [
            _order(order_id, **changes),
            {"type": "payflow.order.cancel_requested.v1", "order_id": order_id, "reason": "\x00"},
            _return(order_id, random),
        ]
    )
    return _emitted("twin", record, emitted, order_id, random, partitions)


def receive(record: Record, random: Random, _topics: list[str], partitions: int) -> Sent:
    """Items come in, or are missed, for all that anybody knows."""
    sku = f"sku-{random.randrange(200)}"
    number = random.randrange(20)
    emitted = random.choice(
        [
            {"type": "payflow.stock.receive.v1", "receipt_id": f"r{number}", "quantity": 3},
            {"type": "payflow.stock.adjust.v1", "adjustment_id": f"a{number}", "delta": -2},
        ]
    )
    return _emitted("receive", record, emitted | {"sku": sku}, sku, random, partitions, "warehouse")


def exceed(record: Record, random: Random, _topics: list[str], partitions: int) -> Sent:
    """An order that nobody can want: it is poison."""
    changes: dict[str, Any] = random.choice(
        [
            {"lines": [_line("sku-0", -1, 400)]},
            {"lines": [_line("sku-0", 10**9, 400)]},
            {"lines": [_line("sku-0", 1, 400)] * 10_000},
            {"total_minor": 2**70},
            {"total_minor": 0},
            {"country": "Fra\x00nce"},
            {"order_id": ".."},
            {"payment_method": "pm\n"},
            {"customer_id": "c\x00"},
            {"currency": "GBP\n"},
            {"lines": [_line("sku-0", 1, 1) | {"description": "ü" * 500}] * 1_000},
        ]
    )
    emitted = _order(f"wild-{random.randrange(10**9)}", **changes)
    sent = _emitted("exceed", record, emitted, emitted["order_id"], random, partitions)
    return msgspec.structs.replace(sent, poison=True)


def _emitted(  # noqa: PLR0913  a record has these parts
    trick: str,
    record: Record,
    emitted: dict[str, Any],
    key: str,
    random: Random,
    partitions: int,
    topic: str = "orders",
) -> Sent:
    event_id = dict(record.headers).get("ce_id", b"")
    new = derive_id(trick, random.random()).encode()
    ids = [new, new, event_id if 0 < len(event_id or b"") <= 256 else new]
    times = (NOW_ISO, "1970-01-01T00:00:01Z", FUTURE_ISO)
    at = random.choice(times)
    headers = {
        "ce_id": random.choice(ids),
        "ce_type": emitted["type"].encode(),
        "ce_source": b"/elsewhere",
        "ce_time": at.encode(),
        "ce_correlationid": key.encode()[:500],
        "baggage": random.choice([b"", b"country=%0A|,began_ms=" + DIGITS, "began_ms=²".encode()]),
    }
    return sent_as(
        trick,
        record,
        topic=topic,
        partition=partition_of(key.encode(), partitions),
        key=key.encode(),
        value=msgspec.json.encode(emitted),
        headers=tuple(headers.items()),
        poison=at == FUTURE_ISO,
    )


def _order(name: str, **changes: Any) -> dict[str, Any]:
    plain = {
        "type": "payflow.order.placed.v1",
        "order_id": name,
        "country": "Elsewhere",
        "currency": "GBP",
        "lines": [_line("sku-1", 1, 400)],
        "total_minor": 400,
        "payment_method": "pm_card_visa",
        "ordered_at_ms": SECOND_MS,
    }
    return plain | changes


def _line(sku: str, quantity: int, amount_minor: int) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, "amount_minor": amount_minor}


def _fee(amount_minor: int) -> dict[str, Any]:
    return {"charges": [{"code": "fee", "amount_minor": amount_minor}]}


def _return(order_id: str, random: Random) -> dict[str, Any]:
    sku, amount_minor = f"sku-{random.randrange(200)}", random.choice([1, 10**9])
    lines = [_line(sku, 1, amount_minor)] * random.choice([1, 1, 1_000])
    return_id = random.choice(["compensation", "r1", f"r{random.randrange(10**6)}"])
    return {
        "type": "payflow.order.return_requested.v1",
        "order_id": order_id,
        "return_id": return_id,
        "lines": lines,
        "amount_minor": amount_minor,
    }


def _set(record: Record, changes: dict[str, bytes]) -> tuple[tuple[str, bytes], ...]:
    return tuple((dict(record.headers) | changes).items())


def _unsealed(record: Record, changes: dict[str, bytes]) -> tuple[tuple[str, bytes], ...]:
    return tuple(pair for pair in _set(record, changes) if pair[0] != SIGNATURE)


WILDER: tuple[Trick, ...] = (
    sign_oddly,
    claim,
    swell,
    mistime,
    name_oddly,
    fill,
    twin,
    twin,
    receive,
    exceed,
)
