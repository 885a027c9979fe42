"""The provider's records: intents, the charges that really happened, and refunds.

They are the independent witness for "no double charge": one row in `charges` is money taken,
whatever any event says. An intent charges at most once because `charges.intent_id` is unique.
"""

from pathlib import Path

import msgspec

from app.local.simulators.intent_states import Step
from app.local.simulators.provider_records import Intent
from app.local.simulators.provider_schema import (
    CHANGEABLE,
    DISPUTES,
    INDEXES,
    INTENT_COLUMNS,
    SCHEMA,
)
from app.local.simulators.refund_store import REFUND_COLUMNS, RefundStore
from app.local.simulators.sqlite_file import derived_id, json_text

DUE_MAX = 500
"""Intents that change in one transaction."""


class ProviderStore(RefundStore):
    """Reads and writes the records. Writes belong inside `writing()`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, SCHEMA + DISPUTES)
        self._let_every_status_in()
        self.add_columns("intents", INTENT_COLUMNS)
        self.add_columns("refunds", REFUND_COLUMNS)
        self.connection.executescript(INDEXES)

    def create_intent(  # noqa: PLR0913  an intent has these fields
        self,
        key: str,
        amount_minor: int,
        currency: str,
        payment_method: str | None,
        metadata: dict[str, str],
        capture_method: str = "automatic",
    ) -> Intent:
        """Enter a new intent; its id is derived from `key`, which may have been used days ago."""
        intent_id = self.new_id("pi", "intents", key)
        self.connection.execute(
            "INSERT INTO intents (id, order_id, amount_minor, currency, payment_method, status,"
            " metadata, created_ms, capture_method) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                intent_id,
                metadata.get("order_id", ""),
                amount_minor,
                currency,
                payment_method,
                "requires_confirmation" if payment_method else "requires_payment_method",
                json_text(metadata),
                self.now_ms(),
                capture_method,
            ),
        )
        return self._existing_intent(intent_id)

    def intent(self, intent_id: str) -> Intent | None:
        """Return the intent, or None."""
        intents = self._intents("i.id = ?", intent_id, limit=1)
        return intents[0] if intents else None

    def intent_of_charge(self, name: str) -> Intent | None:
        """Return the intent whose charge has this id, held or taken, or None."""
        row = self.one("SELECT intent_id FROM charges WHERE id = ?", name) or self.one(
            "SELECT id FROM intents WHERE hold_id = ?", name
        )
        return self.intent(row[0]) if row else None

    def intents(self, order_id: str, limit: int) -> list[Intent]:
        """Return intents of an order, newest first."""
        return self._intents("i.order_id = ?", order_id, limit=limit)

    def apply(self, step: Step) -> Intent:
        """Write an intent after a change, and what was taken from the card with it.

        Raises sqlite3.IntegrityError when this intent has charged before.
        """
        intent = step.intent
        if step.taken_minor:
            self.connection.execute(
                "INSERT INTO charges (id, intent_id, order_id, amount_minor, currency, created_ms)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    charge_id(intent.id),
                    intent.id,
                    intent.order_id,
                    step.taken_minor,
                    intent.currency,
                    self.now_ms(),
                ),
            )
        error = json_text(intent.last_error) if intent.last_error else None
        hold_id = charge_id(intent.id) if intent.authorized_ms else None
        changed = ", ".join(f"{name} = ?" for name in CHANGEABLE)
        self.connection.execute(
            f"UPDATE intents SET last_error = ?, hold_id = ?, {changed} WHERE id = ?",  # noqa: S608  the names are ours
            (error, hold_id, *(getattr(intent, name) for name in CHANGEABLE), intent.id),
        )
        return self._existing_intent(intent.id)

    def due_intents(self) -> list[Intent]:
        """Return the intents whose next status has come."""
        return self._intents("i.due_ms <= ?", self.now_ms(), limit=DUE_MAX)

    def next_ms(self) -> int | None:
        """Return when the next intent or refund changes by itself; None: none will."""
        row = self.one(
            "SELECT min(due_ms) FROM (SELECT min(due_ms) AS due_ms FROM intents"
            " UNION ALL SELECT min(due_ms) FROM refunds)"
        )
        return row[0] if row else None

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

    def _existing_intent(self, intent_id: str) -> Intent:
        intent = self.intent(intent_id)
        assert intent is not None, intent_id
        return intent

    def _intents(self, where: str, *values: object, limit: int) -> list[Intent]:
        rows = self.all(
            "SELECT i.*, coalesce(c.id, i.hold_id) AS charge_id, c.created_ms AS charged_ms,"  # noqa: S608  `where` is ours
            " coalesce(c.refunded_minor, 0) AS refunded_minor,"
            " coalesce(c.amount_minor, 0) AS received_minor,"
            " EXISTS (SELECT 1 FROM disputes d WHERE d.intent_id = i.id"
            "  AND d.status != 'expected') AS disputed"
            f" FROM intents i LEFT JOIN charges c ON c.intent_id = i.id WHERE {where}"
            f" ORDER BY i.seq DESC LIMIT {int(limit)}",
            *values,
        )
        return [_intent(dict(row)) for row in rows]

    def _let_every_status_in(self) -> None:
        """Make the table of intents anew where an earlier version allowed four statuses only."""
        row = self.one("SELECT sql FROM sqlite_master WHERE name = 'intents'")
        if row is None or "CHECK (status" not in row["sql"]:
            return
        # By SQLite's own recipe (sqlite.org/lang_altertable.html): new, copied, renamed.
        fresh = SCHEMA[: SCHEMA.index(");") + 2].replace(
            "TABLE IF NOT EXISTS intents", "TABLE intents_anew"
        )
        self.connection.execute("PRAGMA foreign_keys = OFF")
        with self.writing() as books:
            books.execute(fresh)
            books.execute("INSERT INTO intents_anew SELECT * FROM intents")
            books.execute("DROP TABLE intents")
            books.execute("ALTER TABLE intents_anew RENAME TO intents")
        self.connection.execute("PRAGMA foreign_keys = ON")


def _intent(row: dict[str, object]) -> Intent:
    error = row["last_error"]
    row["last_error"] = msgspec.json.decode(str(error)) if error else None
    row["metadata"] = msgspec.json.decode(str(row["metadata"]))
    row["disputed"] = bool(row["disputed"])
    return msgspec.convert(row, Intent)


def charge_id(intent_id: str) -> str:
    """Return the id of the one charge of an intent, authorized or taken."""
    return derived_id("ch", intent_id)
