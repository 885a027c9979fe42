"""Signatures: write access to the broker does not make a producer part of Payflow.

Every event Payflow produces carries a keyed digest of its envelope, key and body. A record without
a right one is dead-lettered, unread. Topics where others may produce too are `open`: there a
signature is not asked for, but one that is there must be right. Dead letters carry a second
signature, over their cause and origin. Changelogs and Kafka's own topics are not covered: those
need ACLs (ADR 11).
"""

import hashlib
import hmac

from msgspec.structs import replace

from app.config import Config
from app.wire import records
from app.wire.envelope import Envelope, derive_id
from app.wire.known_secrets import is_known_key
from app.wire.records import Outgoing, Record
from app.wire.topics import topic_name
from workflows.shared.message import Message
from workflows.shared.topic import Topic, topic_of

SIGNATURE = "x-payflow-seal"
DEAD_LETTER_SIGNATURE = "x-dead-seal"
ROWS_PASS = "x-payflow-rows"  # noqa: S105  the name of a header
SIGNED_PREFIXES = ("ce_", "traceparent", "baggage", "content-type")
DEAD_LETTER_PREFIX = "x-dead-"
AHEAD_MS_MAX = 300_000
"""How far the clocks of others may be ahead."""


def signed(emitted: Outgoing, secret: str) -> Outgoing:
    """Return `emitted` as it goes to the broker: events signed, dead letters signed as such.

    Records that are passed on (retries, dead letters, redriven ones) keep their signature.
    """
    kind = topic_name(emitted.topic).kind
    if not secret or kind in ("redrive", "retry"):
        return emitted
    if kind == "dead":
        return _with(
            emitted,
            DEAD_LETTER_SIGNATURE,
            _digest(emitted, (DEAD_LETTER_PREFIX,), DEAD_LETTER_SIGNATURE, secret),
        )
    return signed_again(emitted, secret)


def signed_again(emitted: Outgoing, secret: str) -> Outgoing:
    """Return `emitted` signed anew, whatever signature it carried."""
    return (
        _with(emitted, SIGNATURE, _digest(emitted, SIGNED_PREFIXES, SIGNATURE, secret))
        if secret
        else emitted
    )


def is_authentic(record: Record, topic: Topic, config: Config) -> bool:
    """Return whether Payflow has produced `record`, or `topic` is open and it has no signature."""
    signature = records.header(record, SIGNATURE)
    return (topic.open and not signature) or is_signed(record, config)


def trusted_envelope(envelope: Envelope, record: Record, topic: Topic) -> Envelope:
    """Return `envelope` with the id and time that Payflow uses for `record`, authentic on `topic`.

    On an open topic other producers choose ids, and could choose one of Payflow's, which would then
    be dropped as known. So their ids are bound to their bodies. Their time is that of the arrival,
    by the broker's clock, because deadlines are computed from it.
    """
    if not _is_of_others(record, topic):
        return envelope
    body_digest = hashlib.sha256(record.value or b"").hexdigest()
    event_id = derive_id("told by others", envelope.id, body_digest)
    return replace(envelope, id=event_id, time_ms=record.at_ms or envelope.time_ms)


def in_own_transaction(envelope: Envelope, record: Record, message: Message) -> Envelope:
    """Return `envelope` of `message` in the transaction that Payflow believes.

    What other producers say is in the transaction that its body names, whatever their header says:
    it would else show in that of anybody, and so would all that follows from it.
    """
    topic = topic_of(message)
    if not _is_of_others(record, topic):
        return envelope
    return replace(envelope, correlation_id=topic.key(message))


def trusted_message(message: Message, record: Record, topic: Topic) -> Message:
    """Return `message` of `record`, authentic on `topic`, with times that are reliable.

    What other producers say began at some time began when the broker received the record.
    """
    field = topic.said_times.get(type(message), "")
    if not field or not record.at_ms or not _is_of_others(record, topic):
        return message
    return replace(message, **{field: record.at_ms})


def from_the_future(envelope: Envelope, record: Record, topic: Topic) -> bool:
    """Return whether `record`, produced by others, carries a time that had not come.

    The clock of such a producer is wrong. All agents compare the same two times, so they agree.
    """
    return _is_of_others(record, topic) and 0 < record.at_ms < envelope.time_ms - AHEAD_MS_MAX


def _is_of_others(record: Record, topic: Topic) -> bool:
    return topic.open and not records.header(record, SIGNATURE)


def is_signed(record: Record, config: Config) -> bool:
    """Return whether Payflow has produced `record`."""
    if not config.signing_key:
        return True
    return _right(record, records.header(record, SIGNATURE), SIGNED_PREFIXES, SIGNATURE, config)


def is_authentic_dead_letter(record: Record, config: Config) -> bool:
    """Return whether a service of Payflow has dead-lettered `record`."""
    if not config.signing_key:
        return True
    return _right(
        record,
        records.header(record, DEAD_LETTER_SIGNATURE),
        (DEAD_LETTER_PREFIX,),
        DEAD_LETTER_SIGNATURE,
        config,
    )


def keyed_digest(secret: str, content: bytes) -> str:
    """Return what stands for `content` where others may see it, in hexadecimal.

    Without `secret` nobody computes it, nor checks a guess of `content`.
    """
    return hmac.digest(secret.encode(), content, "sha256").hex()


def rows_token(path: str, secret: str) -> str:
    """Return the token with which one process of Payflow reads rows of another at `path`."""
    return keyed_digest(secret, f"rows:{path}".encode())


def read_headers(config: Config, path: str) -> dict[str, str]:
    """Return the headers with which a process of Payflow reads `path` of the console."""
    return {ROWS_PASS: rows_token(path, config.signing_key)} if config.signing_key else {}


def is_rows_token(token: str, path: str, config: Config) -> bool:
    """Return whether `token` is one for `path`; without a signing key everybody may read."""
    return not config.signing_key or is_of_payflow(token, path, config)


def is_of_payflow(token: str, path: str, config: Config) -> bool:
    """Return whether `token` is one for `path` of a process with a signing key.

    The key of before counts while processes are restarted with another one, unless one of the two
    is known to everybody: what it signed on topics lies there, but nobody needs its tokens.
    """
    keys = (config.signing_key, config.signing_key_before)
    changing = all(keys) and not any(map(is_known_key, keys))
    secrets = [secret for secret in (keys if changing else keys[:1]) if secret]
    passes = (rows_token(path, secret).encode() for secret in secrets)
    return any(hmac.compare_digest(token.encode(errors="replace"), each) for each in passes)


def _right(
    record: Record, signature: str, prefixes: tuple[str, ...], own: str, config: Config
) -> bool:
    secrets = filter(None, (config.signing_key, config.signing_key_before))
    return any(
        # As bytes: of texts it compares only ASCII, and raises for others.
        hmac.compare_digest(signature.encode(), _digest(record, prefixes, own, secret).encode())
        for secret in secrets
    )


def _digest(record: Outgoing | Record, prefixes: tuple[str, ...], own: str, secret: str) -> str:
    headers = sorted(
        [
            (name.encode(), value or b"")
            for name, value in record.headers
            if name.startswith(prefixes) and name != own
        ]
    )
    parts = [part for pair in headers for part in pair]
    parts += [b"+" + part if part is not None else b"-" for part in (record.key, record.value)]
    # The lengths come first, so no byte can move from one part to the next.
    content = b"".join([repr([*map(len, parts)]).encode(), *parts])
    return keyed_digest(secret, content)


def _with(emitted: Outgoing, name: str, value: str) -> Outgoing:
    headers = [pair for pair in emitted.headers if pair[0] != name]
    return replace(emitted, headers=[*headers, (name, value.encode())])
