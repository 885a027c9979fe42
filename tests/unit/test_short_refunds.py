"""The provider refunds another amount than it was asked for, by example."""

from typing import Any

import pytest

from tests.support.examples.payment import CANCELLED, PLACED
from tests.support.examples.short_refunds import (
    BOUGHT,
    MORE,
    RETURNED,
    SHORT,
    decided,
    emitted_by,
    paid,
    refunds_in,
)
from tests.support.workflow_runner import START_MS, Received, after
from workflows.ledger import process as ledger
from workflows.notification import process as notification
from workflows.order import process as order
from workflows.order import returns
from workflows.order.fact_projection import project
from workflows.order.facts import Facts
from workflows.payment import process as payment
from workflows.payment.books import lines_of_payment
from workflows.payment.dispute_messages import RefundCoveredByDispute
from workflows.payment.messages import PaymentRefunded, PaymentRefundFailed
from workflows.payment.provider_messages import RefundCharge
from workflows.payment.refund import left_minor


@pytest.mark.parametrize(
    ("more", "refunds"),
    [
        pytest.param([], [], id="a case waits"),
        pytest.param([decided("retry"), paid(1, 9)], [], id="an answer of no round says nothing"),
        pytest.param(
            [decided("retry"), paid(1, 2)], [("re_2", 1, 0, False)], id="the provider pays the rest"
        ),
        pytest.param(
            [decided("settled", "bank-7")], [("bank-7", 1, 0, True)], id="the bank pays the rest"
        ),
        pytest.param([decided("settled", "re_0")], [], id="a part is not the rest as well"),
        pytest.param(
            [decided("settled", "re_0"), decided("settled", "re_9")],
            [("re_9", 1, 0, False)],
            id="somebody has made another at the provider",
        ),
    ],
)
def test_what_is_left_is_asked_for_and_no_more(more: list[Received], refunds: Any) -> None:
    """In sum the customer gets what was due, and the books say so line by line."""
    story = [*SHORT, *more]
    amounts_minor = [
        each.amount_minor for each in emitted_by(story) if isinstance(each, RefundCharge)
    ]

    assert [("re_0", 399, 1, False), *refunds] == refunds_in(story)
    assert amounts_minor == [400, *[1 for each in more if each == decided("retry")]]


@pytest.mark.parametrize(
    ("story", "books", "lines"),
    [
        pytest.param(
            SHORT, (399, 0), [("r1", "re_0", 399, False), ("r1/1", "", 1, True)], id="a part"
        ),
        pytest.param(
            [*SHORT, decided("retry"), paid(1, 2)],
            (400, 0),
            [("r1", "re_0", 399, False), ("r1/2", "re_2", 1, False)],
            id="and the rest",
        ),
        pytest.param(
            [*SHORT, decided("settled", "bank-7")],
            (399, 1),
            [("r1", "re_0", 399, False)],
            id="or by the bank",
        ),
        pytest.param(MORE, (401, 0), [("r1", "re_0", 401, False)], id="more than was asked for"),
    ],
)
def test_the_books_have_what_was_paid(story: list[Received], books: Any, lines: Any) -> None:
    """At once, and each refund as a line of its own: reconciliation knows it by key and round."""
    entries = after(ledger, *emitted_by(story))[0].balances
    row = list(lines_of_payment(after(payment, *story)[0], START_MS))

    assert (1_000 - books[0], -books[1]) == (
        entries["cash_at_provider"],
        entries.get("cash_at_bank", 0),
    )
    assert lines == [
        (each.key, each.reference, each.amount_minor, each.open)
        for each in row
        if each.kind == "refund"
    ]


def test_more_than_was_asked_for_is_no_case_and_leaves_less_for_the_next() -> None:
    """Asked for again it would be paid again; what is left of the charge is less by it."""
    state, emitted = after(payment, *MORE)

    assert ["PaymentRefunded"] == [type(each).__name__ for each in emitted]
    assert 599 == left_minor(state.refunds, state.bill)
    assert 600 == left_minor(after(payment, *SHORT)[0].refunds, state.bill)


def test_nothing_at_all_is_a_case_of_the_whole() -> None:
    """There is nothing to post, and the customer reads nothing."""
    story = [*RETURNED, paid(0), decided("retry")]

    assert [] == refunds_in(story)
    assert [400, 400] == [
        each.amount_minor for each in emitted_by(story) if isinstance(each, RefundCharge)
    ]


def test_a_return_is_refunded_once_all_of_it_is() -> None:
    """The order, the facts that verify counts, and what the customer reads."""
    parts = [each for each in emitted_by([*SHORT, decided("retry"), paid(1, 2)])
             if isinstance(each, PaymentRefunded)]  # fmt: skip
    order_returns = returns.Returns(
        by_id={"r1": returns.Return(amount_minor=400, status="accepted")}
    )
    after_part, after_all = (
        returns.evolve(order_returns, parts[0]),
        returns.evolve(returns.evolve(order_returns, parts[0]), parts[1]),
    )
    texts = [getattr(after(notification, *parts[: at + 1])[1][0], "text", "") for at in range(2)]
    facts = Facts()
    for each in parts:
        project(facts, each, START_MS)
    counted = facts.orders["o1"].returned("r1")

    assert [False, True] == [each.by_id["r1"].refunded for each in (after_part, after_all)]
    assert (1, 400) == (counted.refunds, counted.refunded_minor)
    assert (
        "3.99 GBP is on its way back. Of your refund 0.01 GBP are left: we see to it." == texts[0]
    )
    assert "0.01 GBP is on its way back." == texts[1]


def test_an_order_is_cancelled_once_all_of_its_money_is_back() -> None:
    """Two refunds of one key add up; one of them that comes back is taken off again."""
    about: dict[str, Any] = {"transaction_id": "o1", "payment_id": "pi", "currency": "GBP"}
    about |= {"kind": "compensation"}
    part = PaymentRefunded(**about, refund_id="re_0", amount_minor=999, left_minor=1)
    rest = PaymentRefunded(**about, refund_id="re_1", amount_minor=1)
    lost = PaymentRefundFailed(
        **about, refund_id="re_1", amount_minor=1, reason="closed", was_refunded=True
    )
    by_bank = RefundCoveredByDispute(
        **about, refund_key="compensation", dispute_id="du", amount_minor=1, left_minor=0
    )
    [message] = after(notification, part)[1]
    assert "9.99 GBP is on its way back. Of your refund 0.01 GBP" in getattr(message, "text", "")
    bought = [PLACED, after(payment, *BOUGHT)[1][0], CANCELLED, part]
    of = [after(order, *bought, *more)[0] for more in ([], [rest], [rest, lost], [by_bank])]

    assert ["refunding", "refunded", "completed", "charged_back"] == [
        each.payment.status for each in of
    ]
    assert [999, 1_000, 999, 999] == [each.compensated_minor for each in of]
