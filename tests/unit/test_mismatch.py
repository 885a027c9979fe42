"""A charge that is not what was asked for: it is held, named, and goes back as it was taken."""

import pytest
from msgspec.structs import replace

from tests.support.examples.payment import BACK, CANCELLED, PLACED, SUCCEEDED
from tests.support.workflow_runner import START_MS, after
from workflows.analytics import process as analytics
from workflows.analytics.figures import FIGURES
from workflows.ledger import process as ledger
from workflows.order import fact_projection
from workflows.order.facts import Facts
from workflows.order.invariants import judge
from workflows.order.saga_messages import OrderCancelled
from workflows.payment import process as payment
from workflows.payment.cases import open_cases
from workflows.payment.messages import PaymentCompleted, PaymentMismatch
from workflows.payment.provider_capture_messages import ChargeAuthorized, ChargeCaptured
from workflows.payment.provider_messages import ChargeSucceeded, RefundCharge
from workflows.shared.invariants import Moment
from workflows.shared.message import Message
from workflows.shipping.messages import ShipmentCreated

SHORT = ChargeSucceeded(transaction_id="o1", payment_id="pi", amount_minor=999, currency="GBP")
IN_EUROS = ChargeSucceeded(transaction_id="o1", payment_id="pi", amount_minor=1_000, currency="EUR")
LATER = replace(PLACED, capture="at_shipment")
HELD = ChargeAuthorized(
    transaction_id="o1",
    payment_id="pi",
    amount_minor=999,
    currency="GBP",
    capture_before_ms=START_MS + 10**9,
)
HELD_WHOLE = replace(HELD, amount_minor=1_000)
TAKEN_SHORT = ChargeCaptured(transaction_id="o1", payment_id="pi", amount_minor=999, currency="GBP")
OF_BEFORE = ChargeSucceeded(transaction_id="o1", payment_id="pi", amount_minor=1_000)


@pytest.mark.parametrize(
    ("answer", "charged_minor", "charged_currency"),
    [
        pytest.param(SHORT, 999, "GBP", id="a minor unit is missing"),
        pytest.param(IN_EUROS, 1_000, "EUR", id="another currency"),
    ],
)
def test_it_is_named_and_nothing_goes_on(
    answer: ChargeSucceeded, charged_minor: int, charged_currency: str
) -> None:
    """Once; and it goes back, in full and in its own currency, when the order is closed."""
    state, emitted = after(payment, PLACED, answer)
    again = after(payment, PLACED, answer, answer)[1]
    completed, back = after(payment, PLACED, answer, CANCELLED)[1]

    [mismatch] = emitted
    assert isinstance(mismatch, PaymentMismatch)
    assert (1_000, "GBP") == (mismatch.amount_minor, mismatch.currency)
    assert (charged_minor, charged_currency) == (mismatch.charged_minor, mismatch.charged_currency)
    assert () == again
    assert not state.completed_emitted
    assert isinstance(completed, PaymentCompleted)
    assert isinstance(back, RefundCharge)
    assert (charged_minor, charged_currency) == (back.amount_minor, back.currency)
    assert (charged_minor, charged_currency) == (completed.amount_minor, completed.currency)


def test_the_books_follow_what_was_taken() -> None:
    """Nothing is left when it has gone back."""
    story = after(payment, PLACED, SHORT, CANCELLED)[1][:1]
    back = after(payment, PLACED, SHORT, CANCELLED, replace(BACK, amount_minor=999))[1]

    balances = after(ledger, *story, *back)[0].balances

    assert {"cash_at_provider": 0, "customer_receivable": 0} == balances


@pytest.mark.parametrize("answer", [SUCCEEDED, OF_BEFORE])
def test_an_answer_that_names_no_currency_is_believed(answer: ChargeSucceeded) -> None:
    """It is of an earlier version."""
    [completed] = after(payment, PLACED, answer)[1]

    assert isinstance(completed, PaymentCompleted)


@pytest.mark.parametrize(
    ("story", "why"),
    [
        pytest.param([PLACED, SUCCEEDED], "", id="what was asked for"),
        pytest.param([PLACED, SHORT], "has taken 9.99 GBP", id="less"),
        pytest.param([PLACED, IN_EUROS], "has taken 10.00 EUR", id="another currency"),
        pytest.param([PLACED, SHORT, CANCELLED], "", id="which goes back"),
        pytest.param([LATER, HELD], "holds 9.99 GBP", id="less is held"),
        pytest.param([LATER, HELD, CANCELLED], "", id="which is let go"),
        pytest.param(
            [
                LATER,
                HELD_WHOLE,
                ShipmentCreated(order_id="o1", shipment_id="s1"),
                TAKEN_SHORT,
            ],
            "",
            id="less is taken for what has left, which counts as paid",
        ),
    ],
)
def test_it_is_a_case_while_it_holds_the_order(story: list[Message], why: str) -> None:
    """Until the order is closed."""
    cases = open_cases(after(payment, *story)[0])

    assert bool(why) == len(cases)
    assert all("mismatch" == each.kind and why in each.why for each in cases)


def test_its_case_says_whether_items_leave_all_the_same() -> None:
    """They do where the right amount was held before, and another was taken."""
    [held] = open_cases(after(payment, LATER, HELD)[0])
    [short] = open_cases(after(payment, LATER, HELD_WHOLE, TAKEN_SHORT)[0])

    assert "nothing leaves" in held.otherwise
    assert "the items leave" in short.otherwise


def test_the_live_page_and_the_terminal_count_it() -> None:
    """In the figure that analytics counts it in."""
    [mismatch] = after(payment, PLACED, SHORT)[1]
    [figure] = analytics.count(analytics.INITIAL, mismatch, None).counts

    assert figure in {name for group in FIGURES.groups for _, name in group.totals}
    assert figure in {name for _, name in FIGURES.watched}


def test_verify_names_the_order_until_it_has_ended() -> None:
    """A check of its own."""
    mismatch = after(payment, PLACED, SHORT)[1][0]
    facts = Facts()
    fact_projection.project(facts, PLACED, START_MS)
    fact_projection.project(facts, mismatch, START_MS)
    checks = []
    for ended in (False, True):
        if ended:
            fact_projection.project(facts, OrderCancelled(order_id="o1", cause="overdue"), START_MS)
        moment = Moment(now_ms=START_MS)
        [check] = [one for one in judge(facts, moment).checks if one.name == "amounts_agree"]
        checks.append((check.ok, check.offending))

    assert [(False, ("o1",)), (True, ())] == checks
