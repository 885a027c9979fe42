"""What is true of verdicts whoever pays whatever, whenever."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.telling import after, hear
from tests.unit.test_fraud import NOON_MS, check
from workflows import fraud
from workflows.words.fraud import CheckPayment, FraudDetected, FraudWord

DAY_MS = 86_400_000

checks = st.builds(
    check,
    st.sampled_from([f"o{number}" for number in range(12)]),
    st.integers(0, 1_200_000),
    st.integers(0, 10_000),
)
stories = st.lists(checks, max_size=20, unique_by=lambda asked: asked.order_id)
phases = st.integers(0, fraud.WINDOW_MS)
bursts = st.lists(st.integers(0, 299_000), min_size=5, max_size=5)
"""Five moments within 299 s, in any order of arrival."""


def flagged(told: tuple[FraudWord, ...]) -> bool:
    """Return whether the last verdict was bad."""
    return isinstance(told[0], FraudDetected)


@settings(max_examples=100)
@given(st.lists(checks, max_size=20))
def test_asking_twice_changes_nothing(story: list[CheckPayment]) -> None:
    """The same order hears the same verdict, and nothing more is remembered."""
    memory = fraud.INITIAL
    for asked in story:
        memory, told = hear(fraud, memory, asked)
        assert (memory, told) == hear(fraud, memory, asked)


@settings(max_examples=100)
@given(phases, bursts, st.integers(0, 3))
def test_a_burst_of_five_is_caught_at_every_phase(
    phase_ms: int, moments_ms: list[int], before: int
) -> None:
    """Wherever it begins, in whatever order it arrives, whatever was bought the day before."""
    known = [check(f"known{at}", -DAY_MS - at * fraud.WINDOW_MS) for at in range(before)]
    burst = [check(f"o{at}", phase_ms + moment) for at, moment in enumerate(moments_ms)]

    assert flagged(after(fraud, *known, *burst)[1])


@settings(max_examples=100)
@given(phases, st.lists(st.integers(75_000, 10_000_000), max_size=15))
def test_payments_that_keep_their_distance_are_never_caught(
    phase_ms: int, gaps_ms: list[int]
) -> None:
    """Every 75 seconds, at most four lie in five minutes: not a millisecond too many is counted."""
    memory, at_ms = fraud.INITIAL, phase_ms
    for number, gap_ms in enumerate(gaps_ms):
        memory, told = hear(fraud, memory, check(f"o{number}", at_ms))
        assert not flagged(told)
        at_ms += gap_ms


@settings(max_examples=100)
@given(stories.flatmap(lambda story: st.tuples(st.just(story), st.permutations(story))), checks)
def test_the_order_of_arrival_does_not_matter_to_what_is_known(
    stories_told: tuple[list[CheckPayment], list[CheckPayment]], asked: CheckPayment
) -> None:
    """The next payment is judged by when the others were made, not by when they were heard."""
    story, shuffled = stories_told
    next_one = replace(asked, order_id="next")

    assert after(fraud, *story, next_one)[1] == after(fraud, *shuffled, next_one)[1]


@settings(max_examples=100)
@given(stories)
def test_the_count_is_that_of_all_payments_ever_made(story: list[CheckPayment]) -> None:
    """What is forgotten is never missed: the verdict in order of time equals a count over all."""
    story = sorted(story, key=lambda asked: asked.ordered_at_ms)
    memory = fraud.INITIAL
    for number, asked in enumerate(story):
        memory, told = hear(fraud, memory, asked)
        begins_ms = asked.ordered_at_ms - fraud.WINDOW_MS
        count = sum(begins_ms < each.ordered_at_ms for each in story[: number + 1])
        told_burst = any("payments in 5 minutes" in reason for reason in told[0].reasons)
        assert (count > fraud.WINDOW_COUNT_MAX) == told_burst


@settings(max_examples=20)
@given(st.lists(st.integers(0, 50_000_000), min_size=250, max_size=300))
def test_memory_is_bounded(moments_ms: list[int]) -> None:
    """However much one customer buys, in whatever order it is heard."""
    memory, _ = after(fraud, *(check(f"o{at}", moment) for at, moment in enumerate(moments_ms)))

    assert len(memory.payments) <= fraud.PAYMENTS_MAX
    assert len(memory.verdicts) <= fraud.VERDICTS_MAX
    assert memory.known_since_ms == NOON_MS + min(moments_ms)


@settings(max_examples=100)
@given(stories)
def test_verdicts_keep_the_limits_of_the_wire(story: list[CheckPayment]) -> None:
    """A score is within one, and a bad verdict has a reason."""
    memory = fraud.INITIAL
    for asked in story:
        memory, (verdict,) = hear(fraud, memory, asked)
        assert verdict == msgspec.convert(msgspec.to_builtins(verdict), FraudWord)
        assert bool(verdict.reasons) == flagged((verdict,))
