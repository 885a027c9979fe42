"""What is true of a shelf whatever is asked of it, in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.telling import hear
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
asked = st.one_of(
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
stories = st.lists(asked, max_size=30)


@given(stories)
def test_no_unit_appears_or_disappears(story: list[Any]) -> None:
    """On hand + held + shipped = received at every step, and the shelf never owes units."""
    memory = stock.INITIAL
    for word in story:
        memory, _ = hear(stock, memory, word)

        accounted = memory.on_hand + sum(memory.held.values()) + memory.shipped
        assert memory.received == accounted
        assert memory.on_hand >= 0


@given(stories)
def test_asking_twice_has_one_effect(story: list[Any]) -> None:
    """The same question changes nothing the second time, and hears the same answer or none."""
    memory = stock.INITIAL
    for word in story:
        memory, told = hear(stock, memory, word)
        again, told_again = hear(stock, memory, word)

        assert memory == again
        assert told_again in ((), told)


@given(stories)
def test_an_order_hears_one_answer_for_good(story: list[Any]) -> None:
    """A refused order is never served later, and a served one is only refused after it let go."""
    memory, refused = stock.INITIAL, set()
    for word in story:
        memory, told = hear(stock, memory, word)
        for said in told:
            if isinstance(said, StockRefused):
                refused.add(said.order_id)
            if isinstance(said, StockReserved):
                assert said.order_id not in refused
