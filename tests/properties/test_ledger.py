"""What is true of the books whatever is received, in whatever order, however often."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples.ledger import CREATED, NEVER_SHIPPED, STOPPED, paid, refunded
from tests.support.workflow_runner import after, receive
from workflows.ledger import process as ledger
from workflows.ledger.messages import EntryPosted
from workflows.payment.capture_messages import PaymentWrittenOff
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
    refunds = [refunded(f"f{at}", amount, f"r{at}") for at, amount in enumerate(returns, start=1)]
    ends = [[CREATED, DELIVERED, *refunds], [CREATED, STOPPED, back], [NEVER_SHIPPED, back]]
    return [payment, *draw(st.sampled_from(ends))]


@st.composite
def written_off_orders(draw: st.DrawFn) -> list[Message]:
    """Return all facts of an order that was written off after it had left; perhaps paid later."""
    payment = draw(payments)
    lost = PaymentWrittenOff(
        transaction_id=payment.transaction_id,
        amount_minor=payment.amount_minor,
        goods_minor=payment.goods_minor,
        charges_minor=payment.charges_minor,
        currency=payment.currency,
    )
    ends = [[], [STOPPED], [payment], [payment, refunded("f1", 100, "r1")]]
    return [CREATED, lost, *draw(st.sampled_from(ends))]


def arrivals(
    stories: st.SearchStrategy[list[Message]],
) -> st.SearchStrategy[tuple[list[Message], list[Message]]]:
    """Return the facts of an order, and the same in another order with repetitions."""

    def received(story: list[Message]) -> st.SearchStrategy[tuple[list[Message], list[Message]]]:
        repeated = st.lists(st.sampled_from(story), max_size=5)
        shuffled = repeated.flatmap(lambda again: st.permutations([*story, *again]))
        return st.tuples(st.just(story), shuffled)

    return stories.flatmap(received)


def entries(story: list[Message]) -> list[EntryPosted]:
    """Return every entry that `story` makes."""
    state, all_entries = ledger.INITIAL, []
    for message in story:
        state, emitted = receive(ledger, state, message)
        all_entries += emitted
    return all_entries


def balances_after(story: list[Message]) -> dict[str, int]:
    """Return what stands on the accounts at the end; what is zero is nothing."""
    balances = after(ledger, *story)[0].balances
    return {account: amount for account, amount in balances.items() if amount}


@settings(max_examples=100)
@given(arrivals(orders()))
def test_every_entry_is_balanced(received: tuple[list[Message], list[Message]]) -> None:
    """Debits equal credits, each side is one of both, and no entry is empty."""
    for entry in entries(received[1]):
        debits = sum(side.debit_minor for side in entry.postings)
        assert debits == sum(side.credit_minor for side in entry.postings)
        assert debits > 0
        assert all((side.debit_minor > 0) != (side.credit_minor > 0) for side in entry.postings)


@settings(max_examples=100)
@given(arrivals(orders() | written_off_orders()))
def test_the_order_of_arrival_does_not_matter(
    received: tuple[list[Message], list[Message]],
) -> None:
    """The same facts leave the same balances, however often and in whatever order."""
    story, shuffled = received

    assert balances_after(story) == balances_after(shuffled)


@settings(max_examples=100)
@given(arrivals(orders() | written_off_orders()))
def test_each_fact_is_posted_once(received: tuple[list[Message], list[Message]]) -> None:
    """No id twice, and the balances are the sum of what was posted."""
    all_entries = entries(received[1])
    sums = Counter[str]()
    for side in (side for entry in all_entries for side in entry.postings):
        sums[side.account] += side.debit_minor - side.credit_minor

    assert len(all_entries) == len({entry.entry_id for entry in all_entries})
    assert dict(sums) == after(ledger, *received[1])[0].balances


@settings(max_examples=100)
@given(arrivals(orders()))
def test_receiving_it_twice_posts_nothing_more(
    received: tuple[list[Message], list[Message]],
) -> None:
    """Once posted, always posted."""
    state = ledger.INITIAL
    for message in received[1]:
        state, _ = receive(ledger, state, message)
        assert (state, ()) == receive(ledger, state, message)


@settings(max_examples=100)
@given(arrivals(orders()))
def test_at_the_end_nobody_owes_anybody(received: tuple[list[Message], list[Message]]) -> None:
    """A delivered order leaves no receivable; one that was compensated leaves nothing at all."""
    story, shuffled = received
    payment = story[0]
    assert isinstance(payment, PaymentCompleted)
    refunds_minor = sum(message.amount_minor for message in story if hasattr(message, "refund_id"))
    charges = payment.charges_minor
    sold = {
        "cash_at_provider": payment.amount_minor - refunds_minor,
        "revenue": -payment.goods_minor - min(charges, 0),
        "shipping": -max(charges, 0),
        "refunds": refunds_minor,
    }
    expected = sold if DELIVERED in story else {}

    assert {name: amount for name, amount in expected.items() if amount} == balances_after(shuffled)
