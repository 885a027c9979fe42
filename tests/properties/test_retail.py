"""What is true of the retail file however dirty it is."""

from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.local.importers import retail_file
from app.local.importers.retail_file import Adjust, Ask, PlaceOrder, ReturnItems
from tests.support.retail_rows import Raw, planned
from workflows.inventory.stock_messages import AdjustStock
from workflows.order.messages import OrderPlaced, ReturnRequested
from workflows.shared.message import Message

INVOICES = ["1", "2", "3", "C4", "C5", "c4", "A6", "", "C"]
CODES = ["mug", "tin", "POST", "D", "d", "M", "m", "gift_1", "TEST1", "PADS", ""]
PRICES = ["0", "0.001", "0.005", "2.55", "1000000", "-1", "x", "1e3", "NaN", "sNaN", "Infinity"]
QUANTITIES = ["1", "2", "6", "-1", "-2", "-3", "0", "1000000", "1000001", "1.0", "x"]
DATES = ["2010-12-01 08:26:00", "12/1/2010 8:26", "2010-12-01T00:00+14:00", "never", "0001-01-01"]
CUSTOMERS = ["7.0", "8", "", "9" * 61]

anything = st.none() | st.text(max_size=130)
dirty = st.fixed_dictionaries(
    {
        "InvoiceNo": st.sampled_from(INVOICES) | anything,
        "StockCode": st.sampled_from(CODES) | anything,
        "Description": anything,
        "Quantity": st.sampled_from(QUANTITIES) | anything,
        "InvoiceDate": st.sampled_from(DATES) | anything,
        "UnitPrice": st.sampled_from(PRICES) | anything,
        "CustomerID": st.sampled_from(CUSTOMERS) | anything,
        "Country": st.sampled_from(["France", ""]) | anything,
    }
)
torn = st.dictionaries(st.sampled_from([*retail_file.COLUMNS, "Other"]), anything)
"""Rows with columns missing, and too many."""


def shop(code: st.SearchStrategy[str], price: st.SearchStrategy[str]) -> st.SearchStrategy[Raw]:
    """Return rows as a shop writes them: well formed, whatever they mean."""
    return st.fixed_dictionaries(
        {
            "InvoiceNo": st.sampled_from(["1", "2", "3", "C4", "C5", "C6"]),
            "StockCode": code,
            "Description": st.just("A THING"),
            "Quantity": st.integers(-5, 5).map(str),
            "InvoiceDate": st.just(DATES[0]),
            "UnitPrice": price,
            "CustomerID": st.sampled_from(["7.0", "8", ""]),
            "Country": st.just("France"),
        }
    )


prices = st.sampled_from(["0", "0.001", "0.333", "1", "2.55", "18.00"])
plain = shop(st.sampled_from(["mug", "tin", "POST", "D", "M"]), prices)
files = st.lists(dirty | torn | plain, max_size=30)
shops = st.lists(plain, max_size=40)


@settings(max_examples=100, deadline=None)
@given(files)
def test_every_row_lands_in_exactly_one_place(rows: list[Raw]) -> None:
    """Asks and refusals stand for as many rows as were read: none is lost, none counts twice."""
    plan = planned(rows)

    assert len(rows) == plan.rows_read == sum(ask.rows for ask in plan.asks)


@settings(max_examples=100, deadline=None)
@given(files)
def test_reading_it_again_asks_the_same(rows: list[Raw]) -> None:
    """Nothing but the rows decides."""
    assert planned(rows) == planned(rows)


def messages_of(ask: Ask) -> tuple[Message, ...]:
    """Return the messages that `ask` is said in."""
    match ask:
        case PlaceOrder():
            return (
                OrderPlaced(
                    order_id="o1",
                    customer_id=ask.customer_id,
                    country=ask.country,
                    currency=retail_file.CURRENCY,
                    lines=ask.lines,
                    charges=ask.charges,
                    total_minor=ask.total_minor,
                    payment_method="pm_card_visa",
                    ordered_at_ms=ask.ordered_at_ms,
                    reference=ask.reference,
                ),
            )
        case ReturnItems():
            return (ReturnRequested(order_id="o1", return_id=ask.return_id, lines=ask.lines),)
        case Adjust():
            return (
                AdjustStock(
                    adjustment_id=ask.adjustment_id,
                    sku=ask.sku,
                    delta=ask.delta,
                    reason=ask.reason,
                ),
            )
        case _:
            return ()


@settings(max_examples=100, deadline=None)
@given(files | shops)
def test_what_is_asked_can_be_said(rows: list[Raw]) -> None:
    """Every ask keeps the limits of the wire, and an order's parts sum to its total."""
    for ask in planned(rows).asks:
        for message in messages_of(ask):
            assert message == msgspec.json.decode(msgspec.json.encode(message), type=type(message))
        if isinstance(ask, PlaceOrder):
            priced = (*ask.lines, *ask.charges)
            assert ask.total_minor == sum(each.amount_minor for each in priced)


@settings(max_examples=100, deadline=None)
@given(shops)
def test_nothing_comes_back_that_was_not_sold(rows: list[Raw]) -> None:
    """Per sale: no more units of a code, and no amount is said."""
    asks = planned(rows).asks
    sold = Counter[tuple[str, str]]()
    for ask in asks:
        if isinstance(ask, PlaceOrder):
            sold.update({(ask.reference, line.sku): line.quantity for line in ask.lines})
    for ask in asks:
        if isinstance(ask, ReturnItems):
            assert {(True, 0)} == {(line.goods, line.amount_minor) for line in ask.lines}
            for line in ask.lines:
                sold[ask.reference, line.sku] -= line.quantity

    assert [] == [key for key, units in sold.items() if units < 0]


@settings(max_examples=100, deadline=None)
@given(shops)
def test_a_return_is_for_an_earlier_order_and_has_its_own_id(rows: list[Raw]) -> None:
    """Nothing is returned before it is sold, and no two returns share an id."""
    placed: set[str] = set()
    ids: list[str] = []
    for ask in planned(rows).asks:
        if isinstance(ask, PlaceOrder):
            placed.add(ask.reference)
        if isinstance(ask, ReturnItems):
            assert ask.reference in placed
            ids.append(ask.return_id)

    assert len(ids) == len(set(ids))


@settings(max_examples=100, deadline=None)
@given(shops)
def test_the_units_sold_are_those_of_the_orders(rows: list[Raw]) -> None:
    """No more, no less, for every code."""
    plan = planned(rows)
    units = Counter[str]()
    for ask in plan.asks:
        if isinstance(ask, PlaceOrder):
            units.update({line.sku: line.quantity for line in ask.lines})

    assert dict(units) == plan.sold_units
