"""A part of a refund that came short fails later: what the customer has not got is due again."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.examples.cases import DISPUTE_CASE, INQUIRY_CASE
from tests.support.examples.payment import CANCELLED, NOTICE, PLACED
from tests.support.examples.short_refunds import (
    BOUGHT,
    RETURNED,
    SHORT,
    decided,
    emitted_by,
    paid,
    refunds_in,
)
from tests.support.workflow_runner import (
    START_MS,
    Received,
    after,
    alarm,
    due_seconds,
    receive,
)
from workflows.ledger import process as ledger
from workflows.notification import process as notification
from workflows.order import process as order
from workflows.order import returns
from workflows.order.fact_projection import project
from workflows.order.facts import Facts
from workflows.payment import process as payment
from workflows.payment import refund
from workflows.payment.books import lines_of_payment
from workflows.payment.dispute_messages import RefundCoveredByDispute
from workflows.payment.messages import PaymentRefunded, PaymentRefundFailed, RefundCaseOpened
from workflows.payment.provider_messages import (
    InquireRefund,
    ProviderNotified,
    RefundCharge,
    RefundFailed,
    RefundPending,
    RefundUnknown,
)
from workflows.payment.refund import left_minor
from workflows.payment.refund_answers import put
from workflows.payment.refund_evolution import cases
from workflows.shared.message import Message


def noticed(number: int = 0) -> ProviderNotified:
    """Return a webhook about a refund."""
    return ProviderNotified(kind="refund_changed", refund_id=f"re_{number}", **NOTICE)


def lost(round_: int = 0, key: str = "r1") -> RefundFailed:
    """Return that the refund of a round has failed at the provider."""
    return RefundFailed(
        transaction_id="o1",
        refund_key=key,
        refund_id=f"re_{round_}",
        round=round_,
        reason="closed",
    )


RETRIED: list[Received] = [*SHORT, decided("retry")]
WHOLE: list[Received] = [*RETRIED, paid(1, 2)]
BY_HAND: list[Received] = [*SHORT, decided("settled", "bank-7")]
ASKED: list[Received] = [noticed(), alarm(2)]
INQUIRY = InquireRefund(
    transaction_id="o1",
    payment_id="pi",
    refund_key="r1",
    refund_id="re_0",
    round=0,
    attempt=1,
    asked_at_ms=START_MS,
)


def charges_in(story: list[Received]) -> list[tuple[int, int]]:
    """Return the round and the amount of each refund that is asked for, after the first."""
    requests = [each for each in emitted_by(story) if isinstance(each, RefundCharge)]
    return [(each.round, each.amount_minor) for each in requests[1:]]


def failures_in(story: list[Received]) -> list[tuple[str, int, int, bool]]:
    return [
        (each.refund_id, each.amount_minor, each.left_minor, each.tries_again)
        for each in emitted_by(story)
        if isinstance(each, PaymentRefundFailed)
    ]


@pytest.mark.parametrize(
    ("story", "emitted", "due"),
    [
        pytest.param([*WHOLE, noticed()], (), 2, id="it is asked about soon"),
        pytest.param([*WHOLE, *ASKED], (INQUIRY,), 32, id="and it is"),
        pytest.param([*SHORT, *ASKED], (replace(INQUIRY, asked_at_ms=START_MS),), 32, id="a case"),
        pytest.param([*WHOLE, *ASKED, paid(399)], (), 32, id="an earlier answer refutes nothing"),
        pytest.param(
            [*WHOLE, *ASKED, replace(paid(399), attempt=1)], (), None, id="it was refunded"
        ),
        pytest.param(
            [*WHOLE, *ASKED, alarm(32)], (replace(INQUIRY, attempt=2),), 62, id="no answer: again"
        ),
        pytest.param(
            [*WHOLE, *ASKED, (RefundUnknown(transaction_id="o1", refund_key="r1", attempt=1,
                                            reason="slow"), 3)],
            (), 5, id="no clear answer: again, sooner",
        ),
        pytest.param([*WHOLE, noticed(7)], (), None, id="nobody knows of that one"),
        pytest.param([*BY_HAND, *ASKED], (INQUIRY,), 32, id="beside one that was paid by hand"),
        pytest.param([*RETURNED, noticed(), paid(399)], None, 2, id="it overtakes the answer"),
        pytest.param(
            [*RETURNED, noticed(), paid(399), alarm(2)], (INQUIRY,), 32, id="and is not forgotten"
        ),
    ],
)  # fmt: skip
def test_a_webhook_about_a_part_is_asked_about(
    story: list[Received], emitted: Any, due: float | None
) -> None:
    """It is a hint: the provider says what has become of it."""
    state, messages = after(payment, *story)

    assert emitted is None or emitted == messages
    assert due == due_seconds(payment, state)


@pytest.mark.parametrize(
    ("story", "failures", "charges"),
    [
        pytest.param(
            [*WHOLE, lost()], [("re_0", 399, 0, True)], [(1 + 1, 1), (3, 399)],
            id="it is asked for again",
        ),
        pytest.param(
            [*WHOLE, lost(), lost(), lost()], [("re_0", 399, 0, True)], [(2, 1), (3, 399)],
            id="once",
        ),
        pytest.param(
            [*RETRIED, lost()], [("re_0", 399, 1, True)], [(2, 1)],
            id="the rest is on its way: then",
        ),
        pytest.param(
            [*RETRIED, lost(), paid(1, 2)], [("re_0", 399, 1, True)], [(2, 1), (3, 399)],
            id="and then",
        ),
        pytest.param(
            [*RETRIED, lost(), lost(2)],
            [("re_0", 399, 1, True), ("re_2", 1, 399, False)], [(2, 1)],
            id="the rest fails as well: one case of all",
        ),
        pytest.param(
            [*SHORT, lost()], [("re_0", 399, 1, False)], [], id="the rest is a case: of all of it"
        ),
        pytest.param(
            [*SHORT, lost(), decided("retry")], [("re_0", 399, 1, False)], [(3, 400)],
            id="which is tried again",
        ),
        pytest.param(
            [*BY_HAND, lost()], [("re_0", 399, 0, True)], [(2, 399)],
            id="a part, not what was paid by hand",
        ),
        pytest.param(
            [*WHOLE, lost(), lost(3)], [("re_0", 399, 0, True), ("re_3", 399, 0, False)],
            [(2, 1), (3, 399)], id="no third time",
        ),
        pytest.param(
            [*WHOLE, lost(), paid(399, 3), lost(2)],
            [("re_0", 399, 0, True), ("re_2", 1, 0, False)], [(2, 1), (3, 399)],
            id="a part of a later round is a case",
        ),
        pytest.param(
            [*WHOLE, lost(2)], [("re_2", 1, 0, False)], [(2, 1)], id="the last part, as ever"
        ),
    ],
)  # fmt: skip
def test_a_part_that_fails_is_due_again(
    story: list[Received], failures: Any, charges: list[tuple[int, int]]
) -> None:
    """Just its amount, in a round of its own; a second time, or beside a case, an operator."""
    state, _ = after(payment, *story)
    left = {"r1": cases(state.refunds).get("r1", None)}

    assert failures == failures_in(story)
    assert charges == charges_in(story)
    assert 600 == left_minor(state.refunds, state.bill)
    assert all(tries or left["r1"] is not None or story[-1] == decided("retry")
               for *_, tries in failures)  # fmt: skip


@pytest.mark.parametrize(
    ("more", "case"),
    [
        pytest.param([*WHOLE, lost(), lost(3)], 399, id="of what has failed twice"),
        pytest.param([*SHORT, lost()], 400, id="of the rest as well"),
        pytest.param([*RETRIED, lost(), lost(2)], 400, id="of both that failed"),
    ],
)
def test_a_case_is_of_what_the_customer_has_not_got(more: list[Received], case: int) -> None:
    """A decision that was made about less is about another round."""
    opened = [each for each in emitted_by(more) if isinstance(each, RefundCaseOpened)]
    state, _ = after(payment, *more)
    round_ = cases(state.refunds)["r1"]
    late = replace(decided("settled", "bank-8"), round=round_ - 1, decided_by="ann")
    paid_by_hand = [*more, replace(late, round=round_)]

    assert case == opened[-1].amount_minor
    assert "it does not wait" in receive(payment, state, late)[1][0].reason  # pyright: ignore[reportAttributeAccessIssue]
    assert ("bank-8", case, 0, True) == refunds_in(paid_by_hand)[-1]


@pytest.mark.parametrize(
    ("story", "books", "lines"),
    [
        pytest.param(
            [*WHOLE, lost()], (1, 0), [("r1/2", "re_2", 1, False), ("r1/3", "", 399, True)],
            id="it is reversed",
        ),
        pytest.param(
            [*WHOLE, lost(), paid(399, 3)], (400, 0),
            [("r1/2", "re_2", 1, False), ("r1/3", "re_3", 399, False)], id="and paid",
        ),
        pytest.param(
            [*RETRIED, lost(), paid(1, 2), paid(399, 3)], (400, 0),
            [("r1/2", "re_2", 1, False), ("r1/3", "re_3", 399, False)],
            id="after the rest that was on its way",
        ),
        pytest.param(
            [*BY_HAND, lost(), paid(399, 2)], (399, 1), [("r1/2", "re_2", 399, False)],
            id="the provider has no line of the bank's part",
        ),
        pytest.param(
            [*BY_HAND, lost(), lost(2), decided("settled", "bank-7")], (0, 400), [],
            id="the same transfer pays both",
        ),
        pytest.param(
            [*BY_HAND, lost(), paid(398, 2), decided("settled", "bank-7"), lost(2),
             decided("settled", "bank-7")], (0, 400), [], id="and all three",
        ),
        pytest.param(
            [*WHOLE, lost(), paid(398, 3), lost(3), decided("retry"), paid(399, 6)], (400, 0),
            [("r1/2", "re_2", 1, False), ("r1/6", "re_6", 399, False)], id="and it comes short",
        ),
    ],
)  # fmt: skip
def test_the_books_have_what_the_customer_has(
    story: list[Received], books: Any, lines: Any
) -> None:
    """Each entry once, whatever fails; and reconciliation knows each by key and round."""
    emitted = emitted_by(story)
    entries = after(ledger, *emitted, *emitted)[0].balances
    row = list(lines_of_payment(after(payment, *story)[0], START_MS))

    assert (1_000 - books[0], -books[1], sum(books)) == (
        entries["cash_at_provider"], entries.get("cash_at_bank", 0), entries["refunds"],
    )  # fmt: skip
    assert lines == [
        (each.key, each.reference, each.amount_minor, each.open)
        for each in row
        if each.kind == "refund"
    ]


@pytest.mark.parametrize(
    ("story", "refunded", "sums"),
    [
        pytest.param([*WHOLE, lost()], False, (0, 1), id="it is not refunded any more"),
        pytest.param([*WHOLE, lost(), paid(399, 3)], True, (1, 400), id="it is again"),
        pytest.param([*SHORT, lost()], False, (0, 0), id="it never was"),
        pytest.param([*RETRIED, lost(), paid(1, 2)], False, (0, 1), id="the rest is not all"),
        pytest.param(
            [*RETRIED, lost(), paid(1, 2), paid(399, 3)], True, (1, 400), id="both are all"
        ),
        pytest.param([*BY_HAND, lost(), paid(399, 2)], True, (1, 400), id="with the bank's"),
    ],
)
def test_a_return_is_refunded_while_all_of_it_is(
    story: list[Received], refunded: bool, sums: tuple[int, int]
) -> None:
    """In the order and in the facts that `verify` counts; the customer reads each of it once."""
    order_returns = returns.Returns(
        by_id={"r1": returns.Return(amount_minor=400, status="accepted")}
    )
    facts, emitted = Facts(), emitted_by(story)
    for each in emitted:
        order_returns = returns.evolve(order_returns, each)
        project(facts, each, START_MS)
    counted = facts.orders["o1"].returned("r1")
    failed = [each for each in emitted if isinstance(each, PaymentRefundFailed)]
    [message] = after(notification, *emitted[: emitted.index(failed[0]) + 1])[1]

    assert refunded is order_returns.by_id["r1"].refunded
    assert sums == (counted.refunds, counted.refunded_minor)
    assert "Your bank has refused 3.99 GBP." in getattr(message, "text", "")


def test_two_parts_that_fail_at_once_are_asked_for_together() -> None:
    """The refund counts as one less, not two."""
    parts: list[Received] = [*WHOLE, lost(), paid(399, 3)]
    state = after(payment, *parts)[0]
    one_refund = state.refunds.by_key["r1"]
    [part] = [replace(each, is_failed=True) for each in one_refund.parts]
    both = (part, replace(part, refund_id="re_9", round=0))
    more = replace(one_refund, parts=both, amount_minor=398)
    state = replace(state, refunds=put(state.refunds, "r1", more))
    _, emitted = receive(payment, state, noticed(7))

    assert [0, 1] == [each.left_minor for each in emitted if isinstance(each, PaymentRefundFailed)]
    assert not [each for each in emitted if isinstance(each, RefundCharge)]
    assert [2] == [each.amount_minor for each in emitted if isinstance(each, RefundCaseOpened)]


def test_a_cancelled_order_owes_what_has_come_back() -> None:
    """Its refund is on its way again, until all of its money is back."""
    whole: list[Received] = [*BOUGHT, CANCELLED, paid(999, key="compensation")]
    whole += [decided("retry", key="compensation"), paid(1, 2, key="compensation")]
    lost_part, again = lost(key="compensation"), paid(999, 3, key="compensation")
    ends = [whole, [*whole, lost_part], [*whole, lost_part, again]]
    orders = [
        after(order, PLACED, emitted_by(each)[0], CANCELLED, *emitted_by(each)[1:])[0]
        for each in ends
    ]

    assert ["refunded", "completed", "refunded"] == [each.payment.status for each in orders]
    assert [1_000, 1, 1_000] == [each.compensated_minor for each in orders]


def test_what_a_bank_has_covered_is_no_end_of_a_part_that_comes_back() -> None:
    """The bank has paid the rest of a cancelled order's refund: the part is due all the same."""
    about: dict[str, Any] = {"transaction_id": "o1", "payment_id": "pi", "currency": "GBP"}
    about |= {"kind": "compensation"}
    part = PaymentRefunded(**about, refund_id="re_0", amount_minor=999, left_minor=1)
    covered = RefundCoveredByDispute(
        **about, refund_key="compensation", dispute_id="du", amount_minor=1, left_minor=0
    )
    back = PaymentRefundFailed(
        **about, refund_id="re_0", amount_minor=999, reason="closed", was_refunded=True
    )
    again = replace(part, refund_id="re_3", left_minor=0)
    closed = [PLACED, after(payment, *BOUGHT)[1][0], CANCELLED, part, covered]
    orders = [after(order, *closed, *more)[0] for more in ([], [back], [back, again])]

    assert ["charged_back", "completed", "refunded"] == [each.payment.status for each in orders]
    assert [999, 0, 999] == [each.compensated_minor for each in orders]


def test_a_dispute_holds_what_is_due_again_and_not_that_it_came_back() -> None:
    """The ledger reverses it at once; the provider is asked once the bank has decided."""
    state = after(payment, *WHOLE)[0]
    one_refund = state.refunds.by_key["r1"]
    part = replace(one_refund.parts[0], is_failed=True)
    waits = put(state.refunds, "r1", replace(one_refund, parts=(part,), status="owed", asks=0))
    blocked, free = (
        refund.pending(waits, state.bill, "pi", is_blocked=each) for each in (True, False)
    )

    assert ["PaymentRefundFailed"] == [type(each).__name__ for each in blocked]
    assert ["PaymentRefundFailed", "RefundCharge"] == [type(each).__name__ for each in free]


def old_case() -> Any:
    """Return a payment whose refund came short before refunds were posted in parts."""
    state = after(payment, *RETURNED)[0]
    short = replace(state.refunds.by_key["r1"], status="case", refund_id="re_0",
                    case_emitted=True, reason="refunded 399, asked for 400")  # fmt: skip
    return replace(state, refunds=put(state.refunds, "r1", short))


def texts(emitted: tuple[Message, ...]) -> list[tuple[Any, ...]]:
    names = ("refund_id", "amount_minor", "left_minor", "round")
    return [
        (type(each).__name__, *(getattr(each, name) for name in names if hasattr(each, name)))
        for each in emitted
    ]


@pytest.mark.parametrize(
    ("decision", "emitted"),
    [
        pytest.param(
            decided("retry"),
            [
                ("PaymentRefunded", "re_0", 399, 1),
                ("InquireRefund", "re_0", 0),
                ("RefundCharge", 1, 1),
            ],
            id="only the rest is asked for",
        ),
        pytest.param(
            replace(decided("settled", "re_0"), amount_minor=399),
            [
                ("PaymentRefunded", "re_0", 399, 1),
                ("InquireRefund", "re_0", 0),
                ("RefundCaseOpened", 1),
            ],
            id="the provider's own refund settles what it has paid",
        ),
        pytest.param(
            replace(decided("settled", "re_0"), amount_minor=400, round=0),
            [("CaseDecisionRefused",)],
            id="and no more than that",
        ),
        pytest.param(
            decided("settled", "bank-7"),
            [("PaymentRefunded", "bank-7", 400, 0)],
            id="an operator who has paid all of it says so",
        ),
    ],
)
def test_an_old_case_asks_for_what_is_left(
    decision: Message, emitted: list[tuple[Any, ...]]
) -> None:
    """Of a row that is older than parts: what it was refunded is posted at last."""
    assert emitted == texts(receive(payment, old_case(), decision)[1])


# --- beside disputes, and long after -------------------------------------------------

CHARGEBACK: list[Received] = [
    *DISPUTE_CASE[2:4],
    replace(DISPUTE_CASE[-1], is_charge_refundable=False),
]
"""The bank takes the whole payment: nothing is refunded beside it."""
DAYS = 20 * 86_400


def kinds(story: list[Received]) -> list[str]:
    return [type(each).__name__ for each in after(payment, *story)[1]]


def test_what_was_paid_by_hand_is_no_refund_of_ours_to_a_bank_that_asks() -> None:
    """To the bank the rest is a part of the payment, and it may take all of it besides."""
    story = [
        *BOUGHT, CANCELLED, paid(999, key="compensation"),
        decided("settled", "bank-7", "compensation"), *INQUIRY_CASE[2:5], lost(key="compensation"),
    ]  # fmt: skip

    assert ["PaymentRefundFailed", "PaymentRefundHeld"] == kinds(story)


def test_what_comes_back_long_after_is_late_by_its_own_time() -> None:
    """It was paid in time, and three weeks later it failed."""
    unknown = RefundUnknown(transaction_id="o1", refund_key="r1", round=3, attempt=0, reason="500")
    again: list[Received] = [*WHOLE, (lost(), DAYS)]

    assert ["RefundCharge"] == kinds([*again, (unknown, DAYS), alarm(DAYS + 1)])
    assert "RefundOverdue" in [
        name for at in (30, 60, 330, 400) for name in kinds([*again, alarm(DAYS + at)])
    ]


def test_a_part_that_fails_beside_the_case_of_another_is_counted_back_once() -> None:
    """All of it had counted as one refund, and the first failure ended that."""
    story = [*WHOLE, lost(2), lost()]

    assert [("re_2", 1, 0, False), ("re_0", 399, 1, False)] == failures_in(story)


@pytest.mark.parametrize(
    ("story", "amounts", "charges"),
    [
        pytest.param([*WHOLE, *CHARGEBACK, lost(), lost(2)], [400], [], id="two parts"),
        pytest.param([*WHOLE, *CHARGEBACK, lost()], [], [], id="one that is asked for again"),
    ],
)
def test_what_comes_back_into_a_held_round_keeps_its_case(
    story: list[Received], amounts: list[int], charges: list[int]
) -> None:
    """An operator decides about what was asked for often enough; nothing is asked meanwhile."""
    emitted = emitted_by(story)[len(emitted_by([*WHOLE, *CHARGEBACK])) :]

    assert amounts == [each.amount_minor for each in emitted if isinstance(each, RefundCaseOpened)]
    assert charges == [each.amount_minor for each in emitted if isinstance(each, RefundCharge)]


def test_a_held_round_that_grows_is_said_to_be_held_again() -> None:
    """The failure of the part had ended that the return says so."""
    story = [*SHORT, *CHARGEBACK, decided("retry"), lost()]

    last = emitted_by(story)[-1]
    assert ("PaymentRefundHeld", 400) == (type(last).__name__, last.amount_minor)


def test_a_part_that_is_pending_again_is_not_asked_about_for_ever() -> None:
    """The provider says something: the next webhook says more."""
    pending = RefundPending(
        transaction_id="o1", refund_key="r1", refund_id="re_0", round=0, attempt=1, status="pending"
    )

    assert payment.due(after(payment, *WHOLE, *ASKED, pending)[0]) is None
