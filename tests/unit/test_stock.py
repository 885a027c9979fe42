"""One shelf, by example."""

from contextlib import suppress
from typing import Any, cast

import pytest

from app.delivery import row
from app.delivery.row import KEYS_FEW, Row, decode_row, encode_row
from tables.stock import shelves
from tests.support.workflow_runner import Received, after, receive
from workflows.inventory import stock
from workflows.inventory.forgotten import STRETCH
from workflows.inventory.shelf import OPEN_ORDERS_MAX, REMEMBERED_MAX
from workflows.inventory.stock_messages import (
    AdjustStock,
    ReceiveStock,
    ReleaseStock,
    ReserveStock,
    RestockStock,
    ShipStock,
    StockAdjusted,
    StockReceived,
    StockRefused,
    StockReleased,
    StockReserved,
    StockRestocked,
    UnshipStock,
)
from workflows.shared.message import Message


def reserve(order_id: str, quantity: int) -> ReserveStock:
    """Return the request of an order."""
    return ReserveStock(order_id=order_id, sku="mug", quantity=quantity)


def reserved(order_id: str, quantity: int) -> StockReserved:
    """Return the yes to it."""
    return StockReserved(order_id=order_id, sku="mug", quantity=quantity)


def adjust(adjustment_id: str, delta: int) -> AdjustStock:
    """Return a count that found `delta` units more."""
    return AdjustStock(adjustment_id=adjustment_id, sku="mug", delta=delta)


def adjusted(adjustment_id: str, delta: int, delta_asked: int) -> StockAdjusted:
    """Return what could be applied of it."""
    return StockAdjusted(
        adjustment_id=adjustment_id, sku="mug", delta=delta, delta_asked=delta_asked
    )


def at(message: Any, order_id: str) -> Message:
    """Return `message` about this shelf."""
    return message(order_id=order_id, sku="mug")


RECEIVE = ReceiveStock(receipt_id="r1", sku="mug", quantity=10)
RECEIVE_MANY = ReceiveStock(receipt_id="r1", sku="mug", quantity=10_000)
RECEIVED = StockReceived(receipt_id="r1", sku="mug", quantity=10)
RESTOCK = RestockStock(order_id="o1", return_id="b1", sku="mug", quantity=3)
RESTOCK_OTHER = RestockStock(order_id="o2", return_id="b1", sku="mug", quantity=3)
RESTOCKED = StockRestocked(order_id="o1", return_id="b1", sku="mug")
SENT = [RECEIVE, reserve("o1", 4), at(ShipStock, "o1")]


@pytest.mark.parametrize(
    ("record", "when", "then", "units"),
    [
        pytest.param([], RECEIVE, (RECEIVED,), (10, 0, 0), id="items come in"),
        pytest.param([RECEIVE], RECEIVE, (), (10, 0, 0), id="a receipt counts once"),
        pytest.param(
            [RECEIVE], adjust("a1", -3), (adjusted("a1", -3, -3),), (7, 0, 0), id="breakage"
        ),
        pytest.param(
            [RECEIVE], adjust("a1", -30), (adjusted("a1", -10, -30),), (0, 0, 0), id="not below 0"
        ),
        pytest.param(
            [RECEIVE, adjust("a1", 5)], adjust("a1", 5), (), (15, 0, 0), id="a count counts once"
        ),
        pytest.param(
            [RECEIVE], reserve("o1", 10), (reserved("o1", 10),), (0, 10, 0), id="the last units"
        ),
        pytest.param(
            [RECEIVE],
            reserve("o1", 11),
            (StockRefused(order_id="o1", sku="mug", quantity=11, on_hand=10),),
            (10, 0, 0),
            id="one unit short",
        ),
        pytest.param(
            [RECEIVE, reserve("o1", 4)],
            reserve("o1", 4),
            (reserved("o1", 4),),
            (6, 4, 0),
            id="asked again, held once",
        ),
        pytest.param(
            [reserve("o1", 4), RECEIVE],
            reserve("o1", 4),
            (StockRefused(order_id="o1", sku="mug", quantity=4, on_hand=10),),
            (10, 0, 0),
            id="refused stays refused",
        ),
        pytest.param(
            [RECEIVE, reserve("o1", 4)],
            at(ReleaseStock, "o1"),
            (at(StockReleased, "o1"),),
            (10, 0, 0),
            id="let go",
        ),
        pytest.param(
            [RECEIVE, at(ReleaseStock, "o1")],
            reserve("o1", 4),
            (StockRefused(order_id="o1", sku="mug", quantity=4, on_hand=10),),
            (10, 0, 0),
            id="let go first, it gets nothing any more",
        ),
        pytest.param(
            [RECEIVE, reserve("o1", 4)], at(ShipStock, "o1"), (), (6, 0, 4), id="it leaves"
        ),
        pytest.param(SENT, at(ShipStock, "o1"), (), (6, 0, 4), id="it leaves once"),
        pytest.param(
            SENT, reserve("o1", 4), (reserved("o1", 4),), (6, 0, 4), id="what has left is not held"
        ),
        pytest.param(
            SENT, at(ReleaseStock, "o1"), (at(StockReleased, "o1"),), (6, 0, 4), id="it has left"
        ),
        pytest.param(
            SENT, at(UnshipStock, "o1"), (at(StockReleased, "o1"),), (10, 0, 0), id="stopped"
        ),
        pytest.param(
            [*SENT, at(UnshipStock, "o1")],
            UnshipStock(order_id="o1", sku="mug", quantity=4),
            (at(StockReleased, "o1"),),
            (10, 0, 0),
            id="stopped once",
        ),
        pytest.param(
            [RECEIVE, reserve("o1", 4)],
            at(UnshipStock, "o1"),
            (at(StockReleased, "o1"),),
            (10, 0, 0),
            id="stopped before it left",
        ),
        pytest.param(SENT, RESTOCK, (RESTOCKED,), (9, 0, 1), id="returned"),
        pytest.param([*SENT, RESTOCK], RESTOCK, (RESTOCKED,), (9, 0, 1), id="returned once"),
        pytest.param(
            [*SENT, RESTOCK],
            RESTOCK_OTHER,
            (StockRestocked(order_id="o2", return_id="b1", sku="mug"),),
            (12, 0, -2),
            id="returns of two orders may bear one name",
        ),
    ],
)
def test_shelf(
    record: list[Received], when: Received, then: tuple[Message, ...], units: tuple[int, int, int]
) -> None:
    """Given what was received, when this is received, then this is emitted and so much is where.

    `units` are on hand, held and shipped.
    """
    state, emitted = after(stock, *record, when)

    assert then == emitted
    assert units == (state.on_hand, sum(state.held.values()), state.shipped)


def test_a_forgotten_shipment_is_stopped_by_the_quantity_asked() -> None:
    """A busy shelf forgets what left for an old order; the request says it."""
    busy = [
        message
        for number in range(REMEMBERED_MAX)
        for message in (reserve(f"b{number}", 1), at(ShipStock, f"b{number}"))
    ]
    receive = ReceiveStock(receipt_id="r1", sku="mug", quantity=1_000)
    stop = UnshipStock(order_id="o1", sku="mug", quantity=4)

    state, _ = after(stock, receive, reserve("o1", 4), at(ShipStock, "o1"), *busy, stop, stop)

    assert 1_000 - REMEMBERED_MAX == state.on_hand
    assert REMEMBERED_MAX == state.shipped


def test_what_is_remembered_of_the_past_is_bounded() -> None:
    """A shelf that sees many orders does not grow with them."""
    story: list[Received] = []
    for number in range(600):
        receipt = ReceiveStock(receipt_id=f"r{number}", sku="mug", quantity=1)
        steps = (receipt, reserve(f"o{number}", 1), at(ShipStock, f"o{number}"))
        story += [(step, number) for step in (*steps, at(ReleaseStock, f"o{number}"))]

    state, _ = after(stock, *story)

    sizes = {len(state.sent), len(state.closed), len(state.counted)}
    assert {REMEMBERED_MAX} == sizes
    memories = (state.sent_forgotten, state.closed_forgotten, state.counted_forgotten)
    assert all(len(each.stretches_ms) <= REMEMBERED_MAX // STRETCH for each in memories)


def test_a_shelf_holds_units_for_a_bounded_number_of_orders() -> None:
    """The next order is refused though there are units; one that is over makes room."""
    held = {f"o{number}": 1 for number in range(OPEN_ORDERS_MAX)}
    full = stock.Stock(received=1_000_000, on_hand=1_000_000 - len(held), held=held)
    refusal = StockRefused(
        order_id="new",
        sku="mug",
        quantity=1,
        on_hand=full.on_hand,
        reason="too_many_open_orders",
    )

    state, emitted = receive(stock, full, reserve("new", 1))
    again = receive(stock, state, reserve("o1", 1))[1]
    state, _ = receive(stock, state, at(ShipStock, "o1"))
    after_one = receive(stock, state, reserve("newer", 1))[1]

    assert (refusal,) == emitted
    assert ((reserved("o1", 1),), (reserved("newer", 1),)) == (again, after_one)


@pytest.mark.parametrize("every", [1, 7])
def test_commands_that_are_repeated_after_they_were_forgotten_change_nothing(every: int) -> None:
    """A busy shelf remembers 256 orders; a producer repeats those before them, in order."""
    story: list[Received] = [(RECEIVE_MANY, 0)]
    for number in range(900):
        # By their names they are sorted otherwise than by their times.
        name = f"o{number * 7919 % 1_000:03d}"
        last = at(ReleaseStock if number % 5 == 0 else ShipStock, name)
        stop = UnshipStock(order_id=name, sku="mug", quantity=2)
        steps = (reserve(name, 2), last, *([stop] if number % 7 == 0 else []))
        story += [(step, number // every) for step in steps]
    state = stock.INITIAL
    for received in story:
        state = stored(receive(stock, state, received)[0])
    before = units_of(state)

    for received in story:
        with suppress(stock.PossiblyRepeated):
            state = stored(receive(stock, state, received)[0])

    assert before == units_of(state)


def test_a_count_that_may_have_been_forgotten_is_left_to_a_person() -> None:
    """Counted twice, or not at all: neither is safe, and both look alike."""
    counts = [
        (ReceiveStock(receipt_id=f"r{number}", sku="mug", quantity=1), number)
        for number in range(REMEMBERED_MAX + 1)
    ]
    state, _ = after(stock, *counts)

    with pytest.raises(stock.PossiblyRepeated, match="adjust the stock"):
        receive(stock, state, counts[0])
    assert () == receive(stock, state, counts[-1])[1]
    late = ReceiveStock(receipt_id="new", sku="mug", quantity=1)
    assert 1 == len(receive(stock, state, (late, REMEMBERED_MAX))[1])


def test_an_order_that_comes_late_to_a_busy_shelf_gets_no_answer() -> None:
    """It may have been served, and forgotten: its deadline ends it, where it was not."""
    busy = [
        (message, 10 + number)
        for number in range(REMEMBERED_MAX + 1)
        for message in (reserve(f"b{number}", 1), at(ShipStock, f"b{number}"))
    ]
    state, _ = after(stock, (RECEIVE_MANY, 0), *busy)

    late, emitted = receive(stock, state, (reserve("late", 1), 9))
    assert (state, ()) == (late, emitted)
    served, _ = receive(stock, state, (reserve("new", 1), 10 + REMEMBERED_MAX))
    assert {"new": 1} == served.held


@pytest.mark.parametrize("wrong", [1, 3 * STRETCH])
def test_a_clock_that_was_ahead_for_a_moment_leaves_no_later_order_without_answer(
    wrong: int,
) -> None:
    """Two hours ahead for some shipments, then corrected: 300 orders at the right times."""
    story: list[Received] = [(RECEIVE_MANY, 0)]
    for number in range(wrong + 300):
        seconds = number + (7_200 if number < wrong else 0)
        name = f"o{number}"
        story += [(step, seconds) for step in (reserve(name, 1), at(ShipStock, name))]
    state, _ = after(stock, *story)

    _, emitted = receive(stock, state, (reserve("new", 1), wrong + 300))

    assert (reserved("new", 1),) == emitted
    assert () == receive(stock, state, (reserve(f"o{wrong}", 1), wrong))[1]


def test_a_producer_that_repeats_its_past_is_no_clock_that_was_set_back() -> None:
    """Each order of it was released, and most are forgotten: none is held a second time."""
    story: list[Received] = [(RECEIVE_MANY, 0)]
    for number in range(1_500):
        name = f"o{number}"
        story += [(step, number * 10) for step in (reserve(name, 1), at(ReleaseStock, name))]
    state, _ = after(stock, *story)

    for received in story[1:]:
        state, _ = receive(stock, state, received)
        assert {} == state.held


def test_a_row_of_before_counts_as_forgotten_what_it_drops_first() -> None:
    """Rows written before carry names without their times."""
    full = {f"o{number}": 1 for number in range(REMEMBERED_MAX)}
    before = stock.Stock(received=1_000, on_hand=744, shipped=256, sent=full)
    new, seconds = "new", 500

    state, _ = receive(stock, before, (reserve(new, 1), seconds))
    state, _ = receive(stock, state, (at(ShipStock, new), seconds))

    assert units_of(state) == units_of(receive(stock, state, (reserve("o0", 1), 3))[0])


def stored(state: stock.Stock) -> stock.Stock:
    """Return `state` as it is read back: a row has the keys of objects sorted."""
    decoded = decode_row(shelves, encode_row(Row(state=state)))
    return cast("stock.Stock", decoded.state)


def units_of(state: stock.Stock) -> tuple[int, int, int, int]:
    """Return what a shelf has received, has, holds and has shipped."""
    return state.received, state.on_hand, sum(state.held.values()), state.shipped


def test_a_row_with_many_open_orders_is_put_in_order_before_it_is_encoded() -> None:
    """The encoder needs 280 ms for 20,000 keys in order and one behind them, as a batch has."""
    held = dict.fromkeys(f"o{number:05}" for number in range(KEYS_FEW + 1))
    added = Row(state=stock.Stock(held={**dict.fromkeys(held, 1), "first": 1, "another": 2}))
    few = Row(state=stock.Stock(held={"b": 1, "a": 1}))

    ordered = cast("stock.Stock", row._in_order_of_keys(added).state)
    assert sorted(added.state.held) == list(ordered.held)
    assert (added, few) == (row._in_order_of_keys(added), row._in_order_of_keys(few))
    assert encode_row(decode_row(shelves, encode_row(added))) == encode_row(added)
