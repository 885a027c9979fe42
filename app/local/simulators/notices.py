"""The provider's events: listed for 30 days, and sent as webhooks.

docs.stripe.com/api/events: what an outage of a webhook endpoint has missed is read from the list.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from app.local.simulators.lists import Condition, Window, matches, select
from app.local.simulators.provider_shapes import event_shape, missing
from app.local.simulators.sqlite_file import Books
from app.local.simulators.webhooks import Sender

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS events_created ON events (created_ms);
"""
KEPT_MS = 30 * 86_400_000
LISTED_ONLY = frozenset({"payment_intent.created", "refund.created", "payout.created"})
"""Kinds that our endpoint is not subscribed to: docs.stripe.com/webhooks."""


class Notices:
    """Writes and lists events. Writes belong inside the transaction of what they report."""

    def __init__(self, books: Books, sender: Sender) -> None:
        books.connection.executescript(SCHEMA)
        self._books = books
        self._sender = sender

    def emit(self, kind: str, about: str, shape: dict[str, object]) -> None:
        """Write the event `kind` with the object `shape`; `about` says what caused it."""
        now_ms = self._books.now_ms()
        self._books.connection.execute(
            "DELETE FROM events WHERE created_ms < ?", (now_ms - KEPT_MS,)
        )
        last = self._books.one("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        text = f"{about}/{kind}/{last['seq'] if last else 0}"
        event_id = f"evt_{hashlib.sha256(text.encode()).hexdigest()[:24]}"
        event = event_shape(event_id, kind, shape, now_ms)
        self._books.connection.execute(
            "INSERT INTO events (id, kind, body, created_ms) VALUES (?, ?, ?, ?)",
            (event_id, kind, msgspec.json.encode(event), now_ms),
        )
        if kind not in LISTED_ONLY:
            self._sender.post(event_id, event)

    def listed(self, query: Mapping[str, str], window: Window) -> tuple[list[object], bool]:
        """Return events of the last 30 days, newest first, and whether there are more."""
        conditions: list[Condition] = [("created_ms >= ?", self._books.now_ms() - KEPT_MS)]
        kinds = [text for name, text in query.items() if name.startswith("types[")]
        if "type" in query:
            conditions.append(("kind GLOB ?", query["type"]))
        if kinds:
            conditions.append(matches("kind", kinds))
        rows, more = select(self._books, "events", conditions, window)
        return [msgspec.Raw(row["body"]) for row in rows], more

    def event(self, event_id: str) -> object:
        """Return an event of the last 30 days. Raises StripeError."""
        row = self._books.one(
            "SELECT body FROM events WHERE id = ? AND created_ms >= ?",
            event_id,
            self._books.now_ms() - KEPT_MS,
        )
        if row is None:
            raise missing("event", event_id, "id")
        return msgspec.Raw(row["body"])
