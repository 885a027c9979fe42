"""What a rule would have done, by example."""

import msgspec

from app.fraud.analysis.backtest import Backtest, backtest
from tests.support.examples.fraud import NOON_MS, label, paid
from tests.support.examples.fraud_rules import RULE
from workflows.fraud.built_in_rules import BUILT_IN, FIELDS
from workflows.fraud.condition_parser import parse
from workflows.shared.message import Message

STORY: list[tuple[int, Message]] = [
    (NOON_MS, paid("small", 0, 10)),
    (NOON_MS + 1, paid("large", 600_000, 60)),
    (NOON_MS + 2, paid("last", 1_200_000, 9_000)),
    (NOON_MS + 3, label()),
]


def test_a_back_test_counts_hits_and_what_they_were() -> None:
    """Two of three hit; one of them was fraud, and a rule of Payflow had it too."""
    expected = Backtest(
        payments=3,
        hits=2,
        unknown=0,
        labelled_frauds=1,
        true_hits=1,
        precision=0.5,
        recall=1.0,
        overlap={"amount.large": 1},
        examples=("large", "last"),
    )
    report = backtest(RULE, BUILT_IN, STORY)

    assert expected.overlap.items() <= report.overlap.items()
    assert expected == Backtest(
        **{name: getattr(report, name) for name in report.__struct_fields__ if name != "overlap"},
        overlap=expected.overlap,
    )


def test_what_is_before_the_beginning_is_remembered_and_not_counted() -> None:
    """Windows look back."""
    report = backtest(RULE, BUILT_IN, STORY, NOON_MS + 2)

    assert (1, 1) == (report.payments, report.hits)


def test_a_rule_about_cards_does_not_apply_where_there_is_none() -> None:
    """Neither hit nor unknown; a division by zero is unknown all the same."""
    listed, divided = (
        msgspec.structs.replace(RULE, expression=parse(when, FIELDS))
        for when in (
            {"not": {"in": [{"field": "card"}, ["k1"]]}},
            {"gt": [{"div": [{"field": "amount_minor"}, 0]}, 1]},
        )
    )
    reports = [backtest(tried, BUILT_IN, STORY) for tried in (listed, divided)]

    assert [(0, 0), (0, 3)] == [(each.hits, each.unknown) for each in reports]


def test_where_nothing_hit_there_is_no_precision() -> None:
    """Nor recall where nothing is known."""
    report = backtest(RULE, BUILT_IN, STORY[:1])

    assert (None, None) == (report.precision, report.recall)
