"""Ids made of other ids: two different pairs never have one name."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.workflow_runner import after
from workflows.ledger import process as ledger
from workflows.notification import process as notification
from workflows.payment.messages import PaymentCompleted, PaymentRefunded
from workflows.shared.limits import Name
from workflows.shared.naming import joined

LIKE = "r" * 111 + "a" + "x" * 15 + "c"
OTHER = "r" * 111 + "b" + "x" * 15 + "a"
"""Sixteen bytes on, a byte once weighed twice as much: what one dead letter added, the other took.
"""
SHORT = "a/b/c~d267d5f33ff17215dc5f2c7bbc50661ec87c22cfb23d59238903d5f13bdac28a"
LONG = (
    "o/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx~"
    "47eebc0830ac2b3296dc29555b3b68fa3b26f76f082a77681046fa613c5abac7"
)
dead_letters = st.text(alphabet="/~a0", min_size=1, max_size=6)
longer = st.builds(lambda text, times: (text * times)[:128], dead_letters, st.integers(1, 128))
parts = st.tuples(longer, longer)


def refunded(return_id: str) -> PaymentRefunded:
    return PaymentRefunded(
        transaction_id="o1",
        payment_id="p1",
        refund_id=return_id,
        amount_minor=105,
        currency="GBP",
        kind="return",
        return_id=return_id,
    )


def paid(order_id: str) -> PaymentCompleted:
    return PaymentCompleted(
        transaction_id=order_id,
        payment_id="p1",
        amount_minor=105,
        goods_minor=105,
        charges_minor=0,
        currency="GBP",
        country="France",
        ordered_at_ms=1,
    )


def test_two_long_returns_have_two_notifications_and_two_entries() -> None:
    """Ids as long as they may be, that once left the same remainder."""
    received = [refunded(LIKE), refunded(OTHER)]

    assert 2 == len({after(notification, each)[1][0].notification_id for each in received})
    assert 2 == len({after(ledger, each)[1][0].entry_id for each in received})


def test_an_order_named_like_a_refund_has_an_entry_of_its_own() -> None:
    """Whoever produces orders chooses their ids, separators included."""
    refund = after(ledger, refunded("r/payment"))[1][0]
    payment = after(ledger, paid("o1/refund/r"))[1][0]

    assert refund.entry_id != payment.entry_id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "b/c"), ("a/b", "c"), id="a separator in the owner"),
        pytest.param(("a/", "b"), ("a", "/b"), id="a separator at its end"),
        pytest.param(("", "a/b"), ("/a", "b"), id="an owner of nothing"),
        pytest.param(("a" * 128, "b" * 128), ("a" * 128, "b" * 127 + "c"), id="long, by its end"),
    ],
)
def test_different_parts_have_different_names(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Pairs that look alike once they are written one after the other."""
    assert joined(*one) != joined(*other)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(("o1", "refund/" + "c" * 200), id="a long name"),
        pytest.param(("a/b", "c"), id="an owner with a separator"),
    ],
)
def test_a_shortened_name_cannot_be_chosen_for_something_else(parts: tuple[str, str]) -> None:
    """What reads like one is shortened itself."""
    name = joined(*parts)
    name_parts = name.split("/", 1)

    assert parts != tuple(name_parts)
    assert name != joined(*name_parts)


@given(one=parts, other=parts)
def test_names_are_equal_only_where_the_parts_are(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    """Over parts made of separators and marks, short and long; and each may be said."""
    assert (one == other) == (joined(*one) == joined(*other))
    assert joined(*one) == msgspec.convert(joined(*one), Name)


@pytest.mark.parametrize(
    ("owner", "name", "then"),
    [
        pytest.param("o1", "payment", "o1/payment", id="a message"),
        pytest.param("o1", "refund/536365/22633", "o1/refund/536365/22633", id="a path"),
        pytest.param("o", "x" * 126, "o/" + "x" * 126, id="the longest that is kept"),
        pytest.param("a/b", "c", SHORT, id="an owner with a separator"),
        pytest.param("o", "x" * 127, LONG, id="a character too many"),
    ],
)
def test_a_name_is_the_same_for_ever(owner: str, name: str, then: str) -> None:
    """Rows of yesterday hold these: under another name it would be emitted a second time."""
    assert then == joined(owner, name)
