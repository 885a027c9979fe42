"""Fraud, by example: payments, what is judged of them, and what follows."""

import pytest
from msgspec.structs import replace

from app.fraud.analysis.offline import Offline
from tests.support.examples.fraud import EVERYBODY, NOON_MS, label, paid
from tests.support.workflow_runner import JUDGE, after, receive
from workflows.fraud import process as fraud
from workflows.fraud.entity import DAY_MS
from workflows.fraud.entity_messages import CheckEntity, LabelEntity
from workflows.fraud.messages import (
    CaseClosed,
    CaseOpened,
    FraudCleared,
    FraudConfirmed,
    FraudDetected,
)
from workflows.payment.messages import PaymentFailed
from workflows.payment.origin import Origin
from workflows.shared.message import Message
from workflows.shipping.messages import ShipmentCancelled, ShipmentDelivered

MINUTE_MS = 60_000
DELIVERED = ShipmentDelivered(order_id="last", shipment_id="s1")
STOPPED = ShipmentCancelled(order_id="last", cause="fraud")


def declined(order_id: str, after_ms: int, origin: Origin) -> PaymentFailed:
    """Return a small payment that the provider declined."""
    return PaymentFailed(
        transaction_id=order_id,
        reason="card_declined",
        declined=True,
        amount_minor=100,
        currency="GBP",
        customer_id=order_id,
        ordered_at_ms=NOON_MS + after_ms,
        origin=origin,
    )


def emitted_after(*story: Message) -> list[Message]:
    """Return what the last message of `story` makes Payflow emit, questions left out."""
    queries = Offline(JUDGE)
    emitted: list[Message] = []
    for message in story:
        emitted = queries.receive(message, NOON_MS)
    return [message for message in emitted if type(message).__module__.endswith("fraud.messages")]


def rules_hit(*story: Message) -> tuple[str, ...]:
    """Return the rules that the last payment of `story` hits."""
    verdict = emitted_after(*story)[0]
    assert isinstance(verdict, FraudDetected | FraudCleared)
    assert verdict.basis is not None
    return verdict.basis.rules


FOUR = [paid(f"o{minute}", minute * MINUTE_MS) for minute in range(4)]
BURST = ("velocity.customer",)


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([], paid("last"), (), id="nothing speaks against a small order"),
        pytest.param([], paid("last", pounds=4_000), (), id="new customers have a limit"),
        pytest.param(
            [],
            paid("last", pounds=4_001),
            ("amount.new_customer",),
            id="a new customer may not spend more",
        ),
        pytest.param(
            [paid("o1", -DAY_MS)],
            paid("last", pounds=4_001),
            (),
            id="a known customer may",
        ),
        pytest.param(
            [paid("o1", 1)],
            paid("last", pounds=4_001),
            ("amount.new_customer",),
            id="the time of the order says who was first",
        ),
        pytest.param([], paid("last", pounds=6_000, guest=True), (), id="so have guests"),
        pytest.param(
            [],
            paid("last", pounds=6_001, guest=True),
            ("amount.guest",),
            id="a guest may not spend more",
        ),
        pytest.param(
            [paid("o1", -DAY_MS)],
            paid("last", pounds=8_001),
            ("amount.large",),
            id="nobody may spend more than the limit of all",
        ),
        pytest.param(
            [],
            paid("last", pounds=9_000),
            ("amount.large", "amount.new_customer"),
            id="two reasons are both emitted",
        ),
        pytest.param(FOUR[:3], paid("last", 200_000), (), id="four payments pass"),
        pytest.param(FOUR, paid("last", 299_999), BURST, id="the fifth in five minutes does not"),
        pytest.param(FOUR, paid("last", 300_000), (), id="at five minutes the first is gone"),
        pytest.param([*FOUR, *FOUR], paid("last", 300_000), (), id="a repetition counts once"),
        pytest.param(
            [*FOUR[1:], paid("o9", 290_000)],
            paid("last", 0),
            BURST,
            id="a late arrival completes the burst it belongs to",
        ),
        pytest.param(FOUR, paid("last", -119_999), BURST, id="also from before the burst"),
        pytest.param(FOUR, paid("last", -120_000), (), id="unless five minutes part them"),
        pytest.param(
            [paid("o0", pounds=2_000)],
            paid("last", 299_999, pounds=3_001),
            ("velocity.amount",),
            id="more than five thousand in five minutes",
        ),
        pytest.param(
            [paid("o0", pounds=2_000)], paid("last", 300_000, pounds=3_001), (), id="not later"
        ),
        pytest.param(
            [paid("clock", 10_000_000_000), *FOUR],
            paid("last", 200_001),
            BURST,
            id="an order from the future does not blind the window",
        ),
        pytest.param(
            [declined(f"d{at}", at, Origin(card_id="k1")) for at in range(5)],
            paid("last", 590_000, origin=EVERYBODY),
            ("card.testing",),
            id="small declines of one card",
        ),
        pytest.param(
            [declined(f"d{at}", at, Origin(card_id="k1")) for at in range(4)],
            paid("last", 590_000, origin=EVERYBODY),
            (),
            id="four are none",
        ),
        pytest.param(
            [paid("o0", origin=Origin(latitude=51.5, longitude=-0.1))],
            paid("last", 3_600_000, origin=Origin(latitude=40.7, longitude=-74.0)),
            ("travel.impossible",),
            id="London to New York in an hour",
        ),
        pytest.param(
            [paid("o0", origin=Origin(latitude=51.5, longitude=-0.1))],
            paid("last", 8 * 3_600_000, origin=Origin(latitude=40.7, longitude=-74.0)),
            (),
            id="in eight hours one can",
        ),
        pytest.param(
            [paid("o0", -DAY_MS, origin=Origin(device_id="d0"))],
            paid("last", pounds=1_001, origin=EVERYBODY),
            ("device.new",),
            id="much from a new device",
        ),
    ],
)
def test_rules(earlier: list[Message], when: Message, then: tuple[str, ...]) -> None:
    """Given these payments, when this one is made, then these rules hit."""
    assert then == rules_hit(*earlier, when)


def test_a_block_is_detected_and_says_why() -> None:
    """The verdict carries what it was made of."""
    (verdict,) = emitted_after(paid("last", pounds=9_000))

    assert isinstance(verdict, FraudDetected)
    assert verdict.basis is not None
    assert ("block", "amount.large") == (verdict.basis.outcome, verdict.basis.decided_by)
    assert "amount.large: above 8000.00" == verdict.reasons[0]
    assert 9_000.0 == verdict.basis.snapshot["amount"]
    assert pytest.approx(1 - 0.4 * 0.5) == verdict.score


def test_a_review_clears_and_opens_a_case_that_an_analyst_closes() -> None:
    """The items go on their way; a review is open."""
    story = [paid("o0", -DAY_MS, origin=Origin(device_id="d0"))]
    odd = paid("last", pounds=1_001, origin=EVERYBODY)
    analyst_label = label(is_fraud=False, source="analyst")

    cleared, registered = emitted_after(*story, odd)
    closed = emitted_after(*story, odd, analyst_label)

    assert isinstance(cleared, FraudCleared)
    assert isinstance(registered, CaseOpened)
    assert ("review", cleared.score) == (registered.case, registered.score)
    assert [
        CaseClosed(transaction_id="last", case="review", fraud=False, by="ann", note="seen")
    ] == closed


@pytest.mark.parametrize(
    ("story", "then"),
    [
        pytest.param([paid("last")], [FraudConfirmed], id="what is cleared is to be stopped"),
        pytest.param([paid("last"), DELIVERED], [CaseOpened], id="what is delivered is a case"),
        pytest.param([paid("last"), STOPPED], [], id="what is stopped is nothing more"),
        pytest.param([paid("last", pounds=9_000)], [], id="what was detected is nothing new"),
        pytest.param([], [], id="nothing is known of the payment yet"),
        pytest.param([paid("last"), label()], [], id="said twice it is emitted once"),
    ],
)
def test_a_chargeback(story: list[Message], then: list[type]) -> None:
    """When the bank says that it was fraud, then this is emitted."""
    assert then == [type(message) for message in emitted_after(*story, label())]


def test_what_could_not_be_stopped_in_time_becomes_a_case() -> None:
    """Confirmed first, delivered all the same."""
    (registered,) = emitted_after(paid("last"), label(), DELIVERED)

    assert isinstance(registered, CaseOpened)
    assert "late" == registered.case


def test_a_label_that_comes_first_is_a_verdict() -> None:
    """The bank may be quicker than we are."""
    (verdict,) = emitted_after(label(), paid("last"))

    assert isinstance(verdict, FraudDetected)
    assert ("known as fraud by chargeback",) == verdict.reasons


def test_a_label_reaches_every_entity_and_is_taken_back() -> None:
    """A terminal remembers the fraud, until somebody says that it was none."""
    queries = Offline(JUDGE)
    queries.receive(paid("last", origin=EVERYBODY), NOON_MS)
    emitted = queries.receive(label(), NOON_MS)
    fraud_at_ms = queries.entities["terminal:t1"].seen[0].fraud_at_ms
    queries.receive(label(is_fraud=False, known_days=10), NOON_MS)

    assert 5 == sum(isinstance(message, LabelEntity) for message in emitted)
    assert NOON_MS + 9 * DAY_MS == fraud_at_ms
    assert 0 == queries.entities["terminal:t1"].seen[0].fraud_at_ms


def test_confirmed_frauds_of_a_terminal_call_for_a_look_once_they_are_known() -> None:
    """Not by payments made before anybody knew."""
    at = Origin(terminal_id="t1")
    queries = Offline(JUDGE)
    for order_id in ("last", "other"):
        queries.receive(paid(order_id, origin=at), NOON_MS)
        queries.receive(replace(label(), transaction_id=order_id), NOON_MS)
    early = queries.receive(paid("early", 8 * DAY_MS, origin=at), NOON_MS)
    late = queries.receive(paid("late", 9 * DAY_MS, origin=at), NOON_MS)

    assert [(), ("terminal.frauds",)] == [
        message.basis.rules
        for message in (*early, *late)
        if isinstance(message, FraudCleared) and message.basis
    ]


def test_every_entity_is_asked_and_none_that_is_unknown() -> None:
    """What the rules read goes with the question."""
    _, emitted = after(fraud, paid("o1", origin=EVERYBODY))
    _, fewer = after(fraud, paid("o1"))

    assert ["customer:c1", "card:k1", "terminal:t1", "device:d1", "address:a1"] == [
        message.entity for message in emitted if isinstance(message, CheckEntity)
    ]
    assert ["customer:c1"] == [
        message.entity for message in fewer if isinstance(message, CheckEntity)
    ]
    assert {"count|customer|300", "sum|customer|300"} == {
        each.name for message in fewer if isinstance(message, CheckEntity) for each in message.wants
    }


def test_a_verdict_waits_for_every_entity_and_is_emitted_once() -> None:
    """Answers come in any order, some twice."""
    state, questions = after(fraud, paid("o1", origin=EVERYBODY))
    queries = Offline(JUDGE)
    answers = [queries._answer(question, NOON_MS)[0] for question in questions]
    verdicts: list[Message] = []
    for answer in [answers[3], *reversed(answers), *answers]:
        state, emitted = receive(fraud, state, answer)
        verdicts += emitted

    assert [FraudCleared] == [type(message) for message in verdicts]


def test_a_guest_of_whom_nothing_is_known_is_judged_at_once() -> None:
    """There is nobody to ask."""
    assert [FraudCleared] == [type(message) for message in after(fraud, paid("o1", guest=True))[1]]


def test_a_payment_that_failed_is_not_judged() -> None:
    """Its entities are notified of the decline, and of nothing else."""
    assert () == after(fraud, PaymentFailed(transaction_id="o1", reason="cancelled"))[1]
    assert [] == emitted_after(declined("o1", 0, EVERYBODY))
