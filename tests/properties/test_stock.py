"""What is true of a shelf whatever is asked of it, in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.workflow_runner import receive
from workflows.inventory import stock
from workflows.inventory.stock_messages import (
    AdjustStock,
    ReceiveStock,
    ReleaseStock,
    ReserveStock,
    RestockStock,
    ShipStock,
    StockRefused,
    StockReserved,
    UnshipStock,
)

orders = st.sampled_from(["o1", "o2", "o3"])
units = st.integers(1, 9)
skus = st.just("mug")
requests = st.one_of(
    st.builds(ReceiveStock, receipt_id=st.sampled_from(["r1", "r2"]), sku=skus, quantity=units),
    st.builds(
        AdjustStock,
        adjustment_id=st.sampled_from(["a1", "a2"]),
        sku=skus,
        delta=st.integers(-20, 20),
    ),
    st.builds(ReserveStock, order_id=orders, sku=skus, quantity=units),
    st.builds(ReleaseStock, order_id=orders, sku=skus),
    st.builds(ShipStock, order_id=orders, sku=skus),
    st.builds(UnshipStock, order_id=orders, sku=skus),
    st.builds(
        RestockStock,
        order_id=orders,
        return_id=st.sampled_from(["b1", "b2"]),
        sku=skus,
        quantity=units,
    ),
)
stories = st.lists(requests, max_size=30)


@given(stories)
def test_no_unit_appears_or_disappears(story: list[Any]) -> None:
    """On hand + held + shipped = received at every step, and the shelf never owes units."""
    state = stock.INITIAL
    for message in story:
        state, _ = receive(stock, state, message)

        accounted = state.on_hand + sum(state.held.values()) + state.shipped
        assert state.received == accounted
        assert state.on_hand >= 0


@given(stories)
def test_asking_twice_has_one_effect(story: list[Any]) -> None:
    """The same question changes nothing the second time, and gets the same answer or none."""
    state = stock.INITIAL
    for message in story:
        state, emitted = receive(stock, state, message)
        again, emitted_again = receive(stock, state, message)

        assert state == again
        assert emitted_again in ((), emitted)


@given(stories)
def test_an_order_gets_one_answer_for_good(story: list[Any]) -> None:
    """A refused order is never served later, and a served one is only refused after it let go."""
    state, refused = stock.INITIAL, set()
    for message in story:
        state, emitted = receive(stock, state, message)
        for answer in emitted:
            if isinstance(answer, StockRefused):
                refused.add(answer.order_id)
            if isinstance(answer, StockReserved):
                assert answer.order_id not in refused
