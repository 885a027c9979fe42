"""The external systems' own files, opened read-only: independent records of money and shipments.

They are read after the topics, so they may hold more: each record has the time of its latest
change, and one that is younger than the cut counts as in motion.
"""

import sqlite3
from collections import defaultdict
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from app.config import Config
from workflows.shared.invariants import CarrierRecord, ProviderRecord
from workflows.shared.provider_currencies import amount_minor_of
from workflows.shared.provider_metadata import owner_of

_CHARGES = """
    SELECT owner_of(i.metadata) AS owner, upper(c.currency), count(*), sum(c.amount_minor),
        max(c.created_ms)
    FROM charges c JOIN intents i ON i.id = c.intent_id GROUP BY owner, c.currency
"""
_REFUNDS = """
    SELECT owner_of(i.metadata) AS owner, upper(r.currency),
        sum(CASE r.status WHEN 'succeeded' THEN r.amount_minor ELSE 0 END),
        max(max(r.created_ms, r.changed_ms)),
        max(CASE WHEN r.changed_ms > r.created_ms THEN r.changed_ms ELSE 0 END)
    FROM refunds r JOIN intents i ON i.id = r.intent_id GROUP BY owner, r.currency
"""
_HOLDS = """
    SELECT owner_of(metadata) AS owner, upper(currency), sum(authorized_minor),
        max(coalesce(authorized_ms, created_ms)) FROM intents
    WHERE status = 'requires_capture' GROUP BY owner, currency
"""
_DISPUTES = """
    SELECT owner_of(i.metadata) AS owner, upper(b.currency), -sum(b.amount_minor),
        max(b.created_ms)
    FROM balance_transactions b JOIN disputes d ON d.id = b.source
        JOIN intents i ON i.id = d.intent_id
    GROUP BY owner, b.currency
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

    What is not ours on the account is left out. A simulator without a file has charged nothing.
    Raises sqlite3.Error.
    """
    path = provider_file(config)
    if not path.is_file():
        return {} if _is_local(config.provider_url) else None
    record_by_order: defaultdict[str, ProviderRecord] = defaultdict(ProviderRecord)
    with closing(opened(path, config)) as books:
        # One transaction: all sums are of the same moment.
        books.execute("BEGIN")
        for order_id, currency, charges, charged, last_ms in books.execute(_CHARGES):
            record_by_order[order_id].charges += charges
            _add(record_by_order[order_id], "charged_minor", currency, charged, last_ms)
        for order_id, currency, refunded, last_ms, unasked_ms in books.execute(_REFUNDS):
            _add(record_by_order[order_id], "refunded_minor", currency, refunded, last_ms)
            record_by_order[order_id].unasked_ms = max(
                record_by_order[order_id].unasked_ms, unasked_ms
            )
        for order_id, currency, held, last_ms in _rows(books, _HOLDS):
            _add(record_by_order[order_id], "held_minor", currency, held, last_ms)
        for order_id, currency, disputed, last_ms in _rows(books, _DISPUTES):
            _add(record_by_order[order_id], "disputed_minor", currency, disputed, last_ms)
            record_by_order[order_id].unasked_ms = max(
                record_by_order[order_id].unasked_ms, last_ms
            )
    return {order_id: record for order_id, record in record_by_order.items() if order_id}


Sum = Literal["charged_minor", "refunded_minor", "held_minor", "disputed_minor"]


def _add(record: ProviderRecord, name: Sum, currency: str, amount: int, last_ms: int) -> None:
    """Add what the provider has moved to one sum of `record`; `amount` is in its own units."""
    record.last_ms = max(record.last_ms, last_ms)
    if record.counts(currency):
        setattr(record, name, getattr(record, name) + amount_minor_of(amount, currency))


def _rows(books: sqlite3.Connection, query: str) -> list[tuple[str, str, int, int]]:
    """Return the rows of `query`; none of a file that is older than its columns."""
    try:
        return books.execute(query).fetchall()
    except sqlite3.OperationalError as error:
        if "no such" not in str(error):
            raise
        return []


def opened(path: Path, config: Config) -> sqlite3.Connection:
    """Return the file of an external system, opened to be read. Raises sqlite3.Error.

    Its function `owner_of` returns the order that metadata names; empty when it is not ours.
    """
    books = sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )

    def owner(metadata: str | None) -> str:
        fields = msgspec.json.decode(metadata) if metadata else None
        return owner_of(fields, config.installation)

    books.create_function("owner_of", 1, owner, deterministic=True)
    return books


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
    with closing(opened(path, config)) as books:
        return {
            order_id: CarrierRecord(status=status, last_ms=last_ms)
            for order_id, status, last_ms in books.execute(_SHIPMENTS)
        }
