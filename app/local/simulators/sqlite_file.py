"""The SQLite file of one simulator, used by its process alone.

WAL with synchronous=NORMAL: commits survive kill -9 without a disk sync for each request.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from app.wire.clock import now_ms

DELIVERIES = """
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY,
    notice_id TEXT NOT NULL,
    body BLOB NOT NULL,
    due_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL CHECK (status IN ('waiting', 'delivered', 'lost', 'given_up'))
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_ms) WHERE status = 'waiting';
"""
"""Webhooks to send: written in the transaction that they report, so that a kill loses none."""
CLOCK = """
CREATE TABLE IF NOT EXISTS clock (ahead_ms INTEGER NOT NULL);
INSERT INTO clock SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM clock);
"""


class Books:
    """One open file, not safe for threads: all calls come from the event loop."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.execute("PRAGMA busy_timeout = 5000")
        self.connection.execute("PRAGMA foreign_keys = ON")
        self.connection.executescript(schema + DELIVERIES + CLOCK)
        row = self.one("SELECT ahead_ms FROM clock")
        assert row is not None
        self.ahead_ms: int = row["ahead_ms"]
        """By how much the clock of this system was moved ahead."""

    def add_columns(self, table: str, columns: Mapping[str, str]) -> None:
        """Add the columns that the file of an earlier version lacks."""
        column_names = {row["name"] for row in self.all(f"PRAGMA table_info({table})")}
        for name, kind in columns.items():
            if name not in column_names:
                self.connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction, which is rolled back when something is raised."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException:
            # On a full disk a COMMIT fails and leaves the transaction open, or SQLite ends it.
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def now_ms(self) -> int:
        """Return the time of this system, in milliseconds since 1970."""
        return now_ms() + self.ahead_ms

    def advance(self, by_ms: int) -> None:
        """Move the clock of this system ahead. Call inside `writing()`."""
        self.ahead_ms += by_ms
        self.connection.execute("UPDATE clock SET ahead_ms = ?", (self.ahead_ms,))

    def one(self, query: str, *values: object) -> sqlite3.Row | None:
        """Return the first row of `query`, or None."""
        return self.connection.execute(query, values).fetchone()

    def all(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of `query`."""
        return self.connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file; the write-ahead log is checkpointed into it."""
        self.connection.close()


def json_text(value: object) -> str:
    """Return `value` as JSON."""
    return msgspec.json.encode(value).decode()


def derived_id(prefix: str, key: str) -> str:
    """Return an id in Stripe's form."""
    return f"{prefix}_{hashlib.sha256(f'{prefix}/{key}'.encode()).hexdigest()[:24]}"
