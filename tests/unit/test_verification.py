"""The verdict of verify: an instance in order passes, and each thing that can break is named."""

from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest
from msgspec.structs import replace

from app.operations.verification.facts import Facts, UndecodableRecord
from app.operations.verification.verdict import Verdict, judge
from app.wire.envelope import Envelope, derive_id
from tests.support.examples.verification import (
    CLEARED,
    COMPLETED,
    CREATED,
    DELIVERED,
    PAYMENT_ENTRY,
    PLACED_MS,
    RESERVED,
    SALE_ENTRY,
    entry,
    paid,
    placed,
)
from workflows.fraud.messages import FraudDetected
from workflows.inventory.messages import (
    InventoryRejected,
    InventoryReleased,
    InventoryReturned,
)
from workflows.inventory.stock_messages import (
    AdjustStock,
    ReceiveStock,
    StockAdjusted,
    StockReceived,
)
from workflows.order.facts import Shelf
from workflows.order.messages import ReturnLine, ReturnRequested
from workflows.order.return_amount import ReturnAmount
from workflows.order.saga_messages import (
    OrderCancelled,
    ReturnAccepted,
    ReturnRefused,
)
from workflows.order.verdict_figures import Latency
from workflows.order.workflow import ORDER
from workflows.payment.messages import (
    PaymentFailed,
    PaymentRefunded,
    RefundOverdue,
)
from workflows.shared.invariants import CarrierRecord, Check, Moment, ProviderRecord, percentile
from workflows.shared.message import Message, type_name
from workflows.shipping.messages import ShipmentCancelled, ShipmentCreated

MINUTE_MS = 60_000
NOW_MS = PLACED_MS + 60 * MINUTE_MS


class LocalQueries:
    """An instance emitted in text: what the topics, the rows and the external systems would say."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.orders = self.facts.of(ORDER)
        self.provider: dict[str, ProviderRecord] | None = {}
        self.carrier: dict[str, CarrierRecord] | None = {}
        self.emitted = 0

    def publish(self, *messages: Message, at_ms: int = PLACED_MS) -> "LocalQueries":
        for message in messages:
            self.emitted += 1
            self.facts.project([ORDER], message, envelope(message, f"event {self.emitted}", at_ms))
        return self

    def charge(self, order_id: str = "o1", minor: int = 800, refunded: int = 0) -> "LocalQueries":
        assert self.provider is not None
        record = self.provider.setdefault(order_id, ProviderRecord())
        record.charges += 1
        record.charged_minor += minor
        record.refunded_minor += refunded
        return self

    def shipment(self, status: str, order_id: str = "o1") -> "LocalQueries":
        assert self.carrier is not None
        self.carrier[order_id] = CarrierRecord(status=status)
        return self

    def shelf(self, sku: str, **units: int) -> "LocalQueries":
        self.orders.shelves[sku] = Shelf(**units)
        return self

    def judge(self, now_ms: int = NOW_MS) -> Verdict:
        moment = Moment(now_ms=now_ms, provider=self.provider, carrier=self.carrier)
        return judge(self.facts, moment, [ORDER])

    def broken(self, now_ms: int = NOW_MS) -> dict[str, tuple[str, ...]]:
        checks = self.judge(now_ms).checks
        return {check.name: check.offending for check in checks if not check.ok}


def envelope(message: Message, event_id: str, at_ms: int) -> Envelope:
    return Envelope(
        id=derive_id(event_id),
        type=type_name(type(message)),
        source="/test",
        time_ms=at_ms,
        subject="o1",
        correlation_id="o1",
    )


def refunded(minor: int = 800, kind: str = "compensation", return_id: str = "") -> PaymentRefunded:
    return PaymentRefunded(
        transaction_id="o1",
        payment_id="pi_o1",
        refund_id=f"re_{return_id}",
        amount_minor=minor,
        currency="GBP",
        kind=kind,
        return_id=return_id,
    )


REFUND_ENTRY = entry("back", ("customer_receivable", 800), ("cash_at_provider", -800))
RETURN_ENTRY = entry("returned", ("refunds", 250), ("cash_at_provider", -250))
RELEASED = InventoryReleased(order_id="o1")
ONE_MUG = ReturnLine(sku="MUG", quantity=1, amount_minor=250)
ASKED_BACK = ReturnRequested(order_id="o1", return_id="r1", lines=(ONE_MUG,), amount_minor=250)
TAKEN_BACK = ReturnAccepted(
    order_id="o1", return_id="r1", lines=(ONE_MUG,), amount_minor=250, currency="GBP"
)
REFUNDS_OVERDUE = [
    RefundOverdue(
        transaction_id="o1",
        payment_id="pi_o1",
        refund_key=key,
        amount_minor=250,
        currency="GBP",
        asked_at_ms=PLACED_MS,
        reason="no answer",
    )
    for key in ("compensation", "r1")
]
DEAR_MUG = ReturnAccepted(
    order_id="o1",
    return_id="r1",
    lines=(ReturnLine(sku="MUG", quantity=1, amount_minor=700, line=1),),
    amount_minor=700,
    currency="GBP",
    computed=ReturnAmount(items_minor=700),
)
RESTOCKED = InventoryReturned(order_id="o1", return_id="r1")


def stocked() -> LocalQueries:
    """Ten mugs and ten bowls were received and lie on the shelf."""
    queries = LocalQueries()
    for sku in ("MUG", "BOWL"):
        queries.publish(
            ReceiveStock(receipt_id="first", sku=sku, quantity=10),
            StockReceived(receipt_id="first", sku=sku, quantity=10),
        )
        queries.shelf(sku, received=10, on_hand=10)
    return queries


def completed() -> LocalQueries:
    """One order went well: paid, shipped, delivered."""
    queries = stocked().publish(placed(), paid(), PAYMENT_ENTRY, RESERVED, CLEARED)
    queries.publish(CREATED, SALE_ENTRY, at_ms=PLACED_MS + 250).publish(DELIVERED, COMPLETED)
    queries.shelf("MUG", received=10, on_hand=8, shipped=2)
    queries.shelf("BOWL", received=10, on_hand=9, shipped=1)
    return queries.charge().shipment("delivered")


def cancelled() -> LocalQueries:
    """One order was paid and reserved, then flagged: everything was compensated."""
    queries = stocked().publish(placed(), paid(), PAYMENT_ENTRY, RESERVED)
    queries.publish(
        FraudDetected(transaction_id="o1", score=1.0, reasons=("why",), rules_version="1")
    )
    queries.publish(refunded(), REFUND_ENTRY, RELEASED)
    queries.publish(OrderCancelled(order_id="o1", cause="fraud"), at_ms=PLACED_MS + 400)
    return queries.charge(refunded=800)


def returned() -> LocalQueries:
    """One mug of a completed order came back."""
    queries = completed().publish(ASKED_BACK, TAKEN_BACK, refunded(250, "return", "r1"))
    queries.publish(RETURN_ENTRY, RESTOCKED)
    queries.shelf("MUG", received=10, on_hand=9, shipped=1)
    assert queries.provider is not None
    queries.provider["o1"].refunded_minor = 250
    return queries


def back_again(accepted: ReturnAccepted) -> LocalQueries:
    """A completed order has a return that is accepted, refunded and restocked as it says."""
    minor = accepted.amount_minor
    units = sum(line.quantity for line in accepted.lines)
    queries = completed().publish(ASKED_BACK, accepted, refunded(minor, "return", "r1"))
    queries.publish(entry("back", ("refunds", minor), ("cash_at_provider", -minor)), RESTOCKED)
    queries.shelf("MUG", received=10, on_hand=8 + units, shipped=2 - units)
    assert queries.provider is not None
    queries.provider["o1"].refunded_minor = minor
    return queries


FEE_ENTRY = entry("fee", ("provider_fees", 32), ("cash_at_provider", -32))
ON_ITS_WAY = entry("on its way", ("payout_clearing", 768), ("cash_at_provider", -768))
ARRIVED = entry("arrived", ("cash_at_bank", 768), ("payout_clearing", -768))
TAKEN_ALONG = entry("taken along", ("cash_at_provider", 800), ("cash_at_bank", -800))


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param((FEE_ENTRY,), id="the fee"),
        pytest.param((FEE_ENTRY, ON_ITS_WAY), id="a payout on its way"),
        pytest.param((FEE_ENTRY, ON_ITS_WAY, ARRIVED), id="that has arrived"),
    ],
)
def test_settlement_breaks_no_check(entries: tuple[Message, ...]) -> None:
    """Of a completed order, and of a cancelled one whose refund a payout takes along."""
    refund = (TAKEN_ALONG,) if ARRIVED in entries else ()

    broken = [
        completed().publish(*entries).broken(),
        cancelled().publish(*entries, *refund).broken(),
    ]

    assert [{}, {}] == broken


@pytest.mark.parametrize(
    "queries",
    [
        pytest.param(LocalQueries, id="an empty instance"),
        pytest.param(completed, id="a completed order"),
        pytest.param(cancelled, id="a cancelled order"),
        pytest.param(returned, id="a returned mug"),
    ],
)
def test_a_instance_in_order_passes_every_check(queries):
    """What went as it should breaks nothing."""
    verdict = queries().judge()

    assert ({}, True) == (queries().broken(), verdict.verify_ok)
    assert (0, 0, 0) == (
        verdict.figures["ledger_imbalance_minor"],
        verdict.figures["double_charges"],
        verdict.figures["stock_drift_units"],
    )


def kept_cash() -> LocalQueries:
    """Cancelled, and the money is kept: the three views agree, and nobody owes anything."""
    queries = stocked().publish(placed(), paid(), OrderCancelled(order_id="o1", cause="overdue"))
    return queries.publish(entry("kept", ("cash_at_provider", 800), ("revenue", -800))).charge()


BREAKS = [
    pytest.param(kept_cash, {"books_close": ("o1",)}, id="a cancelled order's cash in the books"),
    pytest.param(
        lambda: completed().publish(paid(minor=0)),
        {"charged_once": ("o1",)},
        id="a payment emitted twice",
    ),
    pytest.param(
        lambda: stocked().publish(placed()), {"one_end": ("o1",)}, id="an order past its deadlines"
    ),
    pytest.param(
        lambda: completed().publish(COMPLETED), {"one_end": ("o1",)}, id="an order with two ends"
    ),
    pytest.param(
        lambda: completed().charge(),
        {"money_agrees": ("o1",), "charged_once": ("o1",)},
        id="a card charged twice",
    ),
    pytest.param(
        lambda: completed().charge("ghost", 100),
        {"charges_have_orders": ("ghost",)},
        id="a charge that no order explains",
    ),
    pytest.param(
        lambda: completed().publish(refunded(800)),
        {"money_agrees": ("o1",)},
        id="a refund emitted that the provider never gave",
    ),
    pytest.param(
        lambda: completed().publish(entry("odd", ("revenue", -1))),
        {"books_balance": ("odd", "o1 GBP")},
        id="an entry that does not balance",
    ),
    pytest.param(
        lambda: completed().publish(entry("more", ("customer_receivable", 5), ("revenue", -5))),
        {"books_close": ("o1",)},
        id="a completed order that still owes",
    ),
    pytest.param(
        lambda: cancelled().publish(PAYMENT_ENTRY),
        {"money_agrees": ("o1",), "books_close": ("o1",)},
        id="a cancelled order whose cash is kept",
    ),
    pytest.param(
        lambda: (
            stocked()
            .publish(placed(), paid(), PAYMENT_ENTRY, SALE_ENTRY, RESERVED, CREATED, COMPLETED)
            .shelf("MUG", received=10, on_hand=8, shipped=2)
            .shelf("BOWL", received=10, on_hand=9, shipped=1)
            .charge()
            .shipment("delivered")
        ),
        {"ships_when_due": ("o1",)},
        id="a shipment without a verdict",
    ),
    pytest.param(
        lambda: completed().shipment("in_transit"),
        {"carrier_agrees": ("o1",)},
        id="a completed order that the carrier has not delivered",
    ),
    pytest.param(
        lambda: cancelled().shipment("in_transit"),
        {"carrier_agrees": ("o1",)},
        id="a cancelled order that travels",
    ),
    pytest.param(
        lambda: completed().shipment("in_transit", "ghost"),
        {"carrier_agrees": ("ghost",)},
        id="a shipment of no order",
    ),
    pytest.param(
        lambda: stocked().publish(ReceiveStock(receipt_id="second", sku="MUG", quantity=4)),
        {"receipts_are_booked": ("MUG/second",)},
        id="a receipt that was never booked",
    ),
    pytest.param(
        lambda: stocked().publish(StockReceived(receipt_id="first", sku="MUG", quantity=10)),
        {"receipts_are_booked": ("MUG/first",), "stock_agrees": ("MUG (-10)",)},
        id="a receipt booked twice",
    ),
    pytest.param(
        lambda: completed().shelf("MUG", received=10, on_hand=7, shipped=2),
        {"shelves_add_up": ("MUG",)},
        id="a shelf that lost a unit",
    ),
    pytest.param(
        lambda: completed().shelf("MUG", received=10, on_hand=10),
        {"stock_agrees": ("MUG (-2)",)},
        id="a shelf that never received the shipment",
    ),
    pytest.param(
        lambda: cancelled().shelf("BOWL", received=10, on_hand=9, held=1),
        {"stock_agrees": ("BOWL (+1)",)},
        id="stock still held for a cancelled order",
    ),
    pytest.param(
        lambda: returned().publish(refunded(250, "return", "r1")),
        {"money_agrees": ("o1",), "returns_settle": ("o1 r1",)},
        id="a return refunded twice",
    ),
    pytest.param(
        lambda: completed().publish(*REFUNDS_OVERDUE),
        {"refunds_arrive": ("o1 compensation", "o1 r1")},
        id="refunds that do not come",
    ),
    pytest.param(
        lambda: completed().publish(ASKED_BACK),
        {"returns_settle": ("o1 r1",)},
        id="a return that was never answered",
    ),
    pytest.param(
        lambda: returned().publish(RESTOCKED),
        {"returns_settle": ("o1 r1",)},
        id="a return restocked twice",
    ),
    pytest.param(
        lambda: back_again(msgspec.structs.replace(TAKEN_BACK, lines=(ONE_MUG, ONE_MUG, ONE_MUG))),
        {"returns_within_shipped": ("o1 (1 units, 0 minor units too many)",)},
        id="more units come back than were shipped",
    ),
    pytest.param(
        lambda: back_again(DEAR_MUG),
        {"returns_within_shipped": ("o1 (0 units, 450 minor units too many)",)},
        id="more money comes back than the items are worth",
    ),
    pytest.param(
        lambda: back_again(msgspec.structs.replace(TAKEN_BACK, lines=(), amount_minor=801)),
        {"returns_within_shipped": ("o1 (0 units, 1 minor units too many)",)},
        id="more money comes back than was paid",
    ),
]


def test_a_refund_that_comes_late_is_overdue_no_more():
    """Each is forgiven by its own refund: by kind and by return."""
    overdue = completed().publish(*REFUNDS_OVERDUE)
    record = [refunded(250, "return", "r1"), refunded(550)]

    names = [overdue.publish(each).broken().get("refunds_arrive") for each in record]

    assert [("o1 compensation",), None] == names


@pytest.mark.parametrize(("queries", "broken"), BREAKS)
def test_what_is_broken_is_named(queries, broken):
    """Exactly the checks that it concerns fail, with the offending ids."""
    assert broken == queries().broken()


@pytest.mark.parametrize(
    "queries",
    [
        pytest.param(lambda: stocked().publish(placed()), id="just placed"),
        pytest.param(lambda: stocked().publish(placed()).charge(), id="charged, not emitted"),
        pytest.param(
            lambda: stocked().publish(placed(), paid()).charge(),
            id="emitted, not in the books",
        ),
        pytest.param(
            lambda: stocked().publish(placed(), RESERVED), id="reserved, the row not yet seen"
        ),
        pytest.param(
            lambda: stocked().publish(placed()).shelf("MUG", received=10, on_hand=8, held=2),
            id="held on one shelf, not yet gathered",
        ),
        pytest.param(
            lambda: stocked().publish(ReceiveStock(receipt_id="second", sku="MUG", quantity=4)),
            id="a delivery not yet booked",
        ),
        pytest.param(
            lambda: stocked().charge("o9"), id="charged for an order placed after the cut"
        ),
    ],
)
def test_a_instance_at_work_is_no_broken_instance(queries):
    """A second after it was placed, an order may be ahead here and behind there."""
    at_work = queries()
    assert at_work.provider is not None
    for record in at_work.provider.values():
        record.last_ms = PLACED_MS

    assert {} == at_work.broken(now_ms=PLACED_MS + 1_000)


def test_a_webhook_may_take_as_long_as_a_lost_one_does():
    """A refund fails by itself at the provider: until it is known here, nothing is broken."""
    queries = cancelled()
    assert queries.provider is not None
    record = queries.provider["o1"]
    record.refunded_minor, record.unasked_ms = 0, NOW_MS

    broken = {
        waited_ms: [
            check.name
            for check in judge(
                queries.facts,
                Moment(
                    now_ms=NOW_MS + waited_ms,
                    notice_ms=360_000,
                    provider=queries.provider,
                    carrier=queries.carrier,
                ),
                [ORDER],
            ).checks
            if not check.ok
        ]
        for waited_ms in (1, 359_999, 360_000)
    }

    assert {1: [], 359_999: [], 360_000: ["money_agrees"]} == broken


def test_what_a_service_has_yet_to_receive_is_allowed_for():
    """A release that inventory has yet to receive explains what is held, for its units only."""
    queries = cancelled().shelf("MUG", received=10, on_hand=8, held=2)
    queries.facts.pending.add("o1")

    assert {} == queries.broken()
    assert {"stock_agrees": ("MUG (+1)",)} == queries.shelf(
        "MUG", received=10, on_hand=7, held=3
    ).broken()


def test_the_rows_own_deadline_says_when_an_order_is_stuck():
    """An order is stuck when its row says so, long before the general limit."""
    queries = stocked().publish(placed())
    queries.orders.overdue_at_ms["o1"] = PLACED_MS + 5_000

    assert {} == queries.broken(now_ms=PLACED_MS + 4_000)
    assert {"one_end": ("o1",)} == queries.broken(now_ms=PLACED_MS + 6_000)


def test_a_repeated_event_counts_once():
    """The same id sent twice is one event: nothing is doubled, and the repeat is counted."""
    queries = completed()
    for message in (paid(), PAYMENT_ENTRY):
        for _ in range(2):
            queries.facts.project(
                [ORDER], message, envelope(message, f"twice {message}", PLACED_MS)
            )

    verdict = queries.judge()

    assert 2 == verdict.events_repeated
    assert 2 == queries.orders.orders["o1"].payments


def test_the_order_of_arrival_between_topics_changes_nothing():
    """Topics are read side by side: backwards gives the same verdict."""
    messages = [placed(), paid(), PAYMENT_ENTRY, RESERVED, CLEARED, CREATED, SALE_ENTRY]
    messages += [DELIVERED, COMPLETED, ASKED_BACK, TAKEN_BACK, RETURN_ENTRY, RESTOCKED]
    messages += [refunded(250, "return", "r1")]

    assert _of(messages) == _of(reversed(messages))


def _of(messages: Iterable[Message]) -> Verdict:
    queries = LocalQueries()
    for message in messages:
        queries.facts.project([ORDER], message, envelope(message, repr(message), PLACED_MS))
    return queries.judge()


def test_an_adjustment_moves_what_was_received():
    """A write-off is part of what the shelf adds up to."""
    queries = stocked().publish(
        AdjustStock(adjustment_id="a1", sku="MUG", delta=-4),
        StockAdjusted(adjustment_id="a1", sku="MUG", delta=-4, delta_asked=-4),
    )

    assert {} == queries.shelf("MUG", received=6, on_hand=6).broken()


def test_a_shipment_called_back_is_on_the_shelf_again():
    """Created and then stopped: nothing counts as shipped."""
    queries = stocked().publish(
        placed(), paid(), PAYMENT_ENTRY, RESERVED, CLEARED, CREATED, SALE_ENTRY
    )
    queries.publish(
        ShipmentCancelled(order_id="o1", cause="cancelled_by_customer", shipment_id="s1")
    )
    queries.publish(entry("unsold", ("customer_receivable", -800), ("revenue", 800)))
    queries.publish(refunded(), REFUND_ENTRY, RELEASED)
    queries.publish(OrderCancelled(order_id="o1", cause="cancelled_by_customer"))

    assert {} == queries.charge(refunded=800).shipment("withdrawn").broken()


def test_the_verdict_counts_orders_by_their_end():
    """Causes are counted, and money is what the provider's own records say."""
    queries = cancelled().publish(placed("o2"), at_ms=NOW_MS - 1)
    queries.publish(placed("o3"), PaymentFailed(transaction_id="o3", reason="declined"))
    queries.publish(InventoryRejected(order_id="o3", reason="cancelled"))
    queries.publish(OrderCancelled(order_id="o3", cause="payment_failed"))

    verdict = queries.judge()

    names = ("orders_placed", "orders_completed", "orders_open")

    assert [3, 0, 1] == [verdict.figures[name] for name in names]
    assert {"fraud": 1, "payment_failed": 1} == verdict.figures["orders_cancelled"]
    assert (800, 800) == (verdict.figures["charged_minor"], verdict.figures["refunded_minor"])


def test_amounts_of_two_currencies_are_never_added():
    """Each has its own sum, and the text its own decimals; one number for both there is not."""
    queries = cancelled()
    for order_id, currency in (("o2", "JPY"), ("o3", "KWD")):
        queries.publish(
            replace(placed(order_id), currency=currency),
            PaymentFailed(transaction_id=order_id, reason="declined"),
            InventoryRejected(order_id=order_id, reason="cancelled"),
            OrderCancelled(order_id=order_id, cause="payment_failed"),
        )
        queries.charge(order_id, minor=1_250)
        assert queries.provider is not None
        queries.provider[order_id].currency = currency

    verdict = queries.judge()

    charged = {"GBP": 800, "JPY": 1_250, "KWD": 1_250}
    assert charged == verdict.figures["charged_by_currency"]
    assert {"GBP": 800} == verdict.figures["refunded_by_currency"]
    assert (None, None) == (verdict.figures["charged_minor"], verdict.figures["refunded_minor"])
    assert "charged 8.00 GBP, 1,250 JPY, 1.250 KWD, refunded 8.00 GBP" in verdict.summary
    (agrees,) = (check for check in verdict.checks if check.name == "money_agrees")
    assert "payments 0.00 GBP, 0 JPY, 0.000 KWD; ledger 0.00 GBP" in agrees.detail
    assert "provider 0.00 GBP, 1,250 JPY, 1.250 KWD" in agrees.detail


def test_a_charge_in_another_currency_does_not_agree():
    """As many minor units of another currency are not the same money."""
    queries = cancelled()
    assert queries.provider is not None
    queries.provider["o1"].currency = "JPY"

    assert ("o1",) == queries.broken()["money_agrees"]


def test_returns_are_counted_by_their_answer():
    """Accepted ones as a number, refused ones by reason."""
    refusal = ReturnRefused(order_id="o1", return_id="r2", reason="too many")

    verdict = returned().publish(refusal).judge()

    assert (1, {"too many": 1}, 0) == (
        verdict.figures["returns_accepted"],
        verdict.figures["returns_refused"],
        verdict.figures["returns_open"],
    )


def test_latency_runs_to_the_first_shipment_or_cancellation():
    """A completed order took 250 ms to its shipment, whatever came later."""
    late = ShipmentCreated(order_id="o1", shipment_id="s1", tracking="again")
    queries = completed().publish(late, at_ms=PLACED_MS + 900)

    latency = Latency(p50=250, p95=250, p99=250, max=250)

    assert latency == queries.judge().figures["latency_ms"]


@pytest.mark.parametrize(
    ("ascending", "percent", "value"),
    [
        pytest.param([], 50, 0, id="nothing has no middle"),
        pytest.param([7], 99, 7, id="one value is every percentile"),
        pytest.param([1, 2, 3, 4], 50, 2, id="nearest rank, no value between values"),
        pytest.param(list(range(1, 101)), 95, 95, id="ninety-five of a hundred"),
        pytest.param(list(range(1, 101)), 100, 100, id="the greatest"),
    ],
)
def test_percentile(ascending, percent, value):
    """Nearest rank: the answer is a value that did occur."""
    assert value == percentile(ascending, percent)


def check_by_name(checks: Iterable[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def test_a_dead_letter_with_its_bytes_and_cause_fails_nothing():
    """A poison message in a dead topic is where it belongs."""
    queries = completed()
    queries.facts.dead["orders.order.dead"] = Counter(not_json=2)
    queries.facts.dead_digests["orders/0/7"] = {"orders.order.dead": {b"other", b"same"}}
    queries.facts.unreadable["orders/0/7"] = UndecodableRecord(
        digest=b"same", due_in=frozenset({"orders.order.dead"})
    )

    verdict = queries.judge()

    assert ({}, {"orders.order.dead": 2}, {"not_json": 2}) == (
        queries.broken(),
        verdict.dead_letters,
        verdict.dead_letter_causes,
    )


@pytest.mark.parametrize(
    "dead_letters",
    [
        pytest.param({}, id="it lies nowhere"),
        pytest.param({"orders.order.dead": {b"other"}}, id="its bytes were changed"),
        pytest.param(
            {"orders.payment.dead": {b"same"}}, id="only another service dead-lettered it"
        ),
    ],
)
def test_poison_that_is_not_dead_lettered_is_named(dead_letters):
    """Every service that passed it must have put it into its dead topic, byte for byte."""
    queries = completed()
    queries.facts.dead_digests["orders/0/7"] = dead_letters
    queries.facts.unreadable["orders/0/7"] = UndecodableRecord(
        digest=b"same", due_in=frozenset({"orders.order.dead"})
    )

    assert {
        "poison_is_dead_lettered": ("orders/0/7 missing in orders.order.dead",)
    } == queries.broken()


def test_dead_letters_without_cause_and_late_events_are_named():
    """What a dead letter does not say, and what should have been tried again, is offending."""
    queries = completed()
    queries.facts.nameless.append("orders.order.dead/0/1")
    queries.facts.parked_late.append("x.y.retry-1s/0/3")

    assert {
        "dead_letters_name_causes": ("orders.order.dead/0/1",),
        "nothing_parked_late": ("x.y.retry-1s/0/3",),
    } == queries.broken()


def test_a_check_names_at_most_fifty_and_counts_all():
    """A broken instance stays readable."""
    queries = LocalQueries()
    queries.facts.nameless += [f"dead letter {number}" for number in range(60)]

    check = check_by_name(queries.judge().checks, "dead_letters_name_causes")

    assert (50, True) == (len(check.offending), "60 offending" in check.detail)


def test_what_cannot_be_seen_is_said_and_not_judged():
    """Without the provider's file the other views must still agree, and the detail says so."""
    queries = completed()
    queries.provider = None
    queries.carrier = None

    verdict = queries.judge()

    assert verdict.verify_ok
    assert "not checked" in check_by_name(verdict.checks, "money_agrees").detail
    assert "not checked" in check_by_name(verdict.checks, "carrier_agrees").detail


def test_what_the_provider_did_after_the_cut_is_not_held_against_payflow():
    """Its file is read last: a refund in it may be younger than anything read from topics."""
    queries = completed().charge(refunded=300)
    assert queries.provider is not None
    late = queries.provider["o1"]
    late.last_ms = queries.judge().at_ms + 3_000
    fresh = check_by_name(queries.judge().checks, "money_agrees")
    late.last_ms = PLACED_MS
    old = check_by_name(queries.judge().checks, "money_agrees")

    assert (True, ("o1",)) == (fresh.ok, old.offending)
