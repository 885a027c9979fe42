"""What is remembered of an entity: in order, bounded, and never emptied by one wrong clock."""

from random import Random

import pytest

from workflows.fraud.entity import (
    DAY_MS,
    ENTRIES_MAX,
    INITIAL,
    KEEP_DAYS,
    LATE_MS,
    Attempt,
    Entity,
    insert,
    label,
)

KEEP_MS = KEEP_DAYS * DAY_MS + LATE_MS


def after(*moments_ms: int) -> Entity:
    """Return an entity that paid at these moments, each time 1.00."""
    state = INITIAL
    for at_ms in moments_ms:
        attempt = Attempt(at_ms=at_ms, amount_minor=100, tag=f"t{at_ms}")
        state = insert(state, attempt, place=None, device=f"device:{at_ms}")
    return state


def test_state_is_bounded_and_what_is_cut_is_counted() -> None:
    """However much one customer buys, in whatever order it is received."""
    moments_ms = list(range(ENTRIES_MAX + 10))
    Random(1).shuffle(moments_ms)
    state = after(*moments_ms)

    assert list(range(10, ENTRIES_MAX + 10)) == [each.at_ms for each in state.seen]
    assert (10, 0, 32) == (state.cut, state.since_ms, len(state.devices))


@pytest.mark.parametrize(
    ("moments_ms", "kept_ms"),
    [
        pytest.param([5, 1, 3], [1, 3, 5], id="by their time"),
        pytest.param(
            [0, 1, KEEP_MS, KEEP_MS + 1], [1, KEEP_MS, KEEP_MS + 1], id="what is too old goes"
        ),
        pytest.param(
            [0, 10 * KEEP_MS], [0, 10 * KEEP_MS], id="one clock far ahead empties nothing"
        ),
        pytest.param([0, 10 * KEEP_MS, 1], [0, 1, 10 * KEEP_MS], id="nor does the next payment"),
        pytest.param([7, 7], [7], id="emitted twice it is one"),
    ],
)
def test_what_is_kept(moments_ms: list[int], kept_ms: list[int]) -> None:
    """Given payments in this order of arrival, these are kept."""
    assert kept_ms == [each.at_ms for each in after(*moments_ms).seen]


def test_a_label_waits_for_its_payment() -> None:
    """Topics are read in any order."""
    state = label(INITIAL, "t5", fraud=True, at_ms=9)
    attempt = Attempt(at_ms=5, amount_minor=100, tag="t5")
    state = insert(state, attempt, place=None, device="")

    assert ((9,), ()) == (tuple(each.fraud_at_ms for each in state.seen), state.pending)


def test_one_large_payment_moves_the_profile_by_little() -> None:
    """So that the next one is still seen as large."""
    state = after(*range(10))
    attempt = Attempt(at_ms=11, amount_minor=100_000, tag="large")
    moved = insert(state, attempt, place=None, device="").profile

    assert 100.0 == state.profile.mean_minor
    assert 100 < moved.mean_minor < 115
