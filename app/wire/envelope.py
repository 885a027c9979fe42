"""CloudEvents 1.0 in Kafka binary mode: what surrounds a message on the wire.

The envelope is in the headers, so retries, dead letters and metrics never parse a body.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import cast
from urllib.parse import quote, unquote
from uuid import UUID, uuid5

import msgspec

from workflows.shared.errors import PayflowError

NAMESPACE = UUID("6f1f2f0e-0b8e-5f53-9a53-7c1f6b1f3d10")
"""The root of every derived id. Changing it would make every redelivery look new."""

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

ID_BYTES_MAX = 256
"""Rows hold up to a thousand ids: longer ones would make rows that no topic accepts."""
HEADER_BYTES_MAX = 1_024
"""Any other header of the envelope; a key of 128 characters fits."""
BAGGAGE_BYTES_MAX = 8_192
"""The limit of W3C Baggage, in bytes as it is sent: it travels on every event."""
TIME_MS_MAX = 4_102_444_800_000
"""The year 2100: deadlines are computed from times, and must be valid times themselves."""
DIGITS_MAX = 15
"""Digits of a number in a header: enough for a moment in ms."""
PREFIX = "ce_"
OTHERS = ("traceparent", "baggage")
"""Headers besides those of CloudEvents."""
LONGEST = {"ce_id": ID_BYTES_MAX, "ce_causationid": ID_BYTES_MAX, "baggage": BAGGAGE_BYTES_MAX}

Headers = list[tuple[str, bytes]]


class Undecodable(PayflowError, ValueError):
    """A record is not a message of Payflow: its headers or its body are wrong."""

    cause = "bad_envelope"
    """A short label of what is wrong."""


class BadEnvelope(Undecodable):
    """Headers are missing or malformed; the message names which."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The CloudEvents attributes of one message, and the trace and baggage of its transaction."""

    id: str
    type: str
    source: str
    time_ms: int
    subject: str
    correlation_id: str
    causation_id: str = ""
    traceparent: str = ""
    baggage: dict[str, str] = {}
    """W3C baggage: facts of the whole transaction (`country`, `began_ms`), on every event."""
    received_ms: int = 0
    """When its producer began to handle the cause (ms): before, the cause waited in Kafka."""

    @property
    def began_ms(self) -> int:
        """Return when the transaction began (ms), by its baggage; 0 when it does not say."""
        return whole(self.baggage.get("began_ms", ""))


def derive_id(*parts: object) -> str:
    """Return the one id of these parts: the same parts, the same id, always (UUIDv5)."""
    return str(uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts)))


def to_headers(envelope: Envelope) -> Headers:
    """Return `envelope` as Kafka headers."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", envelope.id.encode()),
        ("ce_type", envelope.type.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_time", time_text(envelope.time_ms).encode()),
        ("ce_subject", envelope.subject.encode()),
        ("ce_correlationid", envelope.correlation_id.encode()),
        ("content-type", b"application/json"),
    ]
    if envelope.causation_id:
        headers.append(("ce_causationid", envelope.causation_id.encode()))
    if envelope.traceparent:
        headers.append(("traceparent", envelope.traceparent.encode()))
    if envelope.received_ms:
        headers.append(("ce_heardms", str(envelope.received_ms).encode()))
    if envelope.baggage:
        headers.append(("baggage", _carried(envelope.baggage)))
    return headers


def from_headers(headers: Iterable[tuple[str, bytes]] | Mapping[str, bytes] | None) -> Envelope:
    """Return the envelope in `headers`.

    Raises BadEnvelope naming the header that is missing or malformed.
    """
    pairs = headers or ()
    if isinstance(pairs, Mapping):
        pairs = cast("Mapping[str, bytes]", pairs).items()
    texts: dict[str, str] = {}
    for name, value in pairs:
        if name.startswith(PREFIX) or name in OTHERS:
            texts[name] = _text(name, value or b"")
    for name in ("ce_id", "ce_type", "ce_source", "ce_time", "ce_correlationid"):
        if not texts.get(name):
            raise BadEnvelope(f"header {name} is missing")
    return Envelope(
        id=texts["ce_id"],
        type=texts["ce_type"],
        source=texts["ce_source"],
        time_ms=_milliseconds(texts["ce_time"]),
        subject=texts.get("ce_subject", ""),
        correlation_id=texts["ce_correlationid"],
        causation_id=texts.get("ce_causationid", ""),
        traceparent=texts.get("traceparent", ""),
        baggage=_baggage(texts.get("baggage", "")),
        received_ms=whole(texts.get("ce_heardms", "")),
    )


def time_text(time_ms: int) -> str:
    """Return a time as `ce_time` says it."""
    seconds, millis = divmod(time_ms, 1_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadEnvelope(f"header ce_time is not an RFC 3339 time: {text[:40]}") from error
    if moment.tzinfo is None:
        raise BadEnvelope("header ce_time has no zone")
    time_ms = round(moment.timestamp() * 1_000)
    # 0 means never in what agents and checks remember.
    if not 1 <= time_ms <= TIME_MS_MAX:
        raise BadEnvelope(f"header ce_time is not between 1970 and 2100: {text[:40]}")
    return time_ms


def whole(text: str) -> int:
    """Return the number in the header `text`; 0 where there is none of a usual size."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX else 0


def _text(name: str, value: bytes) -> str:
    """Return the header `name` as text. Raises BadEnvelope when it is too long, or no UTF-8."""
    most = LONGEST.get(name, HEADER_BYTES_MAX)
    if len(value) > most:
        raise BadEnvelope(f"header {name} has {len(value)} bytes, at most {most}")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise BadEnvelope(f"header {name} is not UTF-8") from error


def _baggage(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    baggage = {name.strip(): unquote(value.strip()) for name, _, value in pairs}
    # What is passed on has at most three bytes for one of `text`: most need not be written.
    if 3 * len(text.encode()) > BAGGAGE_BYTES_MAX and len(_carried(baggage)) > BAGGAGE_BYTES_MAX:
        raise BadEnvelope(f"header baggage passed on has more than {BAGGAGE_BYTES_MAX} bytes")
    return baggage


def _carried(baggage: Mapping[str, str]) -> bytes:
    return ",".join(f"{name}={quote(value)}" for name, value in baggage.items()).encode()


def child_traceparent(parent: str, seed: str) -> str:
    """Return the W3C traceparent of the step `seed`: same trace as `parent`, a span of its own.

    An invalid parent starts a trace derived from `seed`, so that it is the same when repeated.
    """
    span = hashlib.sha256(seed.encode()).hexdigest()
    match = _TRACEPARENT.fullmatch(parent)
    trace = match.group(1) if match else span[16:48]
    return f"00-{trace}-{span[:16]}-01"
