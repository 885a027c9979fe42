"""The readers: each takes any bytes, and reads them or says in its own error why not."""

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from app.gateways.signature import BadSignature, verify
from app.kafka.reader import TopicPartition
from app.local.importers.file_content import LoadError
from app.local.importers.loaded import outcome_of
from app.local.importers.order_file import FileOptions, read_plan
from app.operations.search.expression import BadExpression, Expression, ExpressionFailed
from app.operations.search.masked_record import MaskedRecord
from app.operations.search.query import BadTerm, Query, parse
from app.operations.search.record_view import view_of
from app.operations.search.starts import parse_cursor, parse_start
from app.registry import load_agents
from app.wire.codecs import decode
from app.wire.envelope import Envelope, Undecodable, from_headers
from app.wire.personal import MASK
from tests.support.consumer import FakeRecord
from tests.support.samples import every_message, sample_of
from workflows.fraud.built_in_rules import FIELDS
from workflows.fraud.condition import RuleError, World, evaluate
from workflows.fraud.rulebook import read_rule
from workflows.order.messages import OrderPlaced

PLACE = TopicPartition("orders", 0)
WORLD = World(facts={"amount_minor": 200.0, "card": "k"}, aggregates={})
COLUMNS = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
HEADERS = (
    *("ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_correlationid"),
    *("ce_causationid", "ce_heardms", "traceparent", "baggage", "payflow_signature"),
)


def headers_of(data: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return headers: a byte for the name of each, and a value that ends at a zero byte."""
    parts = [part for part in data.split(b"\0") if part]
    return tuple((HEADERS[part[0] % len(HEADERS)], part[1:]) for part in parts)


def envelope(data: bytes) -> None:
    """Read headers; what is read has what every event has."""
    with suppress(Undecodable):
        event_envelope = from_headers(dict(headers_of(data)))
        assert event_envelope.id
        assert event_envelope.type
        assert event_envelope.correlation_id


def body(data: bytes) -> None:
    """Read a body of the type that the first byte chooses; what is read can be written again."""
    load_agents()
    names = sorted(every_message())
    name = names[(data[0] if data else 0) % len(names)]
    event_envelope = Envelope(
        id="i", type=name, source="s", time_ms=1, subject="o", correlation_id="c"
    )
    with suppress(Undecodable):
        msgspec.json.encode(decode(data[1:], event_envelope, b"o"))


def record(data: bytes) -> None:
    """Show a record: headers, and behind two zero bytes a body; a customer's name is masked."""
    load_agents()
    headers, _, value = data.partition(b"\0\0")
    fake_record = FakeRecord(*PLACE, 0, b"o1", value, headers_of(headers), 1)
    view = view_of(MaskedRecord(fake_record))
    msgspec.json.encode(view)
    if isinstance(view.body, dict) and view.body.get("customer_id"):
        assert view.body["customer_id"] == MASK, view.body


def condition(data: bytes) -> None:
    """Read a rule of the fraud check, and judge a payment by it."""
    with suppress(RuleError):
        assert evaluate(read_rule(data, FIELDS).expression, WORLD) in {True, False, None}


def expression(data: bytes) -> None:
    """Read a filter in CEL, and ask it of a record."""
    with suppress(BadExpression, ExpressionFailed):
        predicate = Expression(data.decode(errors="replace"))
        assert predicate.holds(MaskedRecord(FakeRecord(*PLACE, 0))) in {True, False}


def search(data: bytes) -> None:
    """Read the terms of a search and ask them of a record; read its start, and a cursor."""
    text = data.decode(errors="replace")
    masked = MaskedRecord(FakeRecord(*PLACE, 0))
    with suppress(BadTerm):
        query: Query = parse(text.split("\n"))
        assert query.holds(masked) in {True, False}
    for read in (parse_start, parse_cursor):
        with suppress(BadTerm):
            read(text)


def signature(data: bytes) -> None:
    """Read the header of a webhook: nobody guesses the secret."""
    try:
        verify(data.decode(errors="surrogateescape"), b"{}", "a secret", time.time())
    except BadSignature:
        return
    raise AssertionError("a webhook that nobody signed was believed")


def order_file(data: bytes) -> None:
    """Read a file of orders by its content, as CSV or as a workbook; every row is counted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.csv"
        for content in (data, COLUMNS + data):
            path.write_bytes(content)
            with suppress(LoadError):
                plan = read_plan(path, FileOptions(dates="dmy"))
                assert plan.rows_read == outcome_of(plan).rows.total()


READERS: Mapping[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (*(envelope, body, record, condition, expression, search, signature, order_file),)
}


def seeds(name: str) -> tuple[bytes, ...]:
    """Return what the search for others begins with."""
    load_agents()
    if name not in ("envelope", "body", "record"):
        return SEEDS[name]
    sample = sample_of(OrderPlaced)
    headers = b"\0".join(
        bytes([HEADERS.index(each)]) + value.encode()
        for each, value in sample["headers"].items()
        if each in HEADERS
    )
    value = msgspec.json.encode(sample["body"])
    type_index = bytes([sorted(every_message()).index(sample["headers"]["ce_type"])])
    return {
        "envelope": (headers,),
        "body": (type_index + value,),
        "record": (headers + b"\0\0" + value,),
    }[name]


SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "condition": (
        (
            b'{"rule_id":"a","state":"draft","outcome":"review","description":"",'
            b'"proposed_by":"p","when":{"all":[{"gt":[{"field":"amount_minor"},100]},'
            b'{"not":{"in":[{"field":"card"},["k"]]}}]}}'
        ),
    ),
    "expression": (
        b"body.total_minor > 1000 && key.startsWith('o') || headers['a'].matches('x+')",
        b"[1, 2].exists(x, x > offset) ? timestamp('2026-01-01T00:00:00Z') > time_ms : has(body.a)",
    ),
    "search": (b"type:payflow.order.placed.v1\nkey:o1\namount:1,234.50", b"latest:5", b"0/12,1/7"),
    "signature": (b"t=1700000000,v1=" + b"a" * 64,),
    "order_file": (
        b"536365,85123A,TEA,6,01/12/2010 08:26,2.55,17850,United Kingdom\n",
        COLUMNS.replace(b",", b";") + b'1;"a;b";x;1;1.2.2010;2,55;;France\r\n',
    ),
}
"""Of the readers that know no messages."""
