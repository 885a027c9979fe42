"""Reads the three books: the provider's file, the payment rows by their changelog, the ledger.

It writes nothing and joins no group. A book is read before the one that it follows: first the
ledger, then the payments, last the provider. So a line that is added meanwhile is missing only
where that counts as in motion.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing

import msgspec

from app.config import Config
from app.delivery import row
from app.kafka.reader import AIOKafkaConsumer, TopicPartition, partitions, read_to_end, reader, span
from app.operations.reconciliation.settlement_books import SettlementBooks
from app.operations.reconciliation.settlement_reader import read_settlement
from app.operations.verification import external_systems
from app.operations.verification.reader import Unreadable
from app.registry import load_agents, load_books
from app.wire import codecs
from app.wire.envelope import Undecodable, from_headers
from app.wire.records import Consumed, UnreadableBatch, unreadable_text
from app.wire.topics import changelog_topic
from tables import Table, declared
from workflows.shared.books import Hold, Kind, Line, OwnBooks, SettlementLine
from workflows.shared.provider_currencies import amount_minor_of
from workflows.shared.topic import topic_of

_SETTLEMENT_LINES = """
    SELECT m.kind, owner_of(i.metadata), m.key, m.reference, m.amount_minor, m.currency, m.at_ms
    FROM (
        SELECT 'charge' AS kind, '' AS key, intent_id AS reference, amount_minor,
            currency, created_ms AS at_ms, intent_id FROM charges
        UNION ALL
        SELECT 'refund',
            coalesce(
                CAST(json_extract(metadata, '$.refund_key') AS TEXT)
                    || coalesce('/' || json_extract(metadata, '$.round'), ''),
                id
            ), id, amount_minor, currency,
            created_ms, intent_id FROM refunds WHERE status = 'succeeded'
        UNION ALL
        SELECT 'void', '', id, iif(authorized_minor, authorized_minor, amount_minor),
            currency, canceled_ms, id FROM intents WHERE status = 'canceled'
    ) m JOIN intents i ON i.id = m.intent_id
"""
"""A line for each charge, refund and void, as a settlement report has it. One key may have
several refunds, whose round is in its name. A refund that Payflow has not requested has no key of
Payflow: its own id takes the place."""
_HOLDS = """
    SELECT owner_of(i.metadata), i.authorized_minor, coalesce(c.amount_minor, 0),
        CASE i.status WHEN 'canceled' THEN i.authorized_minor
            WHEN 'succeeded' THEN i.authorized_minor - c.amount_minor ELSE 0 END,
        upper(i.currency),
        max(i.authorized_ms, coalesce(c.created_ms, 0), coalesce(i.canceled_ms, 0))
    FROM intents i LEFT JOIN charges c ON c.intent_id = i.id WHERE i.authorized_minor > 0
"""
"""What was held: a capture takes it, or a part and lets the rest go; a cancellation all of it."""
_TABLES = """
    SELECT count(*) FROM sqlite_master WHERE name IN ('disputes', 'balance_transactions')
"""
"""Both are missing in a report that knows no disputes."""
_DISPUTE_LINES = """
    SELECT CASE category WHEN 'dispute' THEN 'dispute' ELSE 'reversal' END,
        owner_of(intents.metadata), disputes.id, disputes.id,
        abs(balance_transactions.amount_minor), balance_transactions.currency,
        balance_transactions.created_ms
    FROM balance_transactions JOIN disputes ON disputes.id = balance_transactions.source
        JOIN intents ON intents.id = disputes.intent_id
"""
"""A line for what each dispute has taken, and for what came back, without fees."""


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """Every line of the three books, and how much was read."""

    lines: tuple[Line, ...]
    holds: tuple[Hold, ...]
    """What was held on cards, by the provider and by the payment rows."""
    read: dict[str, str]
    motion_ms: dict[Kind, int]
    """How long after its latest line a book may lack one."""
    settlement: SettlementBooks
    """What the provider has settled, by its own file."""
    posted: tuple[SettlementLine, ...]
    """What the ledger has posted of it."""
    unreadable: tuple[str, ...] = ()
    """Where records of the payment rows lie that nobody can read, and why."""


async def read_books(config: Config) -> Books:
    """Return the three books of Payflow. Raises one of `auditor.CANNOT_READ`."""
    load_agents()
    own = load_books()
    table = declared[own.table]
    changelog, ledger = changelog_topic(table), own.topic.name
    places = await _places(config, (changelog, ledger))
    async with reader(config) as consumer:
        entries, posted, unread = await _entries(consumer, own, places[ledger])
        rows, held, unreadable = await _rows(consumer, own, table, places[changelog])
    provider = await asyncio.to_thread(lambda: tuple(provider_lines(config)))
    held += await asyncio.to_thread(lambda: tuple(provider_holds(config)))
    settlement = await asyncio.to_thread(read_settlement, config)
    return Books(
        lines=(*provider, *rows, *entries),
        holds=tuple(held),
        read={
            "provider": f"{len(provider)} lines in {external_systems.provider_file(config)}",
            "payments": f"{len(rows)} lines in the rows of table {table.name}, "
            f"{len(unreadable)} records unreadable",
            "ledger": f"{len(entries)} lines on topic {ledger}, {unread} unreadable",
            "settlement": f"{len(settlement.lines)} balance transactions, "
            f"{len(settlement.payouts)} payouts, {len(posted)} entries",
        },
        settlement=settlement,
        posted=tuple(posted),
        motion_ms=own.motion_ms,
        unreadable=tuple(unreadable),
    )


def provider_lines(config: Config) -> Iterator[Line]:
    """Yield the lines of the provider's own file. Raises Unreadable when Payflow has no such file.

    What is not ours on the account is left out. A simulator without a file has settled nothing.
    """
    path = external_systems.provider_file(config)
    if not path.is_file():
        if external_systems.read_provider(config) is None:
            raise Unreadable(
                f"the provider at {config.provider_url} keeps no file here. "
                f"Operator: put its settlement report at {path}."
            )
        return
    with closing(external_systems.opened(path, config)) as books:
        rows = books.execute(_SETTLEMENT_LINES).fetchall()
        if books.execute(_TABLES).fetchone() == (2,):
            rows += books.execute(_DISPUTE_LINES).fetchall()
        for kind, order_id, key, reference, amount, code, at_ms in rows:
            currency = code.upper()
            if not order_id:
                continue
            yield Line(
                book="provider",
                order_id=order_id,
                kind=kind,
                key=key,
                reference=reference,
                amount_minor=amount_minor_of(amount, currency),
                currency=currency,
                at_ms=at_ms,
            )


def provider_holds(config: Config) -> Iterator[Hold]:
    """Yield what the provider's own file says of holds; nothing without a file, as for lines."""
    path = external_systems.provider_file(config)
    if not path.is_file():
        return
    with closing(external_systems.opened(path, config)) as books:
        for order_id, authorized, captured, voided, currency, at_ms in books.execute(_HOLDS):
            if order_id:
                yield Hold(
                    book="provider",
                    order_id=order_id,
                    authorized_minor=amount_minor_of(authorized, currency),
                    captured_minor=amount_minor_of(captured, currency),
                    voided_minor=amount_minor_of(voided, currency),
                    currency=currency,
                    at_ms=at_ms,
                )


async def _places(config: Config, names: Sequence[str]) -> dict[str, list[TopicPartition]]:
    """Return the partitions of each topic. Raises Unreadable when there is no such topic."""
    partitions_by_topic = await partitions(config)
    if missing := [name for name in names if name not in partitions_by_topic]:
        raise Unreadable(f"there is no topic {missing[0]}. Operator: payflow up makes it.")
    return {name: [TopicPartition(name, at) for at in partitions_by_topic[name]] for name in names}


async def _rows(
    consumer: AIOKafkaConsumer, own: OwnBooks, table: Table, places: Sequence[TopicPartition]
) -> tuple[list[Line], list[Hold], list[str]]:
    """Return the lines and holds of every row as it is now, and which records nobody can read."""
    latest: dict[bytes, Consumed] = {}
    lines: list[Line] = []
    holds: list[Hold] = []
    unreadable: list[str] = []
    async for record in read_to_end(consumer, *await span(consumer, places)):
        if isinstance(record.value, UnreadableBatch):
            unreadable.append(unreadable_text(record, record.value))
        elif record.key is not None and row.is_row(record.key):
            latest[record.key] = record
    for record in latest.values():
        if record.value is None:
            continue
        try:
            state = row.decode_row(table, record.value).state
        except msgspec.DecodeError as error:
            # Whose row it was its bytes do not say; that payment is missing too, if there is one.
            place = f"{record.topic}/{record.partition}/{record.offset}"
            unreadable.append(f"{place} is not a row of {table.name}: {error}")
            continue
        lines += own.lines_of_row(state, record.timestamp)
        holds += own.holds_of_row(state, record.timestamp)
    return lines, holds, unreadable


async def _entries(
    consumer: AIOKafkaConsumer, own: OwnBooks, places: Sequence[TopicPartition]
) -> tuple[list[Line], list[SettlementLine], int]:
    """Return the lines of the ledger, each event once, and how many records nobody can read."""
    lines: list[Line] = []
    posted: list[SettlementLine] = []
    entry_ids: set[str] = set()
    unread = 0
    async for record in read_to_end(consumer, *await span(consumer, places)):
        try:
            envelope = from_headers(record.headers)
            entry = codecs.decode(record.value, envelope, record.key)
        except Undecodable:
            # A forged entry is not a line: if it replaced a real one, that one is missing.
            unread += 1
            continue
        if envelope.id not in entry_ids and topic_of(entry) is own.topic:
            entry_ids.add(envelope.id)
            lines += own.lines_of_entry(entry, envelope.time_ms)
            posted += own.settlement_of_entry(entry, envelope.time_ms)
    return lines, posted, unread
