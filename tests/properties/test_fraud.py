"""What is true of verdicts whoever pays whatever, whenever."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from app.fraud.analysis.offline import Offline
from tests.support.examples.fraud import EVERYBODY, NOON_MS, paid
from tests.support.workflow_runner import JUDGE
from workflows.fraud.entity import DAY_MS
from workflows.fraud.entity_messages import CheckEntity, EntityAnswered
from workflows.fraud.messages import CaseOpened, FraudCleared, FraudDetected, FraudVerdict
from workflows.payment.messages import PaymentCompleted
from workflows.shared.message import Message

WINDOW_MS = 300_000
LIMIT = 4
BURST = "velocity.customer"
LEARNED = frozenset({"amount.profile"})
"""Rules about what is usual: that depends on what was received first."""

payments = st.builds(
    paid,
    st.sampled_from([f"o{number}" for number in range(12)]),
    st.integers(0, 1_200_000),
    st.integers(0, 10_000),
)
stories = st.lists(payments, max_size=20, unique_by=lambda payment: payment.transaction_id)
phases = st.integers(0, WINDOW_MS)
bursts = st.lists(st.integers(0, 298_999), min_size=5, max_size=5)
"""Five moments within 299 s, in any order of arrival."""


def judged(world: Offline, payment: PaymentCompleted) -> FraudVerdict:
    """Return the verdict on a payment that was not made before."""
    (verdict,) = [
        message
        for message in world.receive(payment, NOON_MS)
        if isinstance(message, FraudDetected | FraudCleared)
    ]
    return verdict


def hits(verdict: FraudVerdict) -> set[str]:
    """Return the rules that hit, but those that learn."""
    assert verdict.basis is not None
    return set(verdict.basis.rules) - LEARNED


def after(*story: PaymentCompleted) -> Offline:
    """Return an instance that has judged `story`."""
    world = Offline(JUDGE)
    for payment in story:
        world.receive(payment, NOON_MS)
    return world


@settings(max_examples=100)
@given(st.lists(payments, max_size=20))
def test_a_payment_emitted_twice_is_judged_once(story: list[PaymentCompleted]) -> None:
    """And nothing more is remembered."""
    world = Offline(JUDGE)
    for payment in story:
        world.receive(payment, NOON_MS)
        orders, entities = dict(world.orders), dict(world.entities)
        assert [] == world.receive(payment, NOON_MS)
        assert (orders, entities) == (world.orders, world.entities)


@settings(max_examples=100)
@given(phases, bursts, st.integers(0, 3))
def test_a_burst_of_five_is_caught_at_every_phase(
    phase_ms: int, moments_ms: list[int], before: int
) -> None:
    """Wherever it begins, in whatever order it arrives, whatever was bought the day before."""
    earlier = [paid(f"known{at}", -DAY_MS - at * WINDOW_MS) for at in range(before)]
    burst = [paid(f"o{at}", phase_ms + moment) for at, moment in enumerate(moments_ms)]

    assert BURST in hits(judged(after(*earlier, *burst[:-1]), burst[-1]))


@settings(max_examples=100)
@given(phases, st.lists(st.integers(75_000, 10_000_000), max_size=15))
def test_payments_that_keep_their_distance_are_never_caught(
    phase_ms: int, gaps_ms: list[int]
) -> None:
    """Every 75 seconds, at most four lie in five minutes: not a millisecond too many is counted."""
    world, at_ms = Offline(JUDGE), phase_ms
    for number, gap_ms in enumerate(gaps_ms):
        assert BURST not in hits(judged(world, paid(f"o{number}", at_ms)))
        at_ms += gap_ms


@settings(max_examples=100)
@given(stories.flatmap(lambda story: st.tuples(st.just(story), st.permutations(story))), payments)
def test_the_order_of_arrival_does_not_matter_to_what_is_known(
    emitted: tuple[list[PaymentCompleted], list[PaymentCompleted]], payment: PaymentCompleted
) -> None:
    """The next payment is judged by when the others were made, not by when they were received."""
    story, shuffled = emitted
    next_one = replace(payment, transaction_id="next")

    assert hits(judged(after(*story), next_one)) == hits(judged(after(*shuffled), next_one))


@settings(max_examples=100)
@given(stories)
def test_the_count_is_that_of_all_payments_ever_made(story: list[PaymentCompleted]) -> None:
    """What is forgotten is never missed: in order of time, a count over all says the same."""
    story = sorted(story, key=lambda payment: payment.ordered_at_ms)
    world = Offline(JUDGE)
    for number, payment in enumerate(story):
        begins_ms = payment.ordered_at_ms - WINDOW_MS
        count = sum(begins_ms < each.ordered_at_ms for each in story[: number + 1])
        assert (count > LIMIT) == (BURST in hits(judged(world, payment)))


@settings(max_examples=100)
@given(stories)
def test_what_is_emitted_keeps_the_limits_of_the_wire(story: list[PaymentCompleted]) -> None:
    """Questions, answers, verdicts and cases; and a bad verdict has a reason."""
    world = Offline(JUDGE)
    for payment in story:
        for message in world.receive(replace(payment, origin=EVERYBODY), NOON_MS):
            assert_on_the_wire(message)


def assert_on_the_wire(message: Message) -> None:
    """Assert that `message` is read back as it was emitted."""
    assert isinstance(
        message, CheckEntity | EntityAnswered | FraudDetected | FraudCleared | CaseOpened
    )
    assert message == msgspec.json.decode(msgspec.json.encode(message), type=type(message))
    assert not isinstance(message, FraudDetected) or message.reasons
