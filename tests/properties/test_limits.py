"""What the API accepts, the inside can carry: no dead letter, no record and no row too long."""

import asyncio
from contextlib import closing
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tables
from app.config import Config
from app.console.api.dispute_cases import DisputeAnswerAsked
from app.console.api.goodwill import GOODWILL_PREFIX, GoodwillAsked
from app.console.api.operator_actions import RETURN_PREFIX, RefundAsked
from app.delivery.dead_letters import (
    KEPT_BYTES_MAX,
    KEPT_HEADER_BYTES_MAX,
    KEPT_HEADERS_MAX,
    to_dead,
)
from app.delivery.processor import run_batch
from app.delivery.row import Row, encode_row
from app.entrypoints import order, stock, webhooks
from app.entrypoints.requests import BadRequest, Emission
from app.operations.dead_letters import dead_letter as dead_letters
from app.operations.dead_letters.dead_letter import DeadLetter
from app.registry import load_agents, wanted_topics
from app.wire import byte_limits, codecs, envelope
from app.wire.envelope import Envelope, Undecodable, derive_id
from app.wire.records import Record, size_of
from app.wire.topics import changelog_topic
from tests.support.agents import as_record
from tests.support.runtime import FakeRuntime, as_read
from tests.support.simulation.operated_world import CASES, OperatedWorld, longest
from tests.support.simulation.world import World
from tests.support.source import ROOT
from workflows.fraud.messages import FraudCleared, PaymentLabelled
from workflows.inventory import shelf
from workflows.inventory.messages import InventoryReserved
from workflows.inventory.stock_messages import StockReserved
from workflows.order.messages import Line, OrderPlaced, ReturnLine, ReturnRequested
from workflows.order.saga_messages import ReturnAccepted
from workflows.payment.messages import PaymentCompleted
from workflows.shared.limits import (
    EVIDENCE_CHARS_MAX,
    LINES_MAX,
    MINOR_MAX,
    NAME_CHARS_MAX,
    QUANTITY_MAX,
    TEXT_CHARS_MAX,
)
from workflows.shared.message import Message, type_name
from workflows.shared.provider_currencies import step_minor
from workflows.shared.topic import declared, topic_of
from workflows.shipping.messages import ShipmentCreated, ShipmentDelivered

BATCH_HEADER_BYTES = 200
"""What Kafka writes before the records of a batch and before each record."""
SIGNATURE_BYTES = 200
WIDEST = "\U0001f600"
"""Four bytes on the wire, twelve where JSON is ASCII."""
CHARACTERS = st.sampled_from(["x", "\u00e9", WIDEST, '"', "\\"])
CONTROL = "\x01"
"""Six bytes as JSON, on the wire and of a client; texts may hold it, names not."""
REFUNDS = (
    (GOODWILL_PREFIX, GoodwillAsked, "goodwill_id"),
    (RETURN_PREFIX, RefundAsked, "refund_id"),
)
"""What operators refund: how its return ids begin, the body, and its field for the rest."""
LENGTHS = st.sampled_from([1, NAME_CHARS_MAX // 2, NAME_CHARS_MAX])


def most_bytes() -> dict[str, int]:
    """Return what each topic takes, by its name."""
    return {each.name: int(each.config["max.message.bytes"]) for each in wanted_topics(Config())
            if "max.message.bytes" in each.config}  # fmt: skip


# --- requests -------------------------------------------------------------------


def names(number: int, character: str, length: int) -> str:
    """Return the name of this number: as long, and of this character."""
    return f"{number}-{character * NAME_CHARS_MAX}"[: max(length, len(f"{number}-"))]


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """Return the body of a request for an order, often near a limit."""
    character, length = draw(CHARACTERS), draw(LENGTHS)
    currency = draw(st.sampled_from(["GBP", "JPY", "KWD", "MGA"]))
    step = step_minor(currency)
    count = draw(st.sampled_from([1, 2, 40, LINES_MAX]))
    description = draw(st.sampled_from(["x", WIDEST, CONTROL])) * draw(
        st.sampled_from([0, 90, TEXT_CHARS_MAX])
    )
    amount_minor = draw(st.sampled_from([100, MINOR_MAX // count, MINOR_MAX // 2]))
    quantity = draw(st.sampled_from([1, 2, QUANTITY_MAX]))
    lines = [
        {"sku": names(number, character, length), "quantity": quantity,
         "amount_minor": amount_minor, "description": description}
        for number in range(count)
    ]  # fmt: skip
    charges = draw(st.sampled_from([0, 1, LINES_MAX]))
    charge_minor = draw(st.sampled_from([step, -step, -MINOR_MAX // 2]))
    return {
        "country": "GB",
        "currency": currency,
        "capture": draw(st.sampled_from(["automatic", "at_shipment"])),
        "partial_shipment": draw(st.booleans()),
        "lines": lines,
        "charges": [{"code": names(at, character, length), "amount_minor": charge_minor}
                    for at in range(charges)],
        "payment_method": character * length,
        "customer_id": character * draw(LENGTHS),
        "reference": character * length,
        "origin": dict.fromkeys(
            ("card_id", "terminal_id", "device_id", "address_id"), character * length
        ),
    }  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """Return the body of an order, and those of what is asked about it and its items."""
    placed = draw(orders())
    text = draw(st.sampled_from(["", "x", WIDEST, CONTROL])) * TEXT_CHARS_MAX
    character = draw(CHARACTERS)
    lines = [
        {"sku": line["sku"], "quantity": 1, "line": number + 1}
        if draw(st.booleans())
        else {"sku": line["sku"], "quantity": 1}
        for number, line in enumerate(placed["lines"][: draw(st.sampled_from([1, LINES_MAX]))])
    ]
    more: list[tuple[str, dict[str, Any]]] = [
        ("returns", {"return_id": names(at, character, NAME_CHARS_MAX), "lines": lines,
                     "reason": text})
        for at in range(draw(st.integers(0, 4)))
    ]  # fmt: skip
    if draw(st.booleans()):
        more.append(("cancel", {"reason": text}))
    if draw(st.booleans()):
        amount_minor = step_minor(placed["currency"])
        for prefix, body, field in REFUNDS:
            refund_id = prefix + longest(body, field, character)
            why = longest(body, "reason", text[:1] or "x")
            more.append(
                ("refund", {"return_id": refund_id, "amount_minor": amount_minor, "why": why})
            )
        more.append(
            (
                "carrier",
                {
                    "notice_id": character * NAME_CHARS_MAX,
                    "shipment_id": character * NAME_CHARS_MAX,
                    "status": "in_transit",
                },
            )
        )
        more.append(
            (
                "label",
                {"fraud": True, "source": "analyst", "known_at_ms": 1, "by": "x", "note": text},
            )
        )
        more.append(
            (
                "webhook",
                {
                    "id": character * NAME_CHARS_MAX,
                    "type": "payment_intent.payment_failed",
                    "data": {
                        "object": {
                            "id": character * NAME_CHARS_MAX,
                            "amount": 1,
                            "last_payment_error": {"code": text * 2},
                        }
                    },
                },
            )
        )
    if draw(st.booleans()):
        wide = [{**lines[0], "quantity": QUANTITY_MAX}] * 2
        more.append(("returns", {"return_id": "sum", "lines": wide}))
    more.append(
        ("adjustments", {"adjustment_id": character * NAME_CHARS_MAX, "delta": 5,
                         "sku": placed["lines"][0]["sku"], "reason": text})
    )  # fmt: skip
    return placed, more


def emissions(order_id: str, path: str, body: dict[str, Any]) -> list[Emission]:
    """Return what the API emits for a request."""
    if path == "refund":
        return [order.refunded_by_operator(order_id, **body, alone_max_minor=None)]
    if path == "label":
        label = PaymentLabelled(transaction_id=order_id, **body)
        return [Emission(message=label, event_id=derive_id("l"), transaction_id=order_id)]
    if path == "webhook":
        metadata = {"order_id": order_id}
        event = {**body, "data": {"object": {**body["data"]["object"], "metadata": metadata}}}
        notified = webhooks.provider_notified(event, Config())
        return [notified] if notified else []
    if path == "carrier":
        return [webhooks.carrier_notified({**body, "order_id": order_id}, Config())]
    if path == "adjustments":
        return stock.adjusted(msgspec.convert(body, stock.AdjustmentAsked), own_id)
    follow = next(each for each in order.ENTRYPOINT.follow if each.path == f"/{path}")
    typed_body = msgspec.convert(body, follow.body)
    event_id = follow.event_id(order_id, typed_body)
    return [Emission(message=follow.message(order_id, typed_body), event_id=event_id,
                     transaction_id=order_id)]  # fmt: skip


def emit(world: World, emission: Emission, baggage: dict[str, str]) -> bool:
    """Produce what the API would take, and say whether it did."""
    message = emission.message
    event_envelope = Envelope(
        id=emission.event_id,
        type=type_name(type(message)),
        source="/payflow/console",
        time_ms=world.now,
        subject=topic_of(message).key(message),
        correlation_id=emission.transaction_id,
        baggage=baggage,
    )
    try:
        codecs.check_readable(message, event_envelope)
    except Undecodable:
        return False
    world.say(message, emission.event_id, topic_of(message).key(message), baggage)
    return True


def own_id(kind: str, name: str) -> str:
    """Return an id as long as those of clients."""
    return derive_id(kind, name)


def receive_stock(world: World, lines: list[dict[str, Any]]) -> None:
    """Receive enough of all that the lines name."""
    items = [{"sku": line["sku"], "quantity": QUANTITY_MAX} for line in lines]
    receipt = msgspec.convert({"receipt_id": WIDEST * 60, "items": items}, stock.ReceiptAsked)
    for each in stock.received(receipt, own_id):
        assert emit(world, each, {})
    # Or now and then an order comes before it, and is cancelled.
    world.drain()


def check(world: World) -> None:
    """Assert that nothing was refused inside, and that all of it fits its topic."""
    most = most_bytes()
    assert [] == world.dead
    assert world.longest_row <= byte_limits.ROW_BYTES_MAX
    for topic, log in world.log.items():
        for record in log:
            assert size_of(record) + BATCH_HEADER_BYTES <= most[topic], topic


@settings(max_examples=40)
@given(
    bodies=requests(),
    seed=st.integers(0, 1_000),
    kinds=st.frozensets(st.sampled_from(CASES)),
    character=CHARACTERS | st.just(CONTROL),
)
def test_what_the_api_accepts_the_inside_carries(
    bodies: tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]],
    seed: int,
    kinds: frozenset[str],
    character: str,
) -> None:
    """Every agent takes all that follows; what is too much was refused before."""
    body, more = bodies
    try:
        placed = order.placed("o" * 36, msgspec.convert(body, order.OrderAsked), 1)
    except BadRequest:
        return
    with closing(asyncio.new_event_loop()) as loop:
        world = OperatedWorld(seed, kinds, loop, emit, character)
        # Of the others there is none: they do not ship, or the whole order does not.
        first = len(body["lines"]) // 2 if body["partial_shipment"] else 0
        receive_stock(world, body["lines"][first:])
        baggage = {"workflow": "order", "country": placed.country, "began_ms": str(world.now)}
        start = Emission(message=placed, event_id=derive_id("o"), transaction_id=placed.order_id)
        if emit(world, start, baggage):
            for path, each in more:
                for emission in emissions(placed.order_id, path, each):
                    emit(world, emission, {})
        world.drain()

        check(world)


@pytest.mark.parametrize(
    ("kind", "capture", "seed", "cases"),
    [
        ("capture refused", "at_shipment", 1, {("capture", 0), ("capture", 1)}),
        ("refund fails later", "automatic", 1, {("r1", 1), ("r1", 2)}),
        ("disputed", "automatic", 1, {("submit du-o1", "chargeback")}),
        ("disputed", "automatic", 2, {("submit du-o1", "inquiry"), ("refund du-o1", "inquiry")}),
    ],
)
def test_operators_decide_about_every_kind_of_case(
    kind: str, capture: str, seed: int, cases: set[tuple[str, object]]
) -> None:
    """In the longest texts, of which none is dead-lettered; and the world comes to rest."""
    line = {"sku": "s", "quantity": 1, "amount_minor": 900}
    body = {"country": "GB", "currency": "GBP", "lines": [line], "payment_method": "pm",
            "capture": capture}  # fmt: skip
    placed = order.placed("o1", msgspec.convert(body, order.OrderAsked), 1)
    asked_back = {"return_id": "r1", "lines": [{"sku": "s", "quantity": 1}]}
    with closing(asyncio.new_event_loop()) as loop:
        world = OperatedWorld(seed, frozenset({kind}), loop, emit, WIDEST)
        receive_stock(world, body["lines"])
        start = Emission(message=placed, event_id=derive_id("o"), transaction_id="o1")
        assert emit(world, start, {"workflow": "order", "began_ms": str(world.now)})
        for emission in emissions("o1", "returns", asked_back):
            assert emit(world, emission, {})
        world.drain()

        assert cases <= world.decided
        check(world)


def test_the_longest_text_is_read_from_the_type_of_the_body() -> None:
    """Four bytes a character where any is taken, and one where few are."""
    evidence = longest(DisputeAnswerAsked, "text", WIDEST)

    assert (EVIDENCE_CHARS_MAX, WIDEST) == (len(evidence), evidence[0])
    assert "x" * 64 == longest(GoodwillAsked, "goodwill_id", WIDEST)


# --- the longest row ---------------------------------------------------------------


def longest_order(order_id: str) -> OrderPlaced:
    """Return an order of as many lines as there may be, of the longest names."""
    lines = [Line(sku=names(at, WIDEST, NAME_CHARS_MAX), quantity=9, amount_minor=9)
             for at in range(LINES_MAX)]  # fmt: skip
    return OrderPlaced(
        order_id=order_id,
        country="France",
        currency="GBP",
        lines=tuple(lines),
        total_minor=9 * LINES_MAX,
        payment_method="pm",
        ordered_at_ms=1,
    )


def back(placed: OrderPlaced, number: int) -> ReturnAccepted:
    """Return that one unit of each line of the order comes back."""
    lines = [ReturnLine(sku=line.sku, quantity=1, amount_minor=1) for line in placed.lines]
    return ReturnAccepted(
        order_id=placed.order_id,
        return_id=names(number, WIDEST, NAME_CHARS_MAX),
        lines=tuple(lines),
        amount_minor=LINES_MAX,
        currency="GBP",
    )


def test_the_row_of_the_longest_order_with_all_that_comes_back_fits_its_changelog() -> None:
    """Nothing of it was produced yet: the row holds what was decided since it was placed."""
    placed = longest_order(WIDEST * NAME_CHARS_MAX)
    held = [StockReserved(order_id=placed.order_id, sku=line.sku, quantity=9)
            for line in placed.lines]  # fmt: skip
    shipped = ShipmentCreated(order_id=placed.order_id, shipment_id="s")
    check_row("inventory", [placed, *held, shipped, back(placed, 1), back(placed, 2)])


def test_the_row_of_the_longest_order_that_is_returned_line_by_line_fits_its_changelog() -> None:
    """It holds its lines, what was asked for before it ended, and the answers."""
    placed = longest_order(WIDEST * NAME_CHARS_MAX)
    order_id = placed.order_id
    lines = tuple(ReturnLine(sku=line.sku, quantity=1, line=number)
                  for number, line in enumerate(placed.lines, start=1))  # fmt: skip
    returns = [ReturnRequested(order_id=order_id, return_id=names(at, WIDEST, NAME_CHARS_MAX),
                               lines=lines) for at in range(3)]  # fmt: skip
    paid = PaymentCompleted(
        transaction_id=order_id,
        payment_id="pi",
        amount_minor=placed.total_minor,
        goods_minor=placed.total_minor,
        charges_minor=0,
        currency="GBP",
        country="France",
        ordered_at_ms=1,
    )
    ready = [
        paid,
        InventoryReserved(order_id=order_id, units=9 * LINES_MAX),
        FraudCleared(transaction_id=order_id, score=0, rules_version="1"),
        ShipmentCreated(order_id=order_id, shipment_id="s"),
        ShipmentDelivered(order_id=order_id, shipment_id="s"),
    ]

    emitted = check_row("order", [placed, *returns, *ready])

    assert 2 == sum("return_accepted" in name for name in emitted)


def check_row(name: str, story: list[Message]) -> list[str]:
    """Return the types of what the agent emits; its rows and messages keep their limits."""
    runtime = FakeRuntime()
    agent = load_agents()[name]
    handled = asyncio.run(
        run_batch(agent, runtime, [as_record(each, at) for at, each in enumerate(story)])
    )
    assert [] == handled.dead
    assert max(map(len, runtime.rows.values())) <= byte_limits.ROW_BYTES_MAX // 2
    assert all(len(each.value or b"") <= byte_limits.BODY_BYTES_MAX for each in runtime.emitted)
    return [dict(each.headers)["ce_type"].decode() for each in runtime.emitted]


def test_the_row_of_the_shelf_with_the_most_open_orders_fits_its_changelog() -> None:
    """Of the longest ids, with the longest memory of the past, and a batch that is not produced."""
    ids = [names(at, WIDEST, NAME_CHARS_MAX) for at in range(shelf.OPEN_ORDERS_MAX)]
    past = ids[: shelf.REMEMBERED_MAX]
    full = shelf.Stock(
        held=dict.fromkeys(ids, QUANTITY_MAX),
        sent=dict.fromkeys(past, QUANTITY_MAX),
        sent_order=tuple(past),
        closed=tuple(past),
        counted=tuple(f"return/{name}/{name}" for name in past),
    )

    row = encode_row(Row(state=full))

    assert len(row) + byte_limits.BATCH_BYTES_MAX <= byte_limits.ROW_BYTES_MAX


# --- the table -----------------------------------------------------------------------


def test_each_limit_holds_the_one_before() -> None:
    """A body and its headers fit a topic, a dead letter of it a dead topic, the most a request."""
    longest = {**dict.fromkeys(range(14), envelope.HEADER_BYTES_MAX), **envelope.LONGEST}
    headers = sum(longest.values()) + SIGNATURE_BYTES + BATCH_HEADER_BYTES
    dead_letter_bytes = 2 * KEPT_BYTES_MAX + KEPT_HEADERS_MAX * (2 * KEPT_HEADER_BYTES_MAX + 10)

    assert byte_limits.OPEN_BODY_BYTES_MAX < byte_limits.BODY_BYTES_MAX
    assert byte_limits.BODY_BYTES_MAX + headers <= byte_limits.RECORD_BYTES_MAX
    assert byte_limits.RECORD_BYTES_MAX + BATCH_HEADER_BYTES < byte_limits.DEAD_LETTER_BYTES_MAX
    assert (
        dead_letter_bytes
        <= byte_limits.DEAD_LETTER_BYTES_MAX
        < byte_limits.DEAD_LETTER_TOPIC_BYTES_MAX
    )
    assert byte_limits.DEAD_LETTER_TOPIC_BYTES_MAX <= byte_limits.FETCH_BYTES_MAX
    assert byte_limits.BODY_BYTES_MAX + headers <= byte_limits.BATCH_BYTES_MAX
    assert 4 * byte_limits.BATCH_BYTES_MAX <= byte_limits.ROW_BYTES_MAX
    assert byte_limits.ROW_BYTES_MAX < byte_limits.PRODUCE_BYTES_MAX
    assert byte_limits.PRODUCE_BYTES_MAX <= byte_limits.CONTENT_BYTES_MAX


def test_no_batch_of_messages_has_more_records_or_headers_than_one_may_have():
    """The smallest message there is, as often as the longest batch holds it."""
    smallest = Envelope(id=derive_id("e"), type="payflow.a.b.v1", source="/x", time_ms=1,
                        subject="s", correlation_id="c")  # fmt: skip
    headers = envelope.to_headers(smallest)
    # A length before each name and value: one byte or more.
    size = sum(len(name) + len(value) + 2 for name, value in headers)
    most = byte_limits.CONTENT_BYTES_MAX // size

    assert most < byte_limits.BATCH_RECORDS_MAX
    assert most * len(headers) < byte_limits.BATCH_HEADERS_MAX


def test_a_container_s_broker_takes_what_an_embedded_one_takes() -> None:
    """`compose.yaml` cannot import the table."""
    text = (ROOT / "compose.yaml").read_text()

    for name in ("KAFKA_MESSAGE_MAX_BYTES", "KAFKA_REPLICA_FETCH_MAX_BYTES"):
        assert f'{name}: "{byte_limits.DEAD_LETTER_TOPIC_BYTES_MAX}"' in text


@pytest.mark.parametrize("size", [byte_limits.RECORD_BYTES_MAX, byte_limits.ROW_BYTES_MAX])
def test_the_longest_poison_fits_a_dead_topic_again_and_again(size: int) -> None:
    """With all earlier failures that it carries; what had come compressed is cut."""
    orders_topic = declared["orders"]
    record = Record(topic=orders_topic.name, partition=0, offset=0, key=b"k", value=b"x" * size)
    for _ in range(2 * dead_letters.HISTORY_MAX):
        dead = to_dead(record, service="payment", agent="payment", cause=CONTROL * 500,
                       detail=CONTROL * 2_000, stack="s", now_ms=1)  # fmt: skip
        dead_letter = DeadLetter(record=as_read(dead, 0), at_ms=1)
        sent = dead_letters.sent_back(dead_letter, 0)
        for each in (dead, sent):
            record_bytes = size_of(each) + BATCH_HEADER_BYTES
            assert record_bytes <= byte_limits.DEAD_LETTER_TOPIC_BYTES_MAX, each.topic
        record = as_read(sent, 0)


@pytest.mark.parametrize("character", ["x", WIDEST, CONTROL, '"'])
def test_the_size_that_counts_is_the_one_inside(character: str) -> None:
    """However a client writes an order, it is refused where the agents would refuse it."""
    line = {"sku": "s", "quantity": 1, "amount_minor": 1, "description": character * TEXT_CHARS_MAX}
    body = {"country": "FR", "currency": "GBP", "payment_method": "p", "lines": [line] * LINES_MAX}
    placed = order.placed("o", msgspec.convert(body, order.OrderAsked), 1)
    event_envelope = Envelope(id="e", type=type_name(OrderPlaced), source="/x", time_ms=1,
                              subject="o", correlation_id="o")  # fmt: skip
    accepted = True
    try:
        codecs.check_readable(placed, event_envelope)
    except codecs.Poison as poison:
        accepted = poison.cause != "too_large"

    assert accepted == (len(codecs.encode(placed)) <= byte_limits.OPEN_BODY_BYTES_MAX)


def test_changelogs_alone_are_compressed_by_the_broker() -> None:
    """They are most of what an instance has on disk, and nobody else writes there."""
    compressed = {
        each.name for each in wanted_topics(Config()) if "compression.type" in each.config
    }

    assert {changelog_topic(table) for table in tables.declared.values()} == compressed


def test_a_segment_of_a_compacted_topic_holds_its_longest_record() -> None:
    """Kafka refuses a longer one."""
    compacted = [each for each in wanted_topics(Config()) if each.cleanup == "compact"]

    assert compacted
    for each in compacted:
        assert int(each.config["segment.bytes"]) > int(each.config["max.message.bytes"])


def test_no_compaction_takes_a_row_before_verify_has_read_it() -> None:
    """A cut notes the ends first: a row's version before them may be the only one that counts."""
    drill_reads_seconds_max = 60
    compacted = [each for each in wanted_topics(Config()) if each.cleanup == "compact"]

    for each in compacted:
        assert int(each.config["min.compaction.lag.ms"]) > 2_000 * drill_reads_seconds_max
