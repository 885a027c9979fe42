"""Balance transactions and payouts in the provider's file."""

import sqlite3
from collections.abc import Callable, Mapping

import msgspec

from app.local.simulators.balance import (
    DAY_MS,
    LATE_MS,
    Course,
    Payout,
    Tariff,
    Transaction,
    available_ms,
    charge_fee,
    due_payout,
    fails_ms,
    midnight,
)
from app.local.simulators.lists import Condition, Window, select
from app.local.simulators.notices import Notices
from app.local.simulators.provider_records import Intent
from app.local.simulators.provider_shapes import missing
from app.local.simulators.settlement_shapes import payout_shape
from app.local.simulators.sqlite_file import Books, derived_id

SCHEMA = """
CREATE TABLE IF NOT EXISTS balance_transactions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    category TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    fee_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    available_ms INTEGER NOT NULL,
    payout_id TEXT
);
CREATE INDEX IF NOT EXISTS balance_source ON balance_transactions (source);
CREATE INDEX IF NOT EXISTS balance_payout ON balance_transactions (payout_id);
CREATE INDEX IF NOT EXISTS balance_waiting ON balance_transactions (available_ms)
    WHERE payout_id IS NULL;
CREATE TABLE IF NOT EXISTS payouts (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    status TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    arrival_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS payouts_coming ON payouts (arrival_ms) WHERE status = 'in_transit';
"""
_ARRIVES = f"status = 'in_transit' AND (fails_ms IS NULL OR fails_ms > arrival_ms + {LATE_MS})"
_FAILS = "status IN ('in_transit', 'paid') AND fails_ms IS NOT NULL"


class Balance:
    """Enters what moves money, and pays out each midnight. Writes belong inside `writing()`.

    `course_of` says of the id of a new payout how it goes.
    """

    def __init__(
        self, books: Books, notices: Notices, tariff: Tariff, course_of: Callable[[str], Course]
    ) -> None:
        books.connection.executescript(SCHEMA)
        books.add_columns("payouts", {"fails_ms": "INTEGER"})
        self._books = books
        self._notices = notices
        self.tariff = tariff
        self._course_of = course_of
        self._last_check_ms = 0
        """Up to when payouts are made."""

    def charged(self, intent: Intent, *, at_once: bool) -> None:
        """Enter what was taken from a card; `at_once`: it is available without delay."""
        assert intent.charge_id is not None
        fee_minor = charge_fee(self.tariff, intent.received_minor)
        self.enter(
            "charge",
            intent.charge_id,
            (intent.received_minor, fee_minor),
            intent.currency,
            at_once=at_once,
        )

    def enter(
        self,
        category: str,
        source: str,
        amount_and_fee: tuple[int, int],
        currency: str,
        *,
        at_once: bool = False,
    ) -> None:
        """Enter a change of the balance."""
        now_ms = self._books.now_ms()
        self._write(
            Transaction(
                id=transaction_id(source, category),
                source=source,
                category=category,
                amount_minor=amount_and_fee[0],
                fee_minor=amount_and_fee[1],
                currency=currency,
                created_ms=now_ms,
                available_ms=available_ms(category, now_ms, at_once=at_once),
            )
        )

    def _write(self, transaction: Transaction) -> None:
        names = Transaction.__struct_fields__
        self._books.connection.execute(
            f"INSERT INTO balance_transactions ({', '.join(names)})"  # noqa: S608  ours
            f" VALUES ({', '.join('?' * len(names))})",
            [getattr(transaction, name) for name in names],
        )

    # --- payouts --------------------------------------------------------------

    def next_ms(self) -> int | None:
        """Return when a payout is made or arrives next; None: nothing waits."""
        coming = self._one(f"SELECT min(arrival_ms) FROM payouts WHERE {_ARRIVES}")  # noqa: S608  ours
        failing = self._one(f"SELECT min(fails_ms) FROM payouts WHERE {_FAILS}")  # noqa: S608  ours
        first = self._one(
            "SELECT min(available_ms) FROM balance_transactions WHERE payout_id IS NULL"
        )
        due_ms = None if first is None else max(midnight(first), midnight(self._last_check_ms + 1))
        times = (coming, failing, due_ms)
        return min((each for each in times if each is not None), default=None)

    def turn(self) -> None:
        """Make the payouts of every midnight that has passed, and let those arrive that are due.

        One after the other: what a bank has sent back is in a later payout.
        """
        now_ms = self._books.now_ms()
        self._let_arrive(now_ms)
        while self._paid_out(now_ms):
            self._let_arrive(now_ms)
        self._last_check_ms = now_ms

    def _paid_out(self, now_ms: int) -> bool:
        """Make the earliest payout that is due; return whether there was one."""
        waiting = self._books.all(
            "SELECT * FROM balance_transactions WHERE payout_id IS NULL AND available_ms <= ?"
            " ORDER BY seq",
            now_ms,
        )
        by_currency: dict[str, list[Transaction]] = {}
        for row in waiting:
            by_currency.setdefault(row["currency"], []).append(_transaction(row))
        candidates = [
            (due_payout(part, now_ms), currency) for currency, part in by_currency.items()
        ]
        due = [(*first, currency) for first, currency in candidates if first is not None]
        if not due:
            return False
        day_ms, part, currency = min(due, key=lambda each: (each[0], each[2]))
        self._pay_out(currency, day_ms, part)
        return True

    def _pay_out(self, currency: str, day_ms: int, part: list[Transaction]) -> None:
        payout_id = derived_id("po", f"{currency}/{day_ms}")
        # What has come back once arrives.
        is_again = any(each.category == "payout_reversal" for each in part)
        payout = Payout(
            id=payout_id,
            amount_minor=sum(each.net_minor for each in part),
            currency=currency,
            status="in_transit",
            created_ms=day_ms,
            arrival_ms=day_ms + DAY_MS,
            fails_ms=fails_ms("" if is_again else self._course_of(payout_id), day_ms + DAY_MS),
        )
        names = Payout.__struct_fields__
        self._books.connection.execute(
            f"INSERT INTO payouts ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608  ours
            [getattr(payout, name) for name in names],
        )
        self._books.connection.executemany(
            "UPDATE balance_transactions SET payout_id = ? WHERE id = ?",
            [(payout.id, each.id) for each in part],
        )
        self._write(
            Transaction(
                id=transaction_id(payout.id, "payout"),
                source=payout.id,
                category="payout",
                amount_minor=-payout.amount_minor,
                currency=currency,
                created_ms=day_ms,
                available_ms=day_ms,
                payout_id=payout.id,
            )
        )
        for kind in ("payout.created", "payout.reconciliation_completed"):
            self._notices.emit(kind, payout.id, payout_shape(payout))

    def _let_arrive(self, now_ms: int) -> None:
        for status, condition in (
            ("paid", f"{_ARRIVES} AND arrival_ms <= ?"),
            ("failed", f"{_FAILS} AND fails_ms <= ?"),
        ):
            rows = self._books.all(
                f"UPDATE payouts SET status = '{status}' WHERE {condition} RETURNING *",  # noqa: S608  ours
                now_ms,
            )
            for payout in map(_payout, rows):
                if status == "failed":
                    self._come_back(payout)
                self._notices.emit(f"payout.{status}", payout.id, payout_shape(payout))

    def _come_back(self, payout: Payout) -> None:
        """Enter the money of a payout that has failed: docs.stripe.com/payouts#payout-failures."""
        assert payout.fails_ms is not None
        self._write(
            Transaction(
                id=transaction_id(payout.id, "payout_reversal"),
                source=payout.id,
                category="payout_reversal",
                amount_minor=payout.amount_minor,
                currency=payout.currency,
                created_ms=payout.fails_ms,
                available_ms=payout.fails_ms,
            )
        )

    # --- reading --------------------------------------------------------------

    def transactions(
        self, conditions: list[Condition], window: Window
    ) -> tuple[list[Transaction], bool]:
        """Return balance transactions, newest first, and whether there are more."""
        rows, more = select(self._books, "balance_transactions", conditions, window)
        return [_transaction(row) for row in rows], more

    def payouts(self, conditions: list[Condition], window: Window) -> tuple[list[Payout], bool]:
        """Return payouts, newest first, and whether there are more."""
        rows, more = select(self._books, "payouts", conditions, window)
        return [_payout(row) for row in rows], more

    def transaction(self, name: str) -> Transaction:
        """Return one balance transaction. Raises StripeError."""
        row = self._books.one("SELECT * FROM balance_transactions WHERE id = ?", name)
        if row is None:
            raise missing("balance_transaction", name, "id")
        return _transaction(row)

    def payout(self, name: str) -> Payout:
        """Return one payout. Raises StripeError."""
        row = self._books.one("SELECT * FROM payouts WHERE id = ?", name)
        if row is None:
            raise missing("payout", name, "id")
        return _payout(row)

    def sums(self) -> Mapping[str, dict[str, int]]:
        """Return what is available and what is pending, by currency."""
        rows = self._books.all(
            "SELECT currency, available_ms <= ? AS is_available, sum(amount_minor - fee_minor) AS"
            " net_minor FROM balance_transactions GROUP BY 1, 2 ORDER BY 1",
            self._books.now_ms(),
        )
        sums: dict[str, dict[str, int]] = {}
        for row in rows:
            part = sums.setdefault(row["currency"], {"available": 0, "pending": 0})
            part["available" if row["is_available"] else "pending"] = row["net_minor"]
        return sums

    def _one(self, query: str) -> int | None:
        row = self._books.one(query)
        return row[0] if row else None


def transaction_id(source: str, category: str) -> str:
    """Return the id of the balance transaction of `source`: one of each category."""
    return derived_id("txn", f"{source}/{category}")


def _transaction(row: sqlite3.Row) -> Transaction:
    return msgspec.convert(dict(row), Transaction)


def _payout(row: sqlite3.Row) -> Payout:
    return msgspec.convert(dict(row), Payout)
