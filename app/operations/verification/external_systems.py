"""The external systems' own files, opened read-only: independent records of money and shipments.

They are read after the topics, so they may hold more: each record has the time of its latest
change, and one that is younger than the cut counts as in motion.
"""

import sqlite3
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from app.config import Config
from workflows.shared.invariants import CarrierRecord, ProviderRecord
from workflows.shared.provider_currencies import amount_minor_of

_CHARGES = """
    SELECT order_id, upper(currency), count(*), sum(amount_minor), max(created_ms) FROM charges
    GROUP BY order_id, currency
"""
_REFUNDS = """
    SELECT order_id, upper(currency),
        sum(CASE status WHEN 'succeeded' THEN amount_minor ELSE 0 END),
        max(max(created_ms, changed_ms)) FROM refunds GROUP BY order_id, currency
"""
_HOLDS = """
    SELECT order_id, upper(currency), sum(authorized_minor),
        max(coalesce(authorized_ms, created_ms)) FROM intents
    WHERE status = 'requires_capture' GROUP BY order_id, currency
"""
_DISPUTES = """
    SELECT intents.order_id, upper(balance_transactions.currency),
        -sum(balance_transactions.amount_minor), max(balance_transactions.created_ms)
    FROM balance_transactions JOIN disputes ON disputes.id = balance_transactions.source
        JOIN intents ON intents.id = disputes.intent_id
    GROUP BY intents.order_id, balance_transactions.currency
"""
_SHIPMENTS = """
    SELECT order_id, status, max(created_ms, coalesce(delivered_ms, 0)) FROM shipments
"""
BUSY_SECONDS = 10.0


def provider_file(config: Config) -> Path:
    """Return the path of the provider simulator's file."""
    return config.data_path / "provider.sqlite"


def carrier_file(config: Config) -> Path:
    """Return the path of the carrier simulator's file."""
    return config.data_path / "carrier.sqlite"


def read_provider(config: Config) -> dict[str, ProviderRecord] | None:
    """Return what the provider charged and refunded, by order id; None without a local simulator.

    A simulator without a file has charged nothing. Raises sqlite3.Error.
    """
    path = provider_file(config)
    if not path.is_file():
        return {} if _is_local(config.provider_url) else None
    taken: dict[str, ProviderRecord] = {}
    with closing(opened(path)) as books:
        # One transaction: both sums are of the same moment.
        books.execute("BEGIN")
        for order_id, currency, charges, charged, last_ms in books.execute(_CHARGES):
            known = taken.setdefault(order_id, ProviderRecord())
            known.charges += charges
            known.last_ms = max(known.last_ms, last_ms)
            if known.counts(currency):
                known.charged_minor += amount_minor_of(charged, currency)
        for order_id, currency, refunded, last_ms in books.execute(_REFUNDS):
            known = taken.setdefault(order_id, ProviderRecord())
            known.last_ms = max(known.last_ms, last_ms)
            if known.counts(currency):
                known.refunded_minor += amount_minor_of(refunded, currency)
        for order_id, currency, held, last_ms in _rows(books, _HOLDS):
            known = taken.setdefault(order_id, ProviderRecord())
            known.last_ms = max(known.last_ms, last_ms)
            if known.counts(currency):
                known.held_minor += amount_minor_of(held, currency)
        for order_id, currency, disputed, last_ms in _rows(books, _DISPUTES):
            known = taken.setdefault(order_id, ProviderRecord())
            known.last_ms = max(known.last_ms, last_ms)
            if known.counts(currency):
                known.disputed_minor += amount_minor_of(disputed, currency)
    return taken


def _rows(books: sqlite3.Connection, query: str) -> list[tuple[str, str, int, int]]:
    """Return the rows of `query`; none of a file that is older than its columns."""
    try:
        return books.execute(query).fetchall()
    except sqlite3.OperationalError as error:
        if "no such" not in str(error):
            raise
        return []


def opened(path: Path) -> sqlite3.Connection:
    """Return the file of an external system, opened to be read. Raises sqlite3.Error."""
    return sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_carrier(config: Config) -> dict[str, CarrierRecord] | None:
    """Return the carrier's record of each order; None without a local simulator."""
    path = carrier_file(config)
    if not path.is_file():
        return {} if _is_local(config.carrier_url) else None
    with closing(opened(path)) as books:
        return {
            order_id: CarrierRecord(status=status, last_ms=last_ms)
            for order_id, status, last_ms in books.execute(_SHIPMENTS)
        }
