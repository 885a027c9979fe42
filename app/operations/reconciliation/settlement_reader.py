"""Reads what the provider has settled from its own file: balance transactions and payouts."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from app.config import Config
from app.operations.reconciliation.settlement_books import (
    BalanceLine,
    PayoutRecord,
    SettlementBooks,
)
from app.operations.verification import external_systems
from workflows.shared.books import SettlementLine
from workflows.shared.provider_currencies import amount_minor_of

_LINES = """
    SELECT b.id, b.category, owner_of(i.metadata), b.amount_minor, b.fee_minor,
        b.amount_minor - b.fee_minor, CASE b.category WHEN 'charge' THEN c.amount_minor
            WHEN 'refund' THEN -r.amount_minor WHEN 'refund_failure' THEN r.amount_minor END,
        upper(b.currency), b.created_ms, b.available_ms, coalesce(b.payout_id, ''),
        CASE b.category WHEN 'payout_reversal' THEN b.source ELSE '' END, coalesce(d.id, '')
    FROM balance_transactions b
    LEFT JOIN refunds r ON r.id = b.source
    LEFT JOIN disputes d ON d.id = b.source
    LEFT JOIN charges c ON c.id = coalesce(r.charge_id, d.charge_id, b.source)
    LEFT JOIN intents i ON i.id = c.intent_id
    WHERE b.category != 'payout'
"""
_PAYOUTS = """
    SELECT id, amount_minor, upper(currency), status, created_ms, arrival_ms FROM payouts
"""
_UNLISTED = """
    SELECT owner_of(i.metadata), m.id, m.amount_minor, upper(m.currency), m.created_ms FROM (
        SELECT id, intent_id, amount_minor, currency, created_ms FROM charges
        UNION ALL
        SELECT id, intent_id, -amount_minor, currency, created_ms FROM refunds
        WHERE status = 'succeeded'
    ) m JOIN intents i ON i.id = m.intent_id
    WHERE NOT EXISTS (SELECT 1 FROM balance_transactions b WHERE b.source = m.id)
        AND m.created_ms > (SELECT min(created_ms) FROM balance_transactions)
"""
"""What is older than the first balance transaction comes from a file that had none."""


def read_settlement(config: Config) -> SettlementBooks:
    """Return what the provider has settled; nothing of a file without it. Raises sqlite3.Error."""
    path = external_systems.provider_file(config)
    if not path.is_file():
        return SettlementBooks()
    with closing(external_systems.opened(path, config)) as books:
        return SettlementBooks(
            lines=tuple(_lines(books)),
            payouts=tuple(_payouts(books)),
            unlisted=tuple(_unlisted(books)),
        )


def _lines(books: sqlite3.Connection) -> Iterator[BalanceLine]:
    for name, category, order_id, amount, fee, net, source, *rest in _rows(books, _LINES):
        currency, at_ms, available_ms, payout_id, returned_payout_id, dispute_id = rest
        yield BalanceLine(
            id=name,
            category=category,
            order_id=order_id,
            amount_minor=amount_minor_of(amount, currency),
            fee_minor=amount_minor_of(fee, currency),
            net_minor=amount_minor_of(net, currency),
            source_minor=None if source is None else amount_minor_of(source, currency),
            currency=currency,
            at_ms=at_ms,
            available_ms=available_ms,
            payout_id=payout_id,
            returned_payout_id=returned_payout_id,
            dispute_id=dispute_id,
        )


def _payouts(books: sqlite3.Connection) -> Iterator[PayoutRecord]:
    for name, amount, currency, status, created_ms, arrival_ms in _rows(books, _PAYOUTS):
        yield PayoutRecord(
            id=name,
            amount_minor=amount_minor_of(amount, currency),
            currency=currency,
            status=status,
            created_ms=created_ms,
            arrival_ms=arrival_ms,
        )


def _unlisted(books: sqlite3.Connection) -> Iterator[SettlementLine]:
    for order_id, name, amount, currency, at_ms in _rows(books, _UNLISTED):
        if order_id:
            yield SettlementLine(
                order_id=order_id,
                balance_transaction_id=name,
                step="fee",
                amount_minor=amount_minor_of(amount, currency),
                currency=currency,
                at_ms=at_ms,
            )


def _rows(books: sqlite3.Connection, query: str) -> sqlite3.Cursor:
    """Return the rows of `query`; none of a file that is older than its tables."""
    try:
        return books.execute(query)
    except sqlite3.OperationalError as error:
        if "no such" not in str(error):
            raise
        return books.execute("SELECT 1 WHERE FALSE")
