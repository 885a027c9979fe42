"""Orders without end: drawn from a file, by a seed, with endings of every kind."""

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import get_args

import pytest

from app.local.importers.endless import DEAR_MINOR, SOLD_OUT, DrawnOrder, Ending, draw
from app.local.importers.file_content import LoadError
from app.local.importers.order_file import read_plan
from app.local.importers.retail_file import Plan
from workflows.fraud.built_in_rules import RULES

FILE = Path(__file__).parents[2] / "data" / "online_retail_2010-12.csv"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return read_plan(FILE)


def first_orders(plan: Plan, count: int, seed: int = 1) -> list[DrawnOrder]:
    return list(islice(draw(plan, seed), count))


def test_a_seed_draws_the_same_orders_again_and_another_seed_others(plan: Plan) -> None:
    """No two orders share a reference or a receipt."""
    some = first_orders(plan, 300)

    assert some == first_orders(plan, 300)
    references = {each.order.reference for each in (*some, *first_orders(plan, 300, seed=2))}
    assert 600 == len(references)
    assert 300 == len({each.receipt.receipt_id for each in some})


def test_orders_end_in_every_way_and_most_well(plan: Plan) -> None:
    """A few per cent each, so that the console has something to show."""
    endings = Counter(each.ending for each in first_orders(plan, 4_000))

    assert set(get_args(Ending)) == endings.keys()
    assert 0.85 < endings["completed"] / 4_000 < 0.93
    assert all(0.01 < each / 4_000 < 0.06 for name, each in endings.items() if name != "completed")


def test_what_an_order_wants_is_received_unless_it_is_to_be_out_of_stock(plan: Plan) -> None:
    """Its own stock, so that nobody else's order goes without."""
    for each in first_orders(plan, 500):
        quantity_by_sku = Counter({line.sku: line.quantity for line in each.order.lines})
        received = Counter({item.sku: item.quantity for item in each.receipt.items})

        missing = quantity_by_sku - received
        assert set(missing) == ({SOLD_OUT} if each.ending == "out of stock" else set())
        assert (each.ending == "declined") == ("Declined" in each.payment_method)


def test_a_fraud_is_above_what_the_built_in_rules_allow(plan: Plan) -> None:
    """`amount.large` blocks it, whoever pays."""
    [limit] = [rule["when"] for rule in RULES if rule["rule_id"] == "amount.large"]
    frauds = [each for each in first_orders(plan, 500) if each.ending == "fraud"]

    assert frauds
    assert all(max(line.amount_minor for line in each.order.lines) >= DEAR_MINOR for each in frauds)
    assert limit["gt"][1] < DEAR_MINOR


def test_a_file_without_goods_has_nothing_to_draw_from() -> None:
    """The error says so."""
    with pytest.raises(LoadError, match="no order of items"):
        next(draw(Plan(rows_read=0, asks=(), sold_units={}), 1))
