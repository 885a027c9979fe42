"""Fraud, by example."""

import msgspec
import pytest
from msgspec.structs import replace

from tests.telling import after
from workflows import fraud
from workflows.words.fraud import CheckPayment, FraudCleared, FraudDetected, FraudWord
from workflows.words.payment import PaymentCompleted, PaymentFailed

NOON_MS = 1_291_204_800_000
MINUTE_MS = 60_000


def paid(customer_id: str) -> PaymentCompleted:
    """Return a completed payment."""
    return PaymentCompleted(
        order_id="o1",
        payment_id="p1",
        amount_minor=1_250,
        goods_minor=1_000,
        charges_minor=250,
        currency="GBP",
        customer_id=customer_id,
        country="France",
        ordered_at_ms=NOON_MS,
    )


def check(
    order_id: str, after_ms: int = 0, pounds: int = 10, *, guest: bool = False
) -> CheckPayment:
    """Return the question about an order `after_ms` past noon."""
    return CheckPayment(
        order_id=order_id,
        customer=f"guest:{order_id}" if guest else "c1",
        guest=guest,
        amount_minor=pounds * 100,
        currency="GBP",
        country="France",
        ordered_at_ms=NOON_MS + after_ms,
    )


def detected(order_id: str, score: float, *reasons: str) -> FraudDetected:
    """Return a bad verdict."""
    return FraudDetected(
        order_id=order_id, score=score, reasons=reasons, rules_version=fraud.RULES_VERSION
    )


def cleared(order_id: str) -> FraudCleared:
    """Return a good verdict."""
    return FraudCleared(order_id=order_id, score=0, rules_version=fraud.RULES_VERSION)


FOUR = [check(f"o{minute}", minute * MINUTE_MS) for minute in range(4)]
BURST = detected("last", 0.6, "5 payments in 5 minutes (limit 4)")


@pytest.mark.parametrize(
    ("customer_id", "customer", "guest"),
    [
        pytest.param("c1", "c1", False, id="a customer is known by id"),
        pytest.param("", "guest:o1", True, id="a guest is nobody seen before"),
    ],
)
def test_a_payment_is_filed_under_its_customer(
    customer_id: str, customer: str, guest: bool
) -> None:
    """Everything the judge needs goes with it."""
    asked = CheckPayment(
        order_id="o1",
        customer=customer,
        guest=guest,
        amount_minor=1_250,
        currency="GBP",
        country="France",
        ordered_at_ms=NOON_MS,
    )

    assert (asked,) == fraud.ask(None, paid(customer_id), 0)


def test_a_failed_payment_is_not_judged() -> None:
    """No money, no question."""
    assert () == fraud.ask(None, PaymentFailed(order_id="o1", reason="x"), 0)


def test_the_name_of_a_guest_is_no_longer_than_a_name_may_be() -> None:
    """However long the order id is."""
    (asked,) = fraud.ask(None, replace(paid(""), order_id="o" * 128), 0)

    assert asked == msgspec.convert(msgspec.to_builtins(asked), CheckPayment)


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param([], check("last"), cleared("last"), id="nothing speaks against a small order"),
        pytest.param(
            [],
            check("last", pounds=4_000),
            cleared("last"),
            id="a new customer may spend up to the limit",
        ),
        pytest.param(
            [],
            check("last", pounds=4_001),
            detected("last", 0.5, "4001.00 GBP (limit 4000.00 GBP) by a new customer"),
            id="a new customer may not spend more",
        ),
        pytest.param(
            [check("o1", -86_400_000)],
            check("last", pounds=4_001),
            cleared("last"),
            id="a known customer may",
        ),
        pytest.param(
            [check("o1", 1)],
            check("last", pounds=4_001),
            detected("last", 0.5, "4001.00 GBP (limit 4000.00 GBP) by a new customer"),
            id="who was first is told by the time of the order",
        ),
        pytest.param(
            [],
            check("last", pounds=6_000, guest=True),
            cleared("last"),
            id="a guest may spend up to the limit of guests",
        ),
        pytest.param(
            [],
            check("last", pounds=6_001, guest=True),
            detected("last", 0.5, "6001.00 GBP (limit 6000.00 GBP) by a guest"),
            id="a guest may not spend more",
        ),
        pytest.param(
            [check("o1", -86_400_000)],
            check("last", pounds=8_000),
            cleared("last"),
            id="a known customer may spend up to the limit of all",
        ),
        pytest.param(
            [check("o1", -86_400_000)],
            check("last", pounds=8_001),
            detected("last", 0.6, "8001.00 GBP (limit 8000.00 GBP)"),
            id="nobody may spend more than the limit of all",
        ),
        pytest.param(
            [],
            check("last", pounds=9_000),
            detected(
                "last",
                1.0,
                "9000.00 GBP (limit 8000.00 GBP)",
                "9000.00 GBP (limit 4000.00 GBP) by a new customer",
            ),
            id="two reasons are both told and the score stays within one",
        ),
        pytest.param(FOUR[:3], check("last", 200_000), cleared("last"), id="four payments pass"),
        pytest.param(FOUR, check("last", 299_999), BURST, id="the fifth in five minutes does not"),
        pytest.param(
            FOUR, check("last", 300_000), cleared("last"), id="at five minutes the first is gone"
        ),
        pytest.param(
            [*FOUR, *FOUR], check("last", 300_000), cleared("last"), id="a repetition counts once"
        ),
        pytest.param(
            [*FOUR[1:], check("o9", 290_000)],
            check("last", 0),
            BURST,
            id="a late arrival completes the burst it belongs to",
        ),
        pytest.param(
            FOUR,
            check("last", -119_999),
            BURST,
            id="also from before the burst",
        ),
        pytest.param(
            FOUR, check("last", -120_000), cleared("last"), id="unless five minutes part them"
        ),
        pytest.param(
            [check("o0", pounds=2_000)],
            check("last", 1_000, pounds=3_000),
            cleared("last"),
            id="five thousand in five minutes pass",
        ),
        pytest.param(
            [check("o0", pounds=2_000)],
            check("last", 299_999, pounds=3_001),
            detected("last", 0.5, "5001.00 GBP (limit 5000.00 GBP) in 5 minutes"),
            id="more in five minutes do not",
        ),
        pytest.param(
            [check("o0", pounds=2_000)],
            check("last", 300_000, pounds=3_001),
            cleared("last"),
            id="the sum forgets after five minutes too",
        ),
        pytest.param(
            [check("clock", 10_000_000_000), *FOUR],
            check("last", 200_001),
            BURST,
            id="an order from the future does not blind the window",
        ),
    ],
)
def test_judging(given: list[CheckPayment], when: CheckPayment, then: FraudWord) -> None:
    """Given these payments, when this one is checked, then this is the verdict."""
    assert (then,) == after(fraud, *given, when)[1]


def test_a_verdict_is_not_changed_by_what_follows() -> None:
    """Asked again after more payments, the first answer is repeated."""
    later = [check(f"later{at}", at) for at in range(10)]

    assert (cleared("o0"),) == after(fraud, FOUR[0], *later, FOUR[0])[1]


def test_what_is_remembered_of_a_customer_is_bounded() -> None:
    """However often somebody pays."""
    memory, _ = after(fraud, *(check(f"o{at}", at) for at in range(500)))

    assert (fraud.PAYMENTS_MAX, fraud.VERDICTS_MAX) == (
        len(memory.payments),
        len(memory.verdicts),
    )


def test_what_is_older_than_the_window_and_the_lateness_is_forgotten() -> None:
    """An hour and five minutes, exactly."""
    hour_ms = fraud.LATE_MS + fraud.WINDOW_MS
    memory, _ = after(fraud, check("old"), check("kept", 1), check("now", hour_ms))

    assert ["kept", "now"] == [seen.order_id for seen in memory.payments]
