"""Seals: who may write to the broker is not yet who may speak for the house.

Every event the house tells carries a keyed digest of its envelope, key and body. A record without a
right one is laid aside, unread. Topics where others may tell events too are `open`: there a seal is
not asked for, but one that is there must be right. Dead letters carry a second seal, over why they
lie there. Changelogs and Kafka's own topics are not covered: those need ACLs (ADR 11).
"""

import hashlib
import hmac

from msgspec.structs import replace

from app.config import Config
from app.wire import records as record
from app.wire.envelope import Envelope, derive_id
from app.wire.records import Outgoing, Record
from app.wire.topics import Topic

SEAL = "x-payflow-seal"
DEAD_SEAL = "x-dead-seal"
ROWS_SEAL = "x-payflow-rows"
SEALED_PREFIXES = ("ce_", "traceparent", "baggage", "content-type")
OF_A_LETTER = "x-dead-"
AHEAD_MS_MAX = 300_000
"""How far the clocks of others may be ahead."""


def sealed(told: Outgoing, secret: str) -> Outgoing:
    """Return `told` as it goes to the broker: events sealed, dead letters sealed as such.

    What was read and is passed on (retries, letters, redriven ones) keeps the seal it came with.
    """
    if not secret or told.topic.endswith(".redrive") or ".retry-" in told.topic:
        return told
    if told.topic.endswith(".dead"):
        return _with(told, DEAD_SEAL, _digest(told, (OF_A_LETTER,), DEAD_SEAL, secret))
    return resealed(told, secret)


def resealed(told: Outgoing, secret: str) -> Outgoing:
    """Return `told` with a seal of now, whatever it carried."""
    return _with(told, SEAL, _digest(told, SEALED_PREFIXES, SEAL, secret)) if secret else told


def genuine(given: Record, topic: Topic, config: Config) -> bool:
    """Return whether the house has told `given`, or anybody may tell it on `topic`."""
    said = record.header(given, SEAL)
    return (topic.open and not said) or of_the_house(given, config)


def named(head: Envelope, given: Record, topic: Topic) -> Envelope:
    """Return `head` with the id by which the house knows `given`, which is genuine on `topic`.

    Others choose the ids of what they tell on an open topic, and could choose one of ours: we would
    take the other for known. Theirs is bound to what it says.
    """
    if not topic.open or record.header(given, SEAL):
        return head
    said = hashlib.sha256(given.value or b"").hexdigest()
    return replace(head, id=derive_id("told by others", head.id, said))


def from_the_future(head: Envelope, given: Record, topic: Topic) -> bool:
    """Return whether `given`, told by others, says a time that had not come when it was told.

    Deadlines are reckoned from it. All rooms see the same two times, and come to the same answer.
    """
    theirs = topic.open and not record.header(given, SEAL)
    return theirs and 0 < given.at_ms < head.time_ms - AHEAD_MS_MAX


def of_the_house(given: Record, config: Config) -> bool:
    """Return whether the house has told `given`."""
    if not config.seal_key:
        return True
    return _right(given, record.header(given, SEAL), SEALED_PREFIXES, SEAL, config)


def genuine_letter(given: Record, config: Config) -> bool:
    """Return whether a service of the house has laid `given` aside."""
    if not config.seal_key:
        return True
    return _right(given, record.header(given, DEAD_SEAL), (OF_A_LETTER,), DEAD_SEAL, config)


def pass_to(path: str, secret: str) -> str:
    """Return what one process of the house says to another that shows it rows at `path`."""
    return hmac.digest(secret.encode(), f"rows:{path}".encode(), "sha256").hex()


def may_pass(said: str, path: str, config: Config) -> bool:
    """Return whether `said` is a pass to `path`; without a seal key everybody may."""
    secrets = [secret for secret in (config.seal_key, config.seal_key_before) if secret]
    passes = (pass_to(path, secret).encode() for secret in secrets)
    return not config.seal_key or any(hmac.compare_digest(said.encode(), each) for each in passes)


def _right(given: Record, said: str, prefixes: tuple[str, ...], own: str, config: Config) -> bool:
    secrets = filter(None, (config.seal_key, config.seal_key_before))
    return any(
        # As bytes: of texts it compares only ASCII, and raises for others.
        hmac.compare_digest(said.encode(), _digest(given, prefixes, own, secret).encode())
        for secret in secrets
    )


def _digest(given: Outgoing | Record, prefixes: tuple[str, ...], own: str, secret: str) -> str:
    kept = sorted(
        [
            (name.encode(), value or b"")
            for name, value in given.headers
            if name.startswith(prefixes) and name != own
        ]
    )
    parts = [part for pair in kept for part in pair]
    parts += [b"+" + part if part is not None else b"-" for part in (given.key, given.value)]
    # Behind all their lengths, no byte can move from one part to the next.
    said = b"".join([repr([*map(len, parts)]).encode(), *parts])
    return hmac.digest(secret.encode(), said, "sha256").hex()


def _with(told: Outgoing, name: str, value: str) -> Outgoing:
    headers = [pair for pair in told.headers if pair[0] != name]
    return replace(told, headers=[*headers, (name, value.encode())])
