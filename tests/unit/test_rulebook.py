"""Rules by example: what they say, what is refused and where, who decides."""

from typing import Any

import msgspec
import pytest

from tests.support.examples.fraud_rules import AMOUNT, MUCH, rule
from workflows.fraud.built_in_rules import BUILT_IN, FIELDS
from workflows.fraud.condition import RuleError, World, evaluate
from workflows.fraud.condition_parser import DEPTH_MAX, NODES_MAX, parse
from workflows.fraud.entity_messages import Aggregate
from workflows.fraud.features import FEATURES, OF_PAYMENT
from workflows.fraud.rulebook import (
    Book,
    Snooze,
    judge,
    read_rule,
    with_list,
    with_rule,
    with_snooze,
)

BURST = {"count": {"of": "card", "window_seconds": 300}}
UNKNOWN = {"gt": [{"div": [AMOUNT, 0]}, 1]}
LISTED = {"in": [{"field": "terminal"}, ["t1"]]}
"""Of an entity that the payments here do not have."""


def figure(function: str = "count", **parts: Any) -> dict[str, Any]:
    """Return the condition that an aggregate is at least one."""
    return {"ge": [{function: {"of": "card", "window_seconds": 5} | parts}, 1]}


def book(*raw: dict[str, Any]) -> Book:
    """Return a book of these rules."""
    rules = Book()
    for each in raw:
        rules = with_rule(rules, read_rule(each, FIELDS))
    return rules


def world(**facts: Any) -> World:
    """Return a payment with these facts, five payments by its card, and one list."""
    return World(
        facts=facts,
        aggregates={"count|card|300": 5.0, "sum|card|60": float("nan")},
        lists={"bad": frozenset({"c1"}), "lands": frozenset({"Spain", "France"})},
    )


PAYMENT = world(amount_minor=200, country="France", guest=False, customer="c1", card="k1")


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        pytest.param(MUCH, True, id="larger"),
        pytest.param({"gt": [100, AMOUNT]}, False, id="not larger"),
        pytest.param({"eq": [{"field": "country"}, "France"]}, True, id="texts"),
        pytest.param({"eq": [{"field": "guest"}, False]}, True, id="flags"),
        pytest.param({"in": [{"field": "customer"}, {"list": "bad"}]}, True, id="a list"),
        pytest.param({"in": [{"field": "country"}, ["Spain"]]}, False, id="written out"),
        pytest.param({"eq": ["FR", {"field": "country"}]}, True, id="a country by its code"),
        pytest.param({"ne": [{"field": "country"}, "FRA"]}, False, id="by its alpha-3 code"),
        pytest.param({"in": [{"field": "country"}, ["FR"]]}, True, id="a code, written out"),
        pytest.param({"in": [{"field": "country"}, {"list": "lands"}]}, True, id="in a list"),
        pytest.param({"in": [{"field": "customer"}, {"list": "lands"}]}, False, id="a list of it"),
        pytest.param({"in": [{"field": "country"}, {"list": "no"}]}, None, id="no such list"),
        pytest.param({"ge": [BURST, 5]}, True, id="an aggregate"),
        pytest.param({"ge": [{"sum": {"of": "card", "window_seconds": 60}}, 5]}, None, id="NaN"),
        pytest.param({"ge": [{"max": {"of": "card", "window_seconds": 9}}, 5]}, None, id="unasked"),
        pytest.param({"gt": [{"field": "card_known_days"}, 0]}, None, id="a figure nobody said"),
        pytest.param(UNKNOWN, None, id="a division by zero"),
        pytest.param({"gt": [{"mul": [AMOUNT, 2, 3]}, 1199]}, True, id="a product"),
        pytest.param({"lt": [{"sub": [AMOUNT, {"add": [1, 2]}]}, 198]}, True, id="a difference"),
        pytest.param({"any": [UNKNOWN, MUCH]}, True, id="any, one known"),
        pytest.param({"all": [UNKNOWN, MUCH]}, None, id="all, one unknown"),
        pytest.param({"not": UNKNOWN}, None, id="not unknown is unknown"),
        pytest.param({"eq": [UNKNOWN, True]}, None, id="nor is it equal to anything"),
        pytest.param({"eq": [{"not": MUCH}, {"gt": [1, 2]}]}, True, id="alike in being false"),
        pytest.param({"ne": [MUCH, {"gt": [2, 1]}]}, False, id="not different"),
        pytest.param({"not": MUCH}, False, id="not"),
    ],
)
def test_conditions(condition: Any, truth: bool | None) -> None:
    """Given a payment of 2.00 by c1 in France, this is so, not so, or not known."""
    assert truth is evaluate(parse(condition, FIELDS), PAYMENT)


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        pytest.param(LISTED, False, id="not on the list"),
        pytest.param({"not": LISTED}, False, id="nor off it"),
        pytest.param({"eq": [LISTED, False]}, False, id="in other words"),
        pytest.param({"ne": [LISTED, True]}, False, id="and in others"),
        pytest.param({"ne": [{"field": "terminal"}, "t1"]}, False, id="it is no other one"),
        pytest.param({"not": {"in": [{"field": "terminal"}, {"list": "no"}]}}, False, id="no list"),
        pytest.param({"lt": [{"field": "terminal_risk_7d"}, 1]}, False, id="no figure"),
        pytest.param({"lt": [{"count": {"of": "terminal", "window_seconds": 9}}, 1]}, False,
                     id="no aggregate"),
        pytest.param({"lt": [{"div": [{"field": "terminal_count_7d"}, 0]}, 1]}, False, id="no sum"),
        pytest.param({"lt": [{"field": "device_is_new"}, 1]}, False, id="one entity of two"),
        pytest.param({"lt": [{"field": "score"}, 1]}, False, id="nor a model"),
        pytest.param({"not": {"gt": [{"field": "travel_km"}, 1]}}, False, id="nor a way"),
        pytest.param({"any": [LISTED, MUCH]}, True, id="the amount speaks for itself"),
        pytest.param({"not": {"all": [LISTED, {"not": MUCH}]}}, True, id="also said twice around"),
        pytest.param({"all": [LISTED, MUCH]}, False, id="all need it"),
        pytest.param({"all": [LISTED, UNKNOWN]}, False, id="whatever else there may be"),
        pytest.param({"any": [LISTED, UNKNOWN]}, None, id="what else there is may be so"),
        pytest.param({"not": {"all": [LISTED, UNKNOWN]}}, None, id="or not be so"),
        pytest.param({"eq": [LISTED, UNKNOWN]}, False, id="like nothing"),
    ],
)  # fmt: skip
def test_what_needs_an_entity_that_the_payment_does_not_have_does_not_apply(
    condition: Any, truth: bool | None
) -> None:
    """It does not hit, nor does its opposite, and it is not unknown; the rest stays as it is."""
    assert truth is evaluate(parse(condition, FIELDS), PAYMENT)


def test_every_figure_may_be_asked_for_and_says_whose_it_is() -> None:
    """Of a payment that has nobody, only what it says itself is there."""
    of_nobody = {name for name, field in FIELDS.items() if not field.needs}

    assert set(FEATURES) <= set(FIELDS)
    payment_fields = {
        "amount_minor",
        "hour",
        "weekday",
        "guest",
        "currency",
        "currency_rated",
        "country",
    }
    assert {*OF_PAYMENT, *payment_fields} == of_nobody


def nested(depth: int) -> Any:
    condition: Any = MUCH
    for _ in range(depth):
        condition = {"not": condition}
    return condition


@pytest.mark.parametrize(
    ("changes", "place", "hint"),
    [
        ({"when": {"gt": [{"field": "amuont_minor"}, 1]}}, "when.gt[0].field", "amount_minor"),
        ({"when": {"gt": [{"field": [[]]}, 1]}}, "when.gt[0].field", "a text"),
        ({"when": {"alll": [MUCH]}}, "when.alll", "did you mean all"),
        ({"when": {"all": [MUCH, AMOUNT]}}, "when.all[1]", "must be something true or false"),
        ({"when": {"all": []}}, "when.all", "must be a list of 1 to"),
        ({"when": {"gt": [AMOUNT]}}, "when.gt", "must be a list of 2"),
        ({"when": {"gt": [AMOUNT, "x"]}}, "when.gt[1]", "must be a number"),
        ({"when": {"gt": [{"field": "country"}, "x"]}}, "when.gt[0]", "only numbers"),
        ({"when": {"gt": [AMOUNT, 1], "lt": [AMOUNT, 9]}}, "when", "exactly one operator"),
        ({"when": figure(of="crad")}, "when.ge[0].count.of", "crad"),
        ({"when": figure(window_seconds=0)}, "when.ge[0].count.window_seconds", ">= 1"),
        ({"when": figure(x=1)}, "when.ge[0].count.x", "no such part"),
        ({"when": figure("distinct")}, "when.ge[0].distinct.what", "needs it"),
        ({"when": {"in": [{"field": "country"}, [1]]}}, "when.in[1]", "texts only"),
        ({"when": {"eq": [AMOUNT, 10**400]}}, "when.eq[1]", "must be a number"),
        ({"when": nested(DEPTH_MAX + 1)}, "when" + ".not" * (DEPTH_MAX + 1), "too large"),
        ({"when": {"any": [MUCH] * NODES_MAX}}, "when.any[66]", "too large"),
        ({"approved_by": "ANN "}, "approved_by", "somebody other than ann"),
        ({"approved_by": ""}, "approved_by", "somebody other than ann"),
        ({"proposed_by": " "}, "approved_by", "needs the approval"),
        ({"rule_id": "Much!"}, "rule_id", "regex"),
        ({"outcome": "maybe"}, "outcome", "maybe"),
        ({"weight": 2}, "weight", "<= 1"),
        ({"colour": "red"}, "", "colour"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_with_the_place_of_the_error(
    changes: dict[str, Any], place: str, hint: str
) -> None:
    """And with what would be right."""
    with pytest.raises(RuleError) as refused:
        read_rule(rule(**changes), FIELDS)

    assert refused.value.place.startswith(place)
    assert hint in refused.value.reason


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b"[" * 100_000, b"\xff", b'{"rule_id": "\xff"}'],
)
def test_what_is_no_rule_at_all_is_refused(body: bytes) -> None:
    """Broken JSON, another JSON, endless JSON, no UTF-8."""
    with pytest.raises(RuleError):
        read_rule(body, FIELDS)


def test_a_draft_needs_no_approval() -> None:
    """Only what decides does."""
    assert "draft" == read_rule(rule(state="draft", approved_by=""), FIELDS).rule.state


@pytest.mark.parametrize(
    ("rules", "outcome", "decided_by"),
    [
        pytest.param([], "allow", "", id="nothing hits"),
        pytest.param([rule("a", outcome="review"), rule("b")], "block", "b", id="the strictest"),
        pytest.param(
            [rule("a", outcome="allow", priority=90), rule("b")], "allow", "a", id="the first"
        ),
        pytest.param([rule("a", state="paused")], "allow", "", id="paused"),
        pytest.param([rule("a", state="draft")], "allow", "", id="a draft"),
        pytest.param([rule("a", state="shadow")], "allow", "", id="on trial"),
        pytest.param([rule("a", when={"not": MUCH})], "allow", "", id="no hit"),
    ],
)
def test_who_decides(rules: list[dict[str, Any]], outcome: str, decided_by: str) -> None:
    """The highest priority, and there the strictest."""
    ruling = judge(book(*rules), world(amount_minor=200), (), 0)

    assert (outcome, decided_by) == (ruling.outcome, ruling.decided_by)


def test_a_ruling_names_what_hit_what_would_have_and_what_nobody_knows() -> None:
    """Each kind apart."""
    unknown, absent = rule("unknown", when=UNKNOWN), rule("absent", when={"not": LISTED})
    rules = book(rule("hit"), rule("trial", state="shadow"), unknown, absent, rule("asleep"))
    rules = with_snooze(rules, Snooze(rule_id="asleep", entity="card:k1", until_ms=10))

    now = judge(rules, world(amount_minor=200), ("card:k1",), 9)
    later = judge(rules, world(amount_minor=200), ("card:k1",), 10)

    assert (["hit"], ("trial",), ("unknown",), ("asleep",)) == (
        [each.rule_id for each in now.hits], now.shadow, now.unknown, now.snoozed,
    )  # fmt: skip
    assert ["asleep", "hit"] == [each.rule_id for each in later.hits]


def test_a_book_has_one_name_however_it_was_written() -> None:
    """Rules and lists in any order; an older version of a rule changes nothing."""
    one = with_list(book(rule("a", version=2), rule("b")), "bad", frozenset({"x", "y"}))
    other = with_rule(with_list(Book(), "bad", frozenset({"y", "x"})), read_rule(rule("b"), FIELDS))
    other = with_rule(other, read_rule(rule("a", version=2), FIELDS))

    assert one.revision == other.revision
    assert one == with_rule(one, read_rule(rule("a", version=1), FIELDS))
    assert one.revision != with_rule(one, read_rule(rule("a", version=3), FIELDS)).revision


def test_a_book_says_what_its_rules_look_at() -> None:
    """Of those that are active or on trial, each once."""
    rules = book(
        rule("a", when={"ge": [BURST, 5]}),
        rule("b", when={"ge": [BURST, 6]}, state="shadow"),
        rule("c", when={"ge": [{"max": {"of": "card", "window_seconds": 9}}, 6]}, state="paused"),
    )

    assert (Aggregate(function="count", of="card", window_seconds=300),) == rules.wants


def test_the_built_in_rules_can_be_published_and_read_again() -> None:
    """Each as JSON."""
    assert len(BUILT_IN.rules) > 10
    for compiled in BUILT_IN.rules.values():
        assert compiled == read_rule(msgspec.json.encode(compiled.rule), FIELDS)
