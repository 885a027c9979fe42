"""What is true of the books whatever is heard, in whatever order, however often."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.telling import after, hear
from tests.unit.test_ledger import CREATED, NEVER_SHIPPED, STOPPED, paid, refunded
from workflows.ledger import process as ledger
from workflows.ledger.messages import EntryPosted
from workflows.payment.messages import PaymentCompleted
from workflows.shared.message import Message
from workflows.shipping.messages import ShipmentDelivered

DELIVERED = ShipmentDelivered(order_id="o1", shipment_id="s1")

payments = st.builds(paid, st.integers(500, 10_000), st.integers(-499, 2_000))


@st.composite
def orders(draw: st.DrawFn) -> list[Message]:
    """Return all facts of one order: delivered with returns, stopped on its way, or never sent."""
    payment = draw(payments)
    back = refunded("f0", payment.amount_minor)
    returns = draw(st.lists(st.integers(1, 100), max_size=3))
    kept = [refunded(f"f{at}", amount, f"r{at}") for at, amount in enumerate(returns, start=1)]
    ends = [[CREATED, DELIVERED, *kept], [CREATED, STOPPED, back], [NEVER_SHIPPED, back]]
    return [payment, *draw(st.sampled_from(ends))]


@st.composite
def hearings(draw: st.DrawFn) -> tuple[list[Message], list[Message]]:
    """Return the facts of an order, and the same in another order with repetitions."""
    story = draw(orders())
    again = draw(st.lists(st.sampled_from(story), max_size=5))
    return story, draw(st.permutations([*story, *again]))


def entries(story: list[Message]) -> list[EntryPosted]:
    """Return every entry that `story` makes."""
    memory, made = ledger.INITIAL, []
    for word in story:
        memory, told = hear(ledger, memory, word)
        made += told
    return made


def settled(story: list[Message]) -> dict[str, int]:
    """Return what stands on the accounts at the end; what is zero is nothing."""
    balances = after(ledger, *story)[0].balances
    return {account: amount for account, amount in balances.items() if amount}


@settings(max_examples=100)
@given(hearings())
def test_every_entry_is_balanced(heard: tuple[list[Message], list[Message]]) -> None:
    """Debits equal credits, each side is one of both, and no entry is empty."""
    for made in entries(heard[1]):
        debits = sum(side.debit_minor for side in made.postings)
        assert debits == sum(side.credit_minor for side in made.postings)
        assert debits > 0
        assert all((side.debit_minor > 0) != (side.credit_minor > 0) for side in made.postings)


@settings(max_examples=100)
@given(hearings())
def test_the_order_of_arrival_does_not_matter(
    heard: tuple[list[Message], list[Message]],
) -> None:
    """The same facts leave the same balances, however often and in whatever order."""
    story, shuffled = heard

    assert settled(story) == settled(shuffled)


@settings(max_examples=100)
@given(hearings())
def test_each_fact_is_posted_once(heard: tuple[list[Message], list[Message]]) -> None:
    """No id twice, and the balances are the sum of what was posted."""
    made = entries(heard[1])
    sums = Counter[str]()
    for side in (side for entry in made for side in entry.postings):
        sums[side.account] += side.debit_minor - side.credit_minor

    assert len(made) == len({entry.entry_id for entry in made})
    assert dict(sums) == after(ledger, *heard[1])[0].balances


@settings(max_examples=100)
@given(hearings())
def test_hearing_it_twice_posts_nothing_more(
    heard: tuple[list[Message], list[Message]],
) -> None:
    """Once posted, always posted."""
    memory = ledger.INITIAL
    for word in heard[1]:
        memory, _ = hear(ledger, memory, word)
        assert (memory, ()) == hear(ledger, memory, word)


@settings(max_examples=100)
@given(hearings())
def test_at_the_end_nobody_owes_anybody(heard: tuple[list[Message], list[Message]]) -> None:
    """A delivered order leaves no receivable; one that was taken back leaves nothing at all."""
    story, shuffled = heard
    payment = story[0]
    assert isinstance(payment, PaymentCompleted)
    given_back = sum(word.amount_minor for word in story if hasattr(word, "refund_id"))
    charges = payment.charges_minor
    sold = {
        "cash_at_provider": payment.amount_minor - given_back,
        "revenue": -payment.goods_minor - min(charges, 0),
        "shipping": -max(charges, 0),
        "refunds": given_back,
    }
    expected = sold if DELIVERED in story else {}

    assert {name: amount for name, amount in expected.items() if amount} == settled(shuffled)
