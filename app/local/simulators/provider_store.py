"""The provider's records: intents, the charges that really happened, and refunds.

They are the independent witness for "no double charge": one row in `charges` is money taken,
whatever any event says. An intent charges at most once because `charges.intent_id` is unique.
"""

from pathlib import Path

import msgspec

from app.local.simulators.provider_records import Intent
from app.local.simulators.refund_store import RefundStore, derived_id, json_text

SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    order_id TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    payment_method TEXT,
    status TEXT NOT NULL CHECK (status IN
        ('requires_payment_method', 'requires_confirmation', 'succeeded', 'canceled')),
    metadata TEXT NOT NULL,
    last_error TEXT,
    created_ms INTEGER NOT NULL,
    canceled_ms INTEGER
);
CREATE INDEX IF NOT EXISTS intents_order ON intents (order_id);
CREATE TABLE IF NOT EXISTS charges (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    intent_id TEXT NOT NULL UNIQUE REFERENCES intents (id),
    order_id TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    refunded_minor INTEGER NOT NULL DEFAULT 0
        CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    currency TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS charges_order ON charges (order_id);
CREATE TABLE IF NOT EXISTS refunds (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    intent_id TEXT NOT NULL REFERENCES intents (id),
    charge_id TEXT NOT NULL REFERENCES charges (id),
    order_id TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS refunds_intent ON refunds (intent_id);
"""


class ProviderStore(RefundStore):
    """Reads and writes the records. Writes belong inside `writing()`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, SCHEMA)
        self.add_columns()

    def create_intent(
        self,
        key: str,
        amount_minor: int,
        currency: str,
        payment_method: str | None,
        metadata: dict[str, str],
    ) -> Intent:
        """Enter a new intent; its id is derived from `key`, which may have been used days ago."""
        intent_id = self.new_id("pi", "intents", key)
        self.connection.execute(
            "INSERT INTO intents (id, order_id, amount_minor, currency, payment_method, status,"
            " metadata, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                intent_id,
                metadata.get("order_id", ""),
                amount_minor,
                currency,
                payment_method,
                "requires_confirmation" if payment_method else "requires_payment_method",
                json_text(metadata),
                self.now_ms(),
            ),
        )
        return self._known(intent_id)

    def intent(self, intent_id: str) -> Intent | None:
        """Return the intent, or None."""
        found = self._intents("i.id = ?", intent_id, limit=1)
        return found[0] if found else None

    def intents(self, order_id: str | None, limit: int, after: str = "") -> list[Intent]:
        """Return intents, newest first, of `order_id` (None: of all orders), older than `after`."""
        where, values = ("i.order_id = ?", [order_id]) if order_id is not None else ("TRUE", [])
        if after:
            where += " AND i.seq < (SELECT seq FROM intents WHERE id = ?)"
            values.append(after)
        return self._intents(where, *values, limit=limit)

    def charge(self, intent: Intent, payment_method: str, short_minor: int = 0) -> Intent:
        """Take the money, less `short_minor`.

        Raises sqlite3.IntegrityError when this intent has charged before.
        """
        self.connection.execute(
            "INSERT INTO charges (id, intent_id, order_id, amount_minor, currency, created_ms)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                derived_id("ch", intent.id),
                intent.id,
                intent.order_id,
                intent.amount_minor - short_minor,
                intent.currency,
                self.now_ms(),
            ),
        )
        return self._set(intent, "succeeded", payment_method, None)

    def decline(self, intent: Intent, error: dict[str, str]) -> Intent:
        """Note that the card was declined; another one may be tried."""
        return self._set(intent, "requires_payment_method", None, error)

    def cancel(self, intent: Intent) -> Intent:
        """Cancel the intent: it can never charge."""
        self.connection.execute(
            "UPDATE intents SET status = 'canceled', canceled_ms = ? WHERE id = ?",
            (self.now_ms(), intent.id),
        )
        return self._known(intent.id)

    def totals(self) -> dict[str, int]:
        """Return counts and sums (minor units, all currencies together)."""
        row = self.one(
            "SELECT (SELECT count(*) FROM intents) AS intents,"
            " (SELECT count(*) FROM intents WHERE status = 'canceled') AS canceled,"
            " (SELECT count(*) FROM intents WHERE last_error IS NOT NULL"
            "  AND status = 'requires_payment_method') AS declined,"
            " (SELECT count(*) FROM charges) AS charges,"
            " (SELECT coalesce(sum(amount_minor), 0) FROM charges) AS charged_minor,"
            " (SELECT count(*) FROM refunds WHERE status = 'succeeded') AS refunds,"
            " (SELECT coalesce(sum(amount_minor), 0) FROM refunds"
            "  WHERE status = 'succeeded') AS refunded_minor,"
            " (SELECT count(*) FROM deliveries WHERE status = 'waiting') AS webhooks_waiting,"
            " (SELECT count(*) FROM deliveries WHERE status = 'delivered') AS webhooks_delivered"
        )
        assert row is not None
        return dict(row)

    def _set(
        self, intent: Intent, status: str, method: str | None, error: dict[str, str] | None
    ) -> Intent:
        self.connection.execute(
            "UPDATE intents SET status = ?, payment_method = ?, last_error = ? WHERE id = ?",
            (status, method, json_text(error) if error else None, intent.id),
        )
        return self._known(intent.id)

    def _known(self, intent_id: str) -> Intent:
        found = self.intent(intent_id)
        assert found is not None, intent_id
        return found

    def _intents(self, where: str, *values: object, limit: int) -> list[Intent]:
        rows = self.all(
            "SELECT i.*, c.id AS charge_id, coalesce(c.refunded_minor, 0) AS refunded_minor,"  # noqa: S608  `where` is ours
            " coalesce(c.amount_minor, 0) AS received_minor"
            f" FROM intents i LEFT JOIN charges c ON c.intent_id = i.id WHERE {where}"
            f" ORDER BY i.seq DESC LIMIT {int(limit)}",
            *values,
        )
        return [_intent(dict(row)) for row in rows]


def _intent(row: dict[str, object]) -> Intent:
    error = row["last_error"]
    row["last_error"] = msgspec.json.decode(str(error)) if error else None
    row["metadata"] = msgspec.json.decode(str(row["metadata"]))
    return msgspec.convert(row, Intent)
