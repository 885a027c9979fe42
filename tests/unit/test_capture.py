"""Money that is held at first and taken when the items leave, by example."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.examples.order import CLEARED, DELIVERED, RELEASED, RESERVED
from tests.support.examples.order import PLACED as ORDERED
from tests.support.examples.payment import CANCELLED, PLACED, REJECTED, VOIDED
from tests.support.operators_site import WHY, Site
from tests.support.workflow_runner import START_MS, Received, after, alarm
from workflows.audit.case_decisions import CaptureCaseDecidedByOperator
from workflows.ledger import process as ledger
from workflows.notification import process as notification
from workflows.notification.messages import RequestMessage
from workflows.order import fact_projection
from workflows.order import process as order
from workflows.order.facts import Facts
from workflows.order.invariants import judge
from workflows.order.saga_messages import OrderCancelled
from workflows.payment import process as payment
from workflows.payment import provider_messages as p
from workflows.payment.books import lines_of_payment
from workflows.payment.capture import case_round
from workflows.payment.capture_messages import (
    AuthorizationExpiring,
    CaptureCaseDecided,
    CaptureCaseOpened,
    PaymentAuthorized,
    PaymentVoided,
    PaymentWrittenOff,
)
from workflows.payment.provider_capture_messages import (
    CaptureCharge,
    CaptureRefused,
    CaptureUnknown,
    ChargeAuthorized,
    ChargeCaptured,
)
from workflows.shared.invariants import Moment, ProviderRecord
from workflows.shipping import process as shipping
from workflows.shipping.messages import ShipmentCancelled, ShipmentCreated

LATER = replace(PLACED, capture="at_shipment")
NOT_HELD = "We no longer hold 10.00 GBP on your card."
DAY_SECONDS = 86_400
ENDS_SECONDS = 7 * DAY_SECONDS
HELD = ChargeAuthorized(
    transaction_id="o1",
    payment_id="pi",
    amount_minor=1_000,
    currency="GBP",
    capture_before_ms=START_MS + ENDS_SECONDS * 1_000,
)
SHIPPED = ShipmentCreated(order_id="o1", shipment_id="s1")
CAPTURED = ChargeCaptured(transaction_id="o1", payment_id="pi", amount_minor=1_000, currency="GBP")
REFUSED = CaptureRefused(transaction_id="o1", reason="charge_expired_for_capture")
ENDED = CaptureRefused(transaction_id="o1", is_void=True, reason="automatic")
UNKNOWN = CaptureUnknown(transaction_id="o1", attempt=0, reason="500")
STOPPED = ShipmentCancelled(order_id="o1", cause="cancelled_by_customer", shipment_id="s1")
RETRY = CaptureCaseDecided(transaction_id="o1", decision="retry")
LOSS_DECIDED = CaptureCaseDecided(transaction_id="o1", decision="written_off", reference="case-7")
VOID_UNKNOWN = p.ChargeUnknown(transaction_id="o1", attempt=1, reason="500")
CANCELED_WEBHOOK = p.ProviderNotified(
    transaction_id="o1", notice_id="n", kind="payment_canceled", payment_id="pi", amount_minor=1_000
)


def names(emitted: tuple[Any, ...]) -> list[str]:
    return [type(each).__name__ for each in emitted]


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([], LATER, ["ChargeCard"], id="an order is held"),
        pytest.param([LATER], HELD, ["PaymentAuthorized"], id="which is emitted"),
        pytest.param([LATER, HELD], HELD, [], id="once"),
        pytest.param([LATER, HELD], SHIPPED, ["CaptureCharge"], id="and taken when items leave"),
        pytest.param([LATER, HELD, SHIPPED], SHIPPED, [], id="once too"),
        pytest.param([LATER, HELD, SHIPPED], CAPTURED, ["PaymentCompleted"], id="then it is paid"),
        pytest.param([LATER, HELD], CANCELLED, ["VoidCharge"], id="or it is voided"),
        pytest.param([LATER, HELD], REJECTED, ["VoidCharge"], id="as what is out of stock is"),
        pytest.param(
            [LATER, HELD, CANCELLED], VOIDED, ["PaymentVoided"], id="and nothing is refunded"
        ),
        pytest.param([LATER, HELD, CANCELLED, VOIDED], VOIDED, [], id="which is emitted once"),
        pytest.param(
            [LATER, CANCELLED], HELD, ["VoidCharge"], id="what is cancelled first is voided at once"
        ),
        pytest.param(
            [LATER, CANCELLED, HELD], VOIDED, ["PaymentFailed"], id="and was never authorised"
        ),
        pytest.param(
            [
                LATER,
                HELD,
                CANCELLED,
                (VOID_UNKNOWN, 1),
            ],
            alarm(2),
            ["VoidCharge"],
            id="letting go is repeated until the provider says so",
        ),
        pytest.param([LATER, HELD, SHIPPED], (UNKNOWN, 1), [], id="not knowing waits"),
        pytest.param(
            [LATER, HELD, SHIPPED, (UNKNOWN, 1)], alarm(2), ["CaptureCharge"], id="and asks again"
        ),
        pytest.param([LATER, HELD, SHIPPED], alarm(30), ["CaptureCharge"], id="as no answer does"),
        pytest.param(
            [LATER, HELD, SHIPPED, (UNKNOWN, DAY_SECONDS - 1)],
            alarm(DAY_SECONDS),
            ["CaptureCaseOpened"],
            id="but not for ever",
        ),
        pytest.param([LATER, HELD, SHIPPED], CANCELLED, [], id="a capture under way is waited for"),
        pytest.param(
            [LATER, HELD, SHIPPED, CANCELLED],
            CAPTURED,
            ["PaymentCompleted", "RefundCharge"],
            id="what it took goes back",
        ),
        pytest.param(
            [LATER, HELD, SHIPPED, CANCELLED], REFUSED, ["VoidCharge"], id="or it is let go then"
        ),
        pytest.param(
            [LATER, HELD, SHIPPED], REFUSED, ["CaptureCaseOpened"], id="a refusal is a case"
        ),
        pytest.param(
            [LATER, HELD, SHIPPED],
            ENDED,
            ["PaymentVoided", "CaptureCaseOpened"],
            id="so is a hold that has ended",
        ),
        pytest.param([LATER, HELD, SHIPPED, REFUSED], REFUSED, [], id="one case a round"),
        pytest.param(
            [LATER, HELD, SHIPPED, REFUSED], RETRY, ["CaptureCharge"], id="an operator asks again"
        ),
        pytest.param(
            [LATER, HELD, SHIPPED, REFUSED, RETRY], REFUSED, [], id="the old round says nothing"
        ),
        pytest.param(
            [LATER, HELD, SHIPPED, REFUSED, RETRY],
            replace(REFUSED, round=1),
            ["CaptureCaseOpened"],
            id="the new one is another case",
        ),
        pytest.param(
            [LATER, HELD, SHIPPED, ENDED, RETRY],
            replace(CAPTURED, round=1, payment_id="pi2"),
            ["PaymentCompleted"],
            id="or is paid",
        ),
        pytest.param(
            [LATER, HELD, SHIPPED, REFUSED, RETRY],
            replace(CAPTURED, round=1, payment_id="pi2"),
            ["PaymentVoided", "PaymentCompleted"],
            id="by a card that is charged anew, since the hold has ended meanwhile",
        ),
        pytest.param(
            [LATER, HELD, SHIPPED, REFUSED],
            LOSS_DECIDED,
            ["VoidCharge", "PaymentWrittenOff"],
            id="or an operator gives it up",
        ),
        pytest.param([LATER, HELD, SHIPPED, REFUSED, LOSS_DECIDED], RETRY, [], id="for good"),
        pytest.param([LATER, HELD], RETRY, [], id="a decision without a case changes nothing"),
        pytest.param(
            [LATER, HELD],
            alarm(ENDS_SECONDS - 3_600),
            ["AuthorizationExpiring"],
            id="a hold that nearly ends is emitted",
        ),
        pytest.param(
            [LATER, HELD, (CANCELED_WEBHOOK, 1)],
            alarm(3),
            ["InquireCharge"],
            id="a webhook that it has ended is a hint",
        ),
        pytest.param(
            [LATER, HELD, (CANCELED_WEBHOOK, 1), alarm(3)],
            replace(HELD, attempt=1),
            [],
            id="which the provider may deny",
        ),
        pytest.param(
            [LATER, HELD, (CANCELED_WEBHOOK, 1), alarm(3)],
            replace(VOIDED, attempt=1),
            ["PaymentVoided"],
            id="or confirm",
        ),
        pytest.param(
            [LATER], replace(HELD, amount_minor=999), ["PaymentMismatch"], id="less is held"
        ),
        pytest.param(
            [LATER, replace(HELD, amount_minor=999)], CANCELLED, ["VoidCharge"], id="and let go"
        ),
        pytest.param(
            [LATER, HELD, SHIPPED],
            replace(CAPTURED, amount_minor=999),
            ["PaymentMismatch", "PaymentCompleted"],
            id="less is taken",
        ),
        pytest.param([PLACED], SHIPPED, [], id="money that is taken at once is not taken again"),
    ],
)
def test_what_is_asked_and_emitted(
    earlier: list[Received], when: Received, then: list[str]
) -> None:
    """One message after the other."""
    assert then == names(after(payment, *earlier, when)[1])


def test_what_is_held_and_let_go_has_its_amount() -> None:
    """The card is asked for a hold; the capture and the void name it."""
    [charge] = after(payment, LATER)[1]
    [held] = after(payment, LATER, HELD)[1]
    [capture] = after(payment, LATER, HELD, (SHIPPED, 9))[1]
    [void] = after(payment, LATER, HELD, CANCELLED)[1]
    [voided] = after(payment, LATER, HELD, CANCELLED, VOIDED)[1]

    assert isinstance(charge, p.ChargeCard)
    assert "manual" == charge.capture
    assert isinstance(held, PaymentAuthorized)
    assert (1_000, "GBP", HELD.capture_before_ms) == (
        held.amount_minor,
        held.currency,
        held.capture_before_ms,
    )
    assert isinstance(capture, CaptureCharge)
    assert ("pi", 1_000, START_MS + 9_000) == (
        capture.payment_id,
        capture.amount_minor,
        capture.asked_at_ms,
    )
    assert isinstance(void, p.VoidCharge)
    assert ("pi", "manual") == (void.payment_id, void.capture)
    assert isinstance(voided, PaymentVoided)
    assert (1_000, "GBP", "cancelled") == (voided.amount_minor, voided.currency, voided.reason)


@pytest.mark.parametrize(
    ("story", "texts"),
    [
        pytest.param(
            [CANCELLED, VOIDED],
            [f"{NOT_HELD} Nothing was taken."],
            id="let go",
        ),
        pytest.param(
            [SHIPPED, REFUSED, LOSS_DECIDED, VOIDED],
            [f"{NOT_HELD} Nothing was taken."],
            id="written off",
        ),
        pytest.param(
            [SHIPPED, ENDED],
            [f"{NOT_HELD} Nothing was taken yet: what was sent to you is still due."],
            id="ended with the items on their way",
        ),
        pytest.param(
            [SHIPPED, REFUSED, RETRY, replace(CAPTURED, round=1, payment_id="pi2")],
            [
                f"{NOT_HELD} A new charge has taken its place.",
                "10.00 GBP paid.",
            ],
            id="replaced by a new charge",
        ),
    ],
)
def test_the_customer_reads_what_becomes_of_what_was_held(story: Any, texts: list[str]) -> None:
    """That nothing was taken stands beside no message that all of it is paid."""
    emitted = after(payment, LATER, HELD, *story)[1]
    sent = [each for one in emitted for each in notification.decide(notification.INITIAL, one, 0)]

    assert texts == [each.text for each in sent if isinstance(each, RequestMessage)]


def test_a_row_of_before_is_one_whose_money_is_taken_at_once() -> None:
    """What is stored without the new fields decodes to their defaults."""
    [charge] = after(payment, PLACED)[1]

    assert isinstance(charge, p.ChargeCard)
    assert "automatic" == charge.capture


# --- what the others do about it --------------------------------------------------


def authorized() -> PaymentAuthorized:
    [held] = after(payment, LATER, HELD)[1]
    assert isinstance(held, PaymentAuthorized)
    return held


def test_an_order_is_complete_when_it_is_delivered_and_paid() -> None:
    """Whichever comes last; what is only held confirms it."""
    [paid] = after(payment, LATER, HELD, SHIPPED, CAPTURED)[1]
    held = authorized()
    story = [LATER, held, RESERVED, CLEARED]

    assert ["OrderConfirmed"] == names(after(order, *story)[1])
    assert [] == names(after(order, *story, SHIPPED, DELIVERED)[1])
    assert ["OrderCompleted"] == names(after(order, *story, SHIPPED, DELIVERED, paid)[1])
    assert ["OrderCompleted"] == names(after(order, *story, SHIPPED, paid, DELIVERED)[1])


def test_a_capture_that_does_not_come_is_overdue_and_named() -> None:
    """By a step of its own."""
    story = [LATER, authorized(), RESERVED, CLEARED, SHIPPED, DELIVERED]
    [overdue] = after(order, *story, alarm(300))[1]

    assert "capture" == overdue.step


def test_shipping_stops_what_has_not_left_when_the_hold_ends() -> None:
    """What has left is not called back."""
    expiring = AuthorizationExpiring(
        transaction_id="o1", payment_id="pi", capture_before_ms=HELD.capture_before_ms
    )
    [stopped] = after(shipping, LATER, authorized(), expiring)[1]

    assert isinstance(stopped, ShipmentCancelled)
    assert "payment_expired" == stopped.cause


def test_the_ledger_posts_nothing_before_the_capture_and_a_loss_when_it_is_given_up() -> None:
    """Sale and loss balance; the customer owes nothing any more."""
    _, lost = after(payment, LATER, HELD, SHIPPED, REFUSED, LOSS_DECIDED)[1]
    assert isinstance(lost, PaymentWrittenOff)

    held = after(ledger, authorized(), SHIPPED)[0].balances
    books = after(ledger, authorized(), SHIPPED, lost)[0].balances

    assert {} == held
    assert {
        "customer_receivable": 0,
        "revenue": -900,
        "shipping": -100,
        "bad_debts": 1_000,
    } == books


# --- verify and reconcile ----------------------------------------------------------


def checks(*events: Any, held_minor: int = 0) -> dict[str, tuple[str, ...]]:
    """Return what each check names of one order, by the events about it."""
    facts = Facts()
    for event in events:
        fact_projection.project(facts, event, START_MS)
    provider = {"o1": ProviderRecord(held_minor=held_minor)}
    moment = Moment(now_ms=START_MS + DAY_SECONDS * 1_000, provider=provider)
    return {check.name: check.offending for check in judge(facts, moment).checks}


def test_verify_names_a_case_until_an_operator_has_ended_it() -> None:
    """By a retry that works, or by giving it up."""
    story = [LATER, HELD, SHIPPED, REFUSED]
    [case] = after(payment, *story)[1]
    *_, lost = after(payment, *story, LOSS_DECIDED)[1]
    [paid] = after(payment, *story, RETRY, replace(CAPTURED, round=1))[1]
    events = [LATER, authorized(), SHIPPED, case]

    assert isinstance(case, CaptureCaseOpened)
    assert ("o1",) == checks(*events)["captures_arrive"]
    assert () == checks(*events, lost)["captures_arrive"]
    assert () == checks(*events, paid)["captures_arrive"]


def test_verify_names_no_case_of_an_order_that_was_cancelled_after_it() -> None:
    """Its hold is let go, and no operator can decide about it; a hold that is left is named."""
    story = [LATER, HELD, SHIPPED, REFUSED]
    [case] = after(payment, *story)[1]
    [voided] = after(payment, *story, STOPPED, VOIDED)[1]
    over = OrderCancelled(order_id="o1", cause="cancelled_by_customer")
    events = [LATER, authorized(), CLEARED, RESERVED, SHIPPED, case, STOPPED, voided, over]

    assert isinstance(voided, PaymentVoided)
    assert ("o1",) == checks(*events[:-1])["captures_arrive"]
    assert () == checks(*events)["captures_arrive"]
    assert () == checks(*events, case)["captures_arrive"]
    assert ("o1",) == checks(*events, held_minor=1_000)["holds_add_up"]


def test_an_order_that_was_written_off_and_then_stopped_is_cancelled() -> None:
    """Nothing was taken, so nothing has to come back."""
    story = [LATER, HELD, SHIPPED, REFUSED, LOSS_DECIDED]
    _, lost = after(payment, *story)[1]
    [voided] = after(payment, *story, VOIDED)[1]
    earlier = [ORDERED, authorized(), RESERVED, CLEARED, SHIPPED, lost, voided, STOPPED]

    emitted = [after(order, *earlier)[1], after(order, *earlier, RELEASED)[1]]

    assert [(), (OrderCancelled(order_id="o1", cause="cancelled_by_customer"),)] == emitted


def test_verify_names_a_hold_that_is_left_or_both_taken_and_let_go() -> None:
    """By the events, and by the provider's own file."""
    [paid] = after(payment, LATER, HELD, SHIPPED, CAPTURED)[1]
    [voided] = after(payment, LATER, HELD, CANCELLED, VOIDED)[1]
    over = OrderCancelled(order_id="o1", cause="overdue")
    held = [LATER, authorized()]

    assert () == checks(*held, voided, over)["holds_add_up"]
    assert ("o1",) == checks(*held, over)["holds_add_up"]
    assert ("o1",) == checks(*held, voided, over, held_minor=1_000)["holds_add_up"]
    assert ("o1",) == checks(*held, paid, voided)["holds_add_up"]


def test_what_is_held_is_no_line_of_the_books_and_a_void_is_one() -> None:
    """As the provider's settlement report has it."""
    held, _ = after(payment, LATER, HELD)
    voided, _ = after(payment, LATER, HELD, CANCELLED, VOIDED)
    anew, _ = after(
        payment, LATER, HELD, SHIPPED, ENDED, RETRY, replace(CAPTURED, round=1, payment_id="pi2")
    )
    lines = [
        [(line.kind, line.reference, line.open) for line in lines_of_payment(state, START_MS)]
        for state in (held, voided, anew)
    ]

    assert [
        [],
        [("void", "pi", False)],
        [("void", "pi", False), ("charge", "pi2", False)],
    ] == lines


# --- the operator ---------------------------------------------------------------


async def decide(site: Site, name: str, **changed: str) -> tuple[int, dict[str, Any]]:
    """Return status and body of the answer to a decision."""
    row, _ = after(payment, LATER, HELD, SHIPPED, REFUSED)
    site.queries.keep("payment", "o1", row)
    body = {**WHY, "decision": "written_off", "reference": "case-7", **changed}
    path = "/operators/orders/o1/capture-case"
    answer = await site.client.post(path, json=body, headers=site.machine(name))
    return answer.status, await answer.json()


async def test_a_decision_is_audited_and_then_emitted(site: Site) -> None:
    """Who, why and what first; repeated, it is the same event."""
    statuses = [(await decide(site, "pat"))[0] for _ in range(2)]

    assert [202, 202] == statuses
    action, message, *again = site.emitted
    assert isinstance(action, CaptureCaseDecidedByOperator)
    assert replace(LOSS_DECIDED, round=0, decided_by="pat") == message
    assert "pat" == action.who
    assert [action, message] == again


@pytest.mark.parametrize(
    ("name", "changed", "status", "objection"),
    [
        pytest.param("oda", {}, 403, "approver", id="an operator alone"),
        pytest.param("pat", {"reference": ""}, 400, "collection", id="no trace"),
        pytest.param("pat", {"decision": "settled"}, 400, "settled", id="no such decision"),
    ],
)
async def test_a_decision_that_is_none_is_refused_with_what_is_wrong(
    site: Site, name: str, changed: dict[str, str], status: int, objection: str
) -> None:
    """And nothing is emitted."""
    answer_status, body = await decide(site, name, **changed)

    assert (status, []) == (answer_status, site.emitted)
    assert objection in str(body)


GONE: list[Received] = [
    LATER, HELD, SHIPPED, (CANCELED_WEBHOOK, 1), alarm(3), (replace(VOIDED, attempt=1), 4),
    alarm(30),
]  # fmt: skip
"""The hold ends while the capture is asked for, and no answer comes: a case."""
RACED: list[Received] = [*GONE, (UNKNOWN, 31)]


@pytest.mark.parametrize(
    ("decided", "then"),
    [
        pytest.param(RETRY, ["CaptureCharge"], id="asked again, of a version before"),
        pytest.param(replace(RETRY, round=0, decided_by="ada"), ["CaptureCharge"], id="again"),
        pytest.param(LOSS_DECIDED, ["PaymentWrittenOff"], id="given up"),
    ],
)
def test_a_late_answer_that_says_nothing_does_not_end_a_case(decided: Any, then: list[str]) -> None:
    """It waits all the time, is opened once, and its decision counts meanwhile."""
    assert ["CaptureCaseOpened"] == names(after(payment, *GONE)[1])
    for story in (GONE, RACED, [*RACED, alarm(33)]):
        state, _ = after(payment, *story)
        assert 0 == case_round(state.capture, state.charge)
    assert [] == names(after(payment, *RACED, alarm(33))[1])
    assert then == names(after(payment, *RACED, (decided, 32))[1])
    assert [] == names(after(payment, *RACED, (decided, 32), (UNKNOWN, 32))[1])
