"""The order as a whole, by example."""

from typing import Any

import msgspec
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
    GOODWILL,
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
from workflows.order.messages import Charge, Line, ReturnLine, ReturnRequested
from workflows.order.return_amount import ReturnAmount
from workflows.order.saga_messages import (
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    ReturnAccepted,
    ReturnRefused,
    StepOverdue,
)
from workflows.order.view import details, view
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
    state, actual = after(order, *story)

    assert emitted == actual
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


def accepted(
    request: ReturnRequested, *lines: tuple[int, int, int], withheld_minor: int = 0
) -> ReturnAccepted:
    """Return the yes to `request`: number, units and amount of each line of mugs."""
    items_minor = sum(amount for _, _, amount in lines)
    return ReturnAccepted(
        order_id="o1",
        return_id=request.return_id,
        lines=tuple(
            ReturnLine(sku="mug", quantity=units, amount_minor=amount, line=number)
            for number, units, amount in lines
        ),
        amount_minor=items_minor - withheld_minor,
        currency="GBP",
        computed=ReturnAmount(items_minor=items_minor, withheld_minor=withheld_minor),
    )


GRANTED_GOODWILL = ReturnAccepted(
    order_id="o1", return_id="goodwill-1", lines=(), amount_minor=300, currency="GBP"
)
REFUSED_GOODWILL = ReturnRefused(
    order_id="o1", return_id="goodwill-2", reason="more money than was paid", is_goodwill=True
)
TWO_BACK = accepted(TWO, (1, 2, 400))
TOO_MANY = "more of mug than was shipped"


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
        pytest.param(DONE, TWO, (TWO_BACK,), id="accepted"),
        pytest.param([*DONE, TWO], TWO, (), id="answered once"),
        pytest.param([*DONE, TWO], TWO_MORE, (refused("r2", TOO_MANY),), id="too many"),
        pytest.param(
            DONE,
            back("r6", 3),
            (accepted(back("r6", 3), (1, 2, 400), (2, 1, 200)),),
            id="two lines",
        ),
        pytest.param(
            DONE,
            back("r6", 1, line=2),
            (accepted(back("r6", 1), (2, 1, 200)),),
            id="a line by its number",
        ),
        pytest.param(
            [*DONE, back("r5", 1, line=2)],
            back("r6", 1, line=2),
            (refused("r6", TOO_MANY),),
            id="too many of one line",
        ),
        pytest.param(
            DONE,
            back("r6", 1, line=3),
            (refused("r6", "line 3 of the order is not mug"),),
            id="another line",
        ),
        pytest.param(
            DONE,
            back("r6", 1, line=9),
            (refused("r6", "line 9 of the order is not mug"),),
            id="no such line",
        ),
        pytest.param(
            DONE,
            PRICEY,
            (refused("r3", "more money than these items are worth"),),
            id="an earlier version asks for too much",
        ),
        pytest.param(
            DONE,
            back("r3", 1, 150),
            (accepted(back("r3", 1), (1, 1, 200), withheld_minor=50),),
            id="an earlier version asks for less",
        ),
        pytest.param(
            DONE,
            back("r5", 1, sku="pan"),
            (refused("r5", "more of pan than was shipped"),),
            id="never bought",
        ),
        pytest.param(
            DONE,
            POSTAGE,
            (refused("r4", "money without items is an operator's to give"),),
            id="money for nothing",
        ),
        pytest.param(
            DONE,
            back("goodwill-1", 1),
            (refused("goodwill-1", "a return cannot have the name of what an operator gives"),),
            id="the name of a goodwill",
        ),
        pytest.param(DONE, GOODWILL, (GRANTED_GOODWILL,), id="a goodwill"),
        pytest.param([*DONE, GOODWILL], GOODWILL, (), id="a goodwill once"),
        pytest.param([PLACED], GOODWILL, (), id="a goodwill waits for the end"),
        pytest.param(
            [*DONE, GOODWILL],
            msgspec.structs.replace(GOODWILL, return_id="goodwill-2", amount_minor=701),
            (REFUSED_GOODWILL,),
            id="more goodwill than was paid",
        ),
        pytest.param(
            [*DONE, msgspec.structs.replace(GOODWILL, amount_minor=900)],
            TWO,
            (accepted(TWO, (1, 2, 400), withheld_minor=300),),
            id="what was given as goodwill does not go back again",
        ),
        pytest.param([PLACED], TWO, (), id="still open: it waits"),
        pytest.param(
            [*READY, CREATED, TWO, TWO_MORE],
            DELIVERED,
            (COMPLETED, TWO_BACK, refused("r2", TOO_MANY)),
            id="judged at the end, in order",
        ),
        pytest.param([TWO, *DONE[:-1]], DELIVERED, (COMPLETED, TWO_BACK), id="asked first"),
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

    order_view = view(after(order, *story)[0])

    assert {"status": "completed", "at_ms": START_MS + 1_000, "due_at_ms": None} == order_view[
        "steps"
    ]["payment"]
    assert START_MS + 4_000 == order_view["ended_at_ms"]
    assert {
        "currency": "GBP",
        "total_minor": 1_000,
        "authorized_minor": 0,
        "charged_minor": 1_000,
        "refunded_minor": 400,
    } == order_view["amounts"]
    assert [
        {
            "return_id": "r1",
            "state": "accepted",
            "amount_minor": 400,
            "refunded": True,
            "held": False,
            "by_bank": False,
            "restocked": True,
            "reason": "",
            "goodwill": False,
            "computed": {
                "items_minor": 400,
                "discount_minor": 0,
                "tax_minor": 0,
                "postage_minor": 0,
                "withheld_minor": 0,
            },
            "computation": "4.00 GBP items",
        }
    ] == order_view["returns"]


def test_the_computation_of_a_refund_is_said() -> None:
    """Items less discount, with tax; the postage with the last unit; less goodwill."""
    charges = (("D", -100), ("VAT", 90), ("POST", 50))
    placed = msgspec.structs.replace(
        PLACED,
        charges=tuple(Charge(code=code, amount_minor=minor) for code, minor in charges),
        total_minor=1_040,
    )
    paid = msgspec.structs.replace(PAID, amount_minor=1_040, charges_minor=40)
    story = [placed, paid, *DONE[2:], TWO, msgspec.structs.replace(GOODWILL, amount_minor=40)]
    story += [back("r2", 1), back("r3", 1, sku="tin")]

    return_views = view(after(order, *story)[0])["returns"]

    assert [
        "4.00 GBP items - 0.40 GBP discount + 0.36 GBP tax",
        "",
        "2.00 GBP items - 0.20 GBP discount + 0.18 GBP tax",
        (
            "4.00 GBP items - 0.40 GBP discount + 0.36 GBP tax + 0.50 GBP postage"
            " - 0.40 GBP given before or not asked for"
        ),
    ] == [each["computation"] for each in return_views]
    assert 1_040 == sum(each["amount_minor"] for each in return_views)


def test_the_lines_show_what_was_shipped_and_what_came_back() -> None:
    """Line by line, also those of one SKU."""
    story = [*DONE, back("r1", 3)]

    lines = [details(after(order, *part)[0])["lines"] for part in ([PLACED], DONE, story)]

    units = [[(each["shipped"], each["returned"]) for each in line] for line in lines]
    assert [(1, "mug", 2, 400), (2, "mug", 1, 200), (3, "tin", 1, 400)] == [
        (each["line"], each["sku"], each["quantity"], each["amount_minor"]) for each in lines[0]
    ]
    assert [
        [(0, 0), (0, 0), (0, 0)],
        [(2, 0), (1, 0), (1, 0)],
        [(2, 2), (1, 1), (1, 0)],
    ] == units


def test_a_return_of_what_costs_nothing_is_over_without_a_refund() -> None:
    """Payment says nothing of it; the items come back all the same."""
    free = msgspec.structs.replace(
        PLACED, lines=(*PLACED.lines, Line(sku="pin", quantity=1, amount_minor=0))
    )

    state, emitted = after(order, free, *DONE[1:], back("r1", 1, sku="pin"))

    assert [0] == [each.amount_minor for each in emitted]
    assert state.returns.by_id["r1"].refunded


def test_the_view_says_what_is_due() -> None:
    """A step that is under way has a deadline; what is compensated has a cause instead."""
    under_way = view(after(order, PLACED)[0])
    taking_back = view(after(order, PLACED, DECLINED)[0])

    assert START_MS + 240_000 == under_way["steps"]["payment"]["due_at_ms"]
    assert "payment_failed" == taking_back["cause"]
    assert "card_declined" == taking_back["detail"]
    assert taking_back["steps"]["inventory"]["due_at_ms"] is None


# --- currencies that the provider moves in steps -------------------------------------


def in_dinars(story: list[Received]) -> list[Received]:
    """Return `story` of an order of 10.000 KWD, whose mugs are 3.335, 3.335 and 1.665 each."""
    prices = (3_335, 1_665, 5_000)
    lines = tuple(
        replace(line, amount_minor=price, quantity=1)
        for line, price in zip(PLACED.lines, prices, strict=True)
    )
    placed = replace(PLACED, currency="KWD", lines=lines, total_minor=10_000)
    paid = replace(PAID, currency="KWD", amount_minor=10_000, goods_minor=10_000)
    return [placed, paid, *story]


def test_returns_in_dinars_are_worth_what_a_card_can_be_given() -> None:
    """Each is a multiple of 0.010 KWD, and all of them are what was paid."""
    requests = [back("r1", 1, line=1), back("r2", 1, line=2), back("r3", 1, sku="tin")]
    story = in_dinars([*DONE[2:], *requests])
    accepted = [
        each
        for at in range(len(story))
        for each in after(order, *story[: at + 1])[1]
        if isinstance(each, ReturnAccepted)
    ]

    assert [3_330, 1_670, 5_000] == [each.amount_minor for each in accepted]
    assert [-5, 5, 0] == [each.computed.rounding_minor for each in accepted if each.computed]
    return_views = view(after(order, *story)[0])["returns"]
    assert "3.335 KWD items - 0.005 KWD rounding" == return_views[0]["computation"]


@pytest.mark.parametrize(
    "refund_request",
    [
        pytest.param(back("r1", 1, amount_minor=3_335, line=1), id="of an earlier version"),
        pytest.param(replace(GOODWILL, amount_minor=1_005), id="goodwill"),
    ],
)
def test_an_amount_that_no_card_moves_is_refused(refund_request: Any) -> None:
    """The provider would refuse the refund for ever; the reason is said instead."""
    [answer] = after(order, *in_dinars([*DONE[2:], refund_request]))[1]

    assert isinstance(answer, ReturnRefused)
    assert "the payment provider moves KWD in steps of 0.010" == answer.reason
