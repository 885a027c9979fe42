"""The refunds in the provider's file, and how they go on."""

import sqlite3

import msgspec

from app.local.simulators.provider_records import PLAIN, Course, Intent, Refund
from app.local.simulators.sqlite_file import Books, derived_id, json_text

REFUND_COLUMNS = {
    "status": "TEXT NOT NULL DEFAULT 'succeeded'",
    "next_status": "TEXT NOT NULL DEFAULT ''",
    "due_ms": "INTEGER",
    "changed_ms": "INTEGER NOT NULL DEFAULT 0",
}
"""Added later, so that a file of an earlier version has them too."""
DUE_MAX = 500
"""Refunds that change in one transaction."""


class RefundStore(Books):
    """Reads and writes refunds. Writes belong inside `writing()`."""

    def refund(
        self,
        key: str,
        intent: Intent,
        amount_minor: int,
        metadata: dict[str, str],
        course: Course = PLAIN,
    ) -> Refund:
        """Refund money. Raises sqlite3.IntegrityError beyond what was charged."""
        now_ms = self.now_ms()
        refund_id = self.new_id("re", "refunds", key)
        self.connection.execute(
            "UPDATE charges SET refunded_minor = refunded_minor + ? WHERE intent_id = ?",
            (amount_minor, intent.id),
        )
        self.connection.execute(
            "INSERT INTO refunds (id, intent_id, charge_id, order_id, amount_minor, currency,"
            " metadata, created_ms, changed_ms, status, next_status, due_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                refund_id,
                intent.id,
                intent.charge_id,
                intent.order_id,
                amount_minor,
                intent.currency,
                json_text(metadata),
                now_ms,
                now_ms,
                course.status,
                course.next_status,
                now_ms + course.after_ms if course.next_status else None,
            ),
        )
        return self._refunds("id = ?", refund_id, limit=1)[0]

    def due_refunds(self) -> list[Refund]:
        """Return the refunds whose next status has come, oldest first."""
        return self._refunds("due_ms <= ?", self.now_ms(), limit=DUE_MAX)

    def turn(self, refund: Refund) -> Refund:
        """Give a refund its next status; what has failed or is canceled is at the charge again."""
        self.connection.execute(
            "UPDATE refunds SET status = ?, next_status = '', due_ms = NULL,"
            " changed_ms = ? WHERE id = ?",
            (refund.next_status, self.now_ms(), refund.id),
        )
        if refund.next_status in {"failed", "canceled"}:
            self.connection.execute(
                "UPDATE charges SET refunded_minor = refunded_minor - ? WHERE id = ?",
                (refund.amount_minor, refund.charge_id),
            )
        return self._refunds("id = ?", refund.id, limit=1)[0]

    def refund_of(self, refund_id: str) -> Refund | None:
        """Return the refund of this id, or None."""
        refunds = self._refunds("id = ?", refund_id, limit=1)
        return refunds[0] if refunds else None

    def new_id(self, prefix: str, table: str, key: str) -> str:
        """Return an id that is new in `table`: a key that was removed runs anew."""
        row = self.one(f"SELECT max(seq) FROM {table}")  # noqa: S608  `table` is ours
        first = derived_id(prefix, key)
        is_new = self.one(f"SELECT 1 FROM {table} WHERE id = ?", first) is None  # noqa: S608  ours
        return first if is_new or row is None else derived_id(prefix, f"{key}/{row[0]}")

    def _refunds(self, where: str, *values: object, limit: int) -> list[Refund]:
        rows = self.all(
            f"SELECT * FROM refunds WHERE {where} ORDER BY seq DESC LIMIT {int(limit)}",  # noqa: S608  `where` is ours
            *values,
        )
        return [refund_from(row) for row in rows]


def refund_from(row: sqlite3.Row) -> Refund:
    """Return the refund in a row."""
    record: dict[str, object] = dict(row)
    record["metadata"] = msgspec.json.decode(row["metadata"])
    return msgspec.convert(record, Refund)
