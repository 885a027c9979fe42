"""The carrier's records: one row for each order, however many requests it had."""

import hashlib
from pathlib import Path

import msgspec

from app.local.simulators.sqlite_file import Books

SCHEMA = """
CREATE TABLE IF NOT EXISTS shipments (
    seq INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL UNIQUE,
    shipment_id TEXT NOT NULL,
    tracking TEXT NOT NULL,
    country TEXT NOT NULL,
    units INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('in_transit', 'delivered', 'withdrawn', 'refused')),
    created_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    delivered_ms INTEGER
);
CREATE INDEX IF NOT EXISTS shipments_due ON shipments (due_ms) WHERE status = 'in_transit';
CREATE TABLE IF NOT EXISTS attempts (key TEXT PRIMARY KEY, tries INTEGER NOT NULL);
"""
"""A withdrawn row without a booking prevents one: its `shipment_id` was never returned."""


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """The request of a booking."""

    country: str
    units: int


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """The one shipment of an order. Times in ms since 1970."""

    order_id: str
    shipment_id: str
    tracking: str
    country: str
    units: int
    status: str
    created_ms: int
    due_ms: int
    delivered_ms: int | None


class CarrierStore(Books):
    """Reads and writes the records. Writes belong inside `writing()`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, SCHEMA)

    def shipment(self, order_id: str) -> Shipment | None:
        """Return the shipment of this order, or None."""
        row = self.one("SELECT * FROM shipments WHERE order_id = ?", order_id)
        return msgspec.convert(dict(row), Shipment) if row else None

    def enter(self, order_id: str, booking: Booking, *, status: str, due_ms: int) -> Shipment:
        """Insert the row of an order. Its ids are derived from the order's."""
        digest = hashlib.sha256(order_id.encode()).hexdigest()
        self.connection.execute(
            "INSERT INTO shipments (order_id, shipment_id, tracking, country, units, status,"
            " created_ms, due_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                order_id,
                f"sh_{digest[:24]}",
                f"PF{digest[24:36].upper()}",
                booking.country,
                booking.units,
                status,
                self.now_ms(),
                due_ms,
            ),
        )
        return self._existing_shipment(order_id)

    def withdraw(self, order_id: str) -> Shipment:
        """Stop the shipment of this order; it must be known and not delivered."""
        self.connection.execute(
            "UPDATE shipments SET status = 'withdrawn' WHERE order_id = ?", (order_id,)
        )
        return self._existing_shipment(order_id)

    def due(self, limit: int) -> list[Shipment]:
        """Return at most `limit` shipments whose delivery time has come."""
        rows = self.all(
            "SELECT * FROM shipments WHERE status = 'in_transit' AND due_ms <= ?"
            " ORDER BY due_ms LIMIT ?",
            self.now_ms(),
            limit,
        )
        return [msgspec.convert(dict(row), Shipment) for row in rows]

    def next_due_ms(self) -> int | None:
        """Return the next delivery time (ms), or None when nothing is in transit."""
        row = self.one("SELECT min(due_ms) FROM shipments WHERE status = 'in_transit'")
        return row[0] if row else None

    def deliver(self, shipment: Shipment) -> None:
        """Deliver the shipment."""
        self.connection.execute(
            "UPDATE shipments SET status = 'delivered', delivered_ms = ? WHERE order_id = ?",
            (self.now_ms(), shipment.order_id),
        )

    def tried(self, key: str) -> int:
        """Count one more try under `key`; return how many there were before."""
        row = self.one(
            "INSERT INTO attempts (key, tries) VALUES (?, 1)"
            " ON CONFLICT (key) DO UPDATE SET tries = tries + 1 RETURNING tries",
            key,
        )
        assert row is not None
        return int(row["tries"]) - 1

    def totals(self) -> dict[str, int]:
        """Return the numbers of shipments and of webhooks by status."""
        rows = self.all(
            "SELECT status, count(*) AS members FROM shipments GROUP BY status"
            " UNION ALL SELECT 'webhooks_' || status, count(*) FROM deliveries GROUP BY status"
        )
        nothing = {"in_transit": 0, "delivered": 0, "withdrawn": 0, "refused": 0}
        return {**nothing, **{row["status"]: row["members"] for row in rows}}

    def _existing_shipment(self, order_id: str) -> Shipment:
        shipment = self.shipment(order_id)
        assert shipment is not None, order_id
        return shipment
