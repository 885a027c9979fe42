"""The order as a whole, by example."""

import pytest
from msgspec.structs import replace

from tests.support.examples.order import (
    CANCELLED,
    CLEARED,
    CREATED,
    DECLINED,
    DELIVERED,
    DETECTED,
    DONE,
    PAID,
    PENDING,
    PLACED,
    PRICEY,
    READY,
    REFUNDED,
    RELEASED,
    RESERVED,
    STOCK_OUT,
    TWO,
    TWO_MORE,
    UNPAID,
    UNRESERVED,
    back,
    refunded,
)
from tests.support.workflow_runner import START_MS, Received, after, alarm, due_seconds
from workflows.inventory.messages import (
    InventoryReturned,
)
from workflows.order import process as order
from workflows.order.messages import ReturnLine, ReturnRequested
from workflows.order.saga_messages import (
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    ReturnAccepted,
    ReturnRefused,
    StepOverdue,
)
from workflows.order.view import view
from workflows.shared.message import Message
from workflows.shipping.messages import (
    ShipmentCancelled,
    ShipmentFailed,
)

LATE = ShipmentCancelled(order_id="o1", cause="overdue")
CONFIRMED = OrderConfirmed(order_id="o1")
COMPLETED = OrderCompleted(order_id="o1")


def ended(cause: str, detail: str = "") -> OrderCancelled:
    """Return the bad end."""
    return OrderCancelled(order_id="o1", cause=cause, detail=detail)


def late(step: str, seconds: int) -> StepOverdue:
    """Return that `step` was due `seconds` into the story."""
    return StepOverdue(order_id="o1", step=step, due_at_ms=START_MS + seconds * 1_000)


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([], PLACED, (), id="placed"),
        pytest.param([PLACED, PAID, RESERVED], CLEARED, (CONFIRMED,), id="confirmed"),
        pytest.param([PAID, CLEARED, RESERVED], PLACED, (CONFIRMED,), id="in any order"),
        pytest.param(READY, CLEARED, (), id="confirmed once"),
        pytest.param([*READY, CREATED], DELIVERED, (COMPLETED,), id="completed"),
        pytest.param(DONE, DELIVERED, (), id="completed once"),
        pytest.param(
            [PLACED, RESERVED, CLEARED, CREATED, DELIVERED],
            PAID,
            (CONFIRMED, COMPLETED),
            id="the delivery is received before the payment",
        ),
    ],
)
def test_going_well(earlier: list[Received], when: Received, then: tuple[Message, ...]) -> None:
    """Given what was received, when this is received, then this is emitted."""
    assert then == after(order, *earlier, when)[1]


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([PLACED], DECLINED, (), id="declined, stock still out"),
        pytest.param(
            [PLACED, DECLINED],
            UNRESERVED,
            (ended("payment_failed", "card_declined"),),
            id="declined",
        ),
        pytest.param(
            [PLACED, RESERVED, DECLINED],
            RELEASED,
            (ended("payment_failed", "card_declined"),),
            id="declined after reserving",
        ),
        pytest.param(
            [PLACED, PAID, STOCK_OUT], REFUNDED, (ended("out_of_stock", "mug, tin"),), id="no stock"
        ),
        pytest.param(
            [PLACED, UNPAID],
            replace(STOCK_OUT, reason="too_many_open_orders"),
            (ended("out_of_stock", "mug, tin: too many open orders"),),
            id="too many open orders",
        ),
        pytest.param([PLACED, UNPAID], STOCK_OUT, (ended("out_of_stock", "mug, tin"),), id="none"),
        pytest.param(
            [PLACED, PAID, RESERVED, DETECTED, RELEASED],
            REFUNDED,
            (ended("fraud", "a; b"),),
            id="fraud",
        ),
        pytest.param(
            [*READY, ShipmentFailed(order_id="o1", reason="lost"), REFUNDED],
            RELEASED,
            (ended("shipment_failed", "lost"),),
            id="no carrier",
        ),
        pytest.param(
            [*READY, CREATED, CANCELLED, REFUNDED],
            RELEASED,
            (ended("cancelled_by_customer"),),
            id="stopped on its way",
        ),
        pytest.param([PLACED, LATE, UNPAID], UNRESERVED, (ended("overdue"),), id="overdue"),
        pytest.param(
            [PLACED, UNPAID, UNRESERVED], LATE, (ended("overdue"),), id="the cause is received last"
        ),
        pytest.param([UNPAID, UNRESERVED, LATE], PLACED, (ended("overdue"),), id="placed last"),
        pytest.param(
            [PLACED, STOCK_OUT],
            DECLINED,
            (ended("out_of_stock", "mug, tin"),),
            id="of two causes the first",
        ),
        pytest.param([PLACED, DECLINED, UNRESERVED], UNRESERVED, (), id="cancelled once"),
        pytest.param(
            [PLACED, DECLINED, PAID], UNRESERVED, (), id="paid after all: its refund is awaited"
        ),
        pytest.param(
            [PLACED, DECLINED, PAID, UNRESERVED],
            REFUNDED,
            (ended("payment_failed", "card_declined"),),
            id="paid after all and refunded",
        ),
        pytest.param([PLACED, LATE, RESERVED, PAID], CLEARED, (), id="no confirmation any more"),
        pytest.param(
            [
                PLACED,
                ShipmentCancelled(order_id="o1", cause="storm"),
                UNPAID,
            ],
            UNRESERVED,
            (ended("shipment_failed"),),
            id="a cause of the carrier's own",
        ),
    ],
)
def test_going_wrong(earlier: list[Received], when: Received, then: tuple[Message, ...]) -> None:
    """Given these messages, when this one comes, then the order ends with all compensated."""
    assert then == after(order, *earlier, when)[1]


@pytest.mark.parametrize(
    ("story", "emitted", "due"),
    [
        pytest.param([], (), None, id="nothing is due before it is placed"),
        pytest.param([PLACED], (), 120, id="the stock is due first"),
        pytest.param([PLACED, alarm(120)], (late("inventory", 120),), 240, id="stock"),
        pytest.param([PLACED, alarm(120), alarm(240)], (late("payment", 240),), None, id="payment"),
        pytest.param(
            [PLACED, RESERVED, (PENDING, 60), alarm(240)],
            (late("payment", 240),),
            None,
            id="pending",
        ),
        pytest.param([PLACED, alarm(80)], (), 120, id="not before its time"),
        pytest.param(
            [PLACED, alarm(245)], (late("payment", 240), late("inventory", 120)), None, id="both"
        ),
        pytest.param([PLACED, RESERVED, (PAID, 10)], (), 100, id="the verdict is due after it"),
        pytest.param(
            [PLACED, RESERVED, (PAID, 10), alarm(100)], (late("fraud", 100),), None, id="fraud"
        ),
        pytest.param(
            [PLACED, RESERVED, PAID, (CLEARED, 10), alarm(130)],
            (late("shipping", 130),),
            None,
            id="shipping",
        ),
        pytest.param(
            [*READY, (CREATED, 10), alarm(310)], (late("delivery", 310),), None, id="delivery"
        ),
        pytest.param(
            [*READY, (CREATED, 10), alarm(310), (DELIVERED, 400)],
            (COMPLETED,),
            None,
            id="a late delivery completes",
        ),
        pytest.param([PLACED, DECLINED], (), None, id="nothing is due while compensating"),
    ],
)
def test_deadlines(story: list[Received], emitted: tuple[Message, ...], due: float | None) -> None:
    """After this story the last message makes it emit this, and it wants to be woken then."""
    state, said = after(order, *story)

    assert emitted == said
    assert due == due_seconds(order, state)


@pytest.mark.parametrize(
    ("story", "stuck"),
    [
        pytest.param([], None, id="not placed"),
        pytest.param([PLACED], 120 + 180, id="placed"),
        pytest.param([PLACED, RESERVED, (PAID, 10)], 100 + 180, id="paid"),
        pytest.param([PLACED, (DECLINED, 7)], 7 + 180, id="compensating"),
        pytest.param([PLACED, UNPAID, UNRESERVED], 120 + 180, id="the cause is not received yet"),
        pytest.param([PLACED, DECLINED, UNRESERVED], None, id="cancelled"),
        pytest.param(DONE, None, id="completed"),
    ],
)
def test_an_open_order_counts_as_stuck_some_time_after_its_deadline(
    story: list[Received], stuck: int | None
) -> None:
    """An order that has ended is never stuck."""
    at_ms = order.overdue_at_ms(after(order, *story)[0])

    assert stuck == (None if at_ms is None else (at_ms - START_MS) // 1_000)


def accepted(asked: ReturnRequested) -> ReturnAccepted:
    """Return the yes to `asked`."""
    return ReturnAccepted(
        order_id="o1",
        return_id=asked.return_id,
        lines=asked.lines,
        amount_minor=asked.amount_minor,
        currency="GBP",
    )


def refused(return_id: str, reason: str) -> ReturnRefused:
    """Return the no."""
    return ReturnRefused(order_id="o1", return_id=return_id, reason=reason)


POSTAGE = ReturnRequested(
    order_id="o1",
    return_id="r4",
    lines=(ReturnLine(sku="POST", quantity=1, amount_minor=100, goods=False),),
    amount_minor=100,
)


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param(DONE, TWO, (accepted(TWO),), id="accepted"),
        pytest.param([*DONE, TWO], TWO, (), id="answered once"),
        pytest.param(
            [*DONE, TWO], TWO_MORE, (refused("r2", "more of mug than was bought"),), id="too many"
        ),
        pytest.param(
            [*DONE, TWO], PRICEY, (refused("r3", "more money than was paid"),), id="too much"
        ),
        pytest.param(
            DONE,
            back("r5", 1, 1, sku="pan"),
            (refused("r5", "more of pan than was bought"),),
            id="never bought",
        ),
        pytest.param(DONE, POSTAGE, (accepted(POSTAGE),), id="a refunded charge is no goods"),
        pytest.param([PLACED], TWO, (), id="still open: it waits"),
        pytest.param(
            [*READY, CREATED, TWO, TWO_MORE],
            DELIVERED,
            (COMPLETED, accepted(TWO), refused("r2", "more of mug than was bought")),
            id="judged at the end, in order",
        ),
        pytest.param([TWO, *DONE[:-1]], DELIVERED, (COMPLETED, accepted(TWO)), id="asked first"),
        pytest.param(
            [PLACED, TWO, DECLINED],
            UNRESERVED,
            (
                ended("payment_failed", "card_declined"),
                refused("r1", "the order was cancelled"),
            ),
            id="cancelled: refused at the end",
        ),
        pytest.param(
            [PLACED, DECLINED, UNRESERVED],
            TWO,
            (refused("r1", "the order was cancelled"),),
            id="cancelled: refused",
        ),
    ],
)
def test_returns(earlier: list[Received], when: Received, then: tuple[Message, ...]) -> None:
    """Given what was received, when this is received, then each return is answered once."""
    assert then == after(order, *earlier, when)[1]


@pytest.mark.parametrize(
    ("story", "state"),
    [
        pytest.param([PAID], "unknown", id="never placed"),
        pytest.param([PLACED], "placed", id="placed"),
        pytest.param(READY, "confirmed", id="confirmed"),
        pytest.param([*READY, LATE], "compensating", id="compensating"),
        pytest.param(DONE, "completed", id="completed"),
        pytest.param([PLACED, DECLINED, UNRESERVED], "cancelled", id="cancelled"),
    ],
)
def test_the_state_is_one_message(story: list[Received], state: str) -> None:
    """The status of the order, for people."""
    assert state == view(after(order, *story)[0])["state"]


def test_the_view_says_where_each_step_stands() -> None:
    """Steps with their moments and deadlines, money, and returns."""
    story = [PLACED, (PAID, 1), RESERVED, (CLEARED, 2), (CREATED, 3), (DELIVERED, 4), TWO]
    story += [refunded("return", 400, "r1"), InventoryReturned(order_id="o1", return_id="r1")]

    shown = view(after(order, *story)[0])

    assert {"status": "completed", "at_ms": START_MS + 1_000, "due_at_ms": None} == shown["steps"][
        "payment"
    ]
    assert START_MS + 4_000 == shown["ended_at_ms"]
    assert {
        "currency": "GBP",
        "total_minor": 1_000,
        "authorized_minor": 0,
        "charged_minor": 1_000,
        "refunded_minor": 400,
    } == shown["amounts"]
    assert [
        {
            "return_id": "r1",
            "state": "accepted",
            "amount_minor": 400,
            "refunded": True,
            "restocked": True,
            "reason": "",
        }
    ] == shown["returns"]


def test_the_view_says_what_is_due() -> None:
    """A step that is under way has a deadline; what is compensated has a cause instead."""
    under_way = view(after(order, PLACED)[0])
    taking_back = view(after(order, PLACED, DECLINED)[0])

    assert START_MS + 240_000 == under_way["steps"]["payment"]["due_at_ms"]
    assert "payment_failed" == taking_back["cause"]
    assert "card_declined" == taking_back["detail"]
    assert taking_back["steps"]["inventory"]["due_at_ms"] is None
