"""Payments of one entity are produced in their order, whatever else is under way."""

from hypothesis import given
from hypothesis import strategies as st

from app.fraud.training.entity_queues import EntityQueues

entities = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(
    lambda at: (f"c{at[0]}", f"t{at[1]}")
)


def test_payments_that_share_an_entity_wait() -> None:
    """Others pass by."""
    queues = EntityQueues()
    for at, each in enumerate([("a", "x"), ("a", "y"), ("b", "y"), ("b", "z"), ("d", "w")]):
        queues.add(at, each)

    assert [0, 4] == queues.take(9)
    assert [] == queues.take(9)
    assert queues.judged(0)
    assert [1] == queues.take(9)
    assert not queues.judged(0)
    assert 2 == queues.under_way
    assert 4 == len(queues)


def test_no_more_than_asked_are_under_way() -> None:
    """Counting those emitted before."""
    queues = EntityQueues()
    for at in range(5):
        queues.add(at, (f"p{at}",))

    assert [0, 1] == queues.take(2)
    assert [] == queues.take(2)
    assert queues.judged(1)
    assert [2] == queues.take(2)


@given(st.lists(entities, max_size=40), st.randoms(), st.integers(1, 10))
def test_every_payment_goes_once_and_behind_its_entity(
    story: list[tuple[str, str]], dice: object, most: int
) -> None:
    """In whatever order verdicts come."""
    queues = EntityQueues()
    for at, each in enumerate(story):
        queues.add(at, each)
    open_now: list[int] = []
    order: list[int] = []
    while len(queues):
        open_now += queues.take(most)
        assert 0 < len(open_now) <= most
        busy = [entity for at in open_now for entity in story[at]]
        assert len(set(busy)) == len(busy)
        done = open_now.pop(dice.randrange(len(open_now)))
        assert queues.judged(done)
        order.append(done)

    assert sorted(order) == list(range(len(story)))
    for entity in {name for each in story for name in each}:
        own = [at for at in order if entity in story[at]]
        assert own == sorted(own)
