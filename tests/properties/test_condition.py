"""What is true of conditions however they are put together."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workflows.fraud.built_in_rules import FIELDS
from workflows.fraud.condition import World, evaluate
from workflows.fraud.condition_parser import parse

WORLD = World(facts={"amount_minor": 200.0}, aggregates={})
TRUE, FALSE = {"gt": [2, 1]}, {"gt": [1, 2]}
UNKNOWN = {"gt": [{"div": [{"field": "amount_minor"}, 0]}, 1]}
ABSENT = {"in": [{"field": "card"}, ["k1"]]}

conditions = st.recursive(
    st.sampled_from([TRUE, FALSE, UNKNOWN, ABSENT]),
    lambda inner: st.one_of(
        st.builds(lambda one: {"not": one}, inner),
        st.builds(
            lambda operator, parts: {operator: parts},
            st.sampled_from(["all", "any"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(
            lambda operator, one, other: {operator: [one, other]},
            st.sampled_from(["eq", "ne"]),
            inner,
            inner,
        ),
    ),
    max_leaves=8,
)


def truth(condition: Any) -> bool | None:
    """Return what `condition` comes to for a payment without a card."""
    return evaluate(parse(condition, FIELDS), WORLD)


def with_leaf(condition: Any, leaf: Any, other: Any) -> Any:
    """Return `condition` with `other` wherever it holds `leaf`."""
    if condition == leaf:
        return other
    if isinstance(condition, dict):
        return {name: with_leaf(part, leaf, other) for name, part in condition.items()}
    if isinstance(condition, list):
        return [with_leaf(part, leaf, other) for part in condition]
    return condition


@given(conditions)
def test_what_is_said_holds_whatever_the_unknown_turns_out_to_be(condition: Any) -> None:
    """Only what may go either way is unknown."""
    answer = truth(condition)

    assert answer is None or {answer} == {
        truth(with_leaf(condition, UNKNOWN, leaf)) for leaf in (TRUE, FALSE)
    }


@given(conditions)
def test_a_hit_never_rests_on_an_entity_that_is_not_there(condition: Any) -> None:
    """Had the payment one, on the list or off it, the rule would hit as well."""
    if truth(condition):
        assert truth(with_leaf(condition, ABSENT, TRUE))
        assert truth(with_leaf(condition, ABSENT, FALSE))


@given(st.lists(conditions, min_size=1, max_size=3))
def test_not_all_is_any_not(parts: list[Any]) -> None:
    """After De Morgan, with what is unknown and what is not there."""
    turned = [{"not": part} for part in parts]

    assert truth({"not": {"all": parts}}) is truth({"any": turned})
    assert truth({"not": {"any": parts}}) is truth({"all": turned})


@given(conditions)
def test_either_way_of_saying_that_it_is_not_so_is_the_same(condition: Any) -> None:
    """`not`, equal to what is false, other than what is true."""
    turned = truth({"not": condition})

    assert turned is truth({"eq": [condition, FALSE]})
    assert turned is truth({"ne": [condition, TRUE]})
