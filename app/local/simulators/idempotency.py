"""Idempotency keys with Stripe's semantics, for a day: then the same key runs anew.

The same key with the same parameters gets the stored answer again, be it a 500 or a decline. With
other parameters it is an error; while a request is still running it is a conflict. A request that
never began to run (a bad parameter, a fault before the effect) stores nothing, so a retry runs.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlencode

import msgspec

from app.local.simulators.provider_shapes import Answer, StripeError
from app.local.simulators.sqlite_file import Books

SCHEMA = """
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY,
    tries INTEGER NOT NULL,
    fingerprint TEXT,
    status INTEGER,
    body BLOB,
    created_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS idempotency_created ON idempotency (created_ms);
"""
KEPT_MS = 24 * 3_600_000
"""Stripe may remove a key once it is this old (docs.stripe.com/api/idempotent_requests)."""


class Keys:
    """The idempotency keys of one provider: stored answers, and running requests in memory."""

    def __init__(self, books: Books) -> None:
        books.connection.executescript(SCHEMA)
        self._books = books
        self._running: set[str] = set()

    def replay(self, key: str, fingerprint: str) -> Answer | None:
        """Return the stored answer, or None when there is none.

        Raises StripeError: 400 for other parameters, 409 while the first request still runs.
        """
        if key in self._running:
            raise StripeError(
                409,
                "idempotency_error",
                "There is currently another in-progress request using this idempotency key.",
                code="idempotency_key_in_use",
            )
        self._prune()
        row = self._books.one(
            "SELECT fingerprint, status, body FROM idempotency"
            " WHERE key = ? AND status IS NOT NULL",
            key,
        )
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            raise StripeError(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used with the same parameters they were"
                " first used with.",
            )
        return Answer(status=row["status"], body=msgspec.Raw(row["body"]), replayed=True)

    def _prune(self) -> None:
        self._books.connection.execute(
            "DELETE FROM idempotency WHERE created_ms < ?", (self._books.now_ms() - KEPT_MS,)
        )

    @contextmanager
    def running(self, key: str) -> Iterator[None]:
        """Hold `key` while its request runs."""
        self._running.add(key)
        try:
            yield
        finally:
            self._running.discard(key)

    def tried(self, key: str) -> int:
        """Count one more try under `key`; return how many there were before."""
        row = self._books.one(
            "INSERT INTO idempotency (key, tries, created_ms) VALUES (?, 1, ?)"
            " ON CONFLICT (key) DO UPDATE SET tries = tries + 1 RETURNING tries",
            key,
            self._books.now_ms(),
        )
        assert row is not None
        return int(row["tries"]) - 1

    def keep(self, key: str, fingerprint: str, answer: Answer) -> None:
        """Keep `answer` under `key`. Call inside the transaction of the effect that it reports."""
        self._books.connection.execute(
            "INSERT INTO idempotency (key, tries, created_ms) VALUES (?, 0, ?)"
            " ON CONFLICT (key) DO NOTHING",
            (key, self._books.now_ms()),
        )
        self._books.connection.execute(
            "UPDATE idempotency SET fingerprint = ?, status = ?, body = ? WHERE key = ?",
            (fingerprint, answer.status, answer.encoded(), key),
        )


def fingerprint_of(path: str, params: Mapping[str, str]) -> str:
    """Return the fingerprint that must not change under one key: path and parameters."""
    return hashlib.sha256(f"{path}?{urlencode(sorted(params.items()))}".encode()).hexdigest()
