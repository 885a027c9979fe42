"""Payments of one party are told in their order, whatever else is under way."""

from hypothesis import given
from hypothesis import strategies as st

from app.fraud.training.entity_queues import Lanes

parties = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda at: (f"c{at[0]}", f"t{at[1]}"))


def test_who_shares_a_party_waits() -> None:
    """Others pass by."""
    lanes = Lanes()
    for at, each in enumerate([("a", "x"), ("a", "y"), ("b", "y"), ("b", "z"), ("d", "w")]):
        lanes.add(at, each)

    assert [0, 4] == lanes.take(9)
    assert [] == lanes.take(9)
    assert lanes.judged(0)
    assert [1] == lanes.take(9)
    assert not lanes.judged(0)
    assert 2 == lanes.under_way
    assert 4 == len(lanes)


def test_no_more_than_asked_are_under_way() -> None:
    """Counting those told before."""
    lanes = Lanes()
    for at in range(5):
        lanes.add(at, (f"p{at}",))

    assert [0, 1] == lanes.take(2)
    assert [] == lanes.take(2)
    assert lanes.judged(1)
    assert [2] == lanes.take(2)


@given(st.lists(parties, max_size=40), st.randoms(), st.integers(1, 10))
def test_every_payment_goes_once_and_behind_its_parties(
    story: list[tuple[str, str]], dice: object, most: int
) -> None:
    """In whatever order verdicts come."""
    lanes = Lanes()
    for at, each in enumerate(story):
        lanes.add(at, each)
    open_now: list[int] = []
    order: list[int] = []
    while len(lanes):
        open_now += lanes.take(most)
        assert 0 < len(open_now) <= most
        busy = [party for at in open_now for party in story[at]]
        assert len(set(busy)) == len(busy)
        done = open_now.pop(dice.randrange(len(open_now)))
        assert lanes.judged(done)
        order.append(done)

    assert sorted(order) == list(range(len(story)))
    for party in {name for each in story for name in each}:
        own = [at for at in order if party in story[at]]
        assert own == sorted(own)
