"""Amounts of different currencies are compared by stated rates, and only by the fraud check."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from app.config import Config
from app.fraud.live.judge import open_judge, open_rates
from workflows.fraud.verdict import Judge, verdict_on
from workflows.payment.messages import PaymentCompleted
from workflows.payment.origin import UNKNOWN
from workflows.shared.money import objection_to
from workflows.shared.provider_currencies import objection_to_currency
from workflows.shared.reference_rates import (
    BUILT_IN_RATES,
    REFERENCE,
    RatesError,
    ReferenceRates,
    read_rates,
)

PAID = PaymentCompleted(
    transaction_id="o1",
    payment_id="pi_1",
    amount_minor=900_000,
    goods_minor=900_000,
    charges_minor=0,
    currency="GBP",
    country="France",
    customer_id="ann",
    ordered_at_ms=1_600_000_000_000,
    origin=UNKNOWN,
)
RATES = b'{"date": "2026-11-01", "source": "ours", "per_euro": {"GBP": 0.5, "JPY": 200}}'


@pytest.mark.parametrize(
    ("amount_minor", "currency", "worth"),
    [
        pytest.param(1_250, "GBP", 1_250, id="the reference itself"),
        pytest.param(17_568, "JPY", 8_338, id="yen have no decimals"),
        pytest.param(34_375, "KWD", 8_338, id="a hundred euros in dinars of a thousand fils"),
        pytest.param(11_172, "USD", 8_338, id="a hundred euros in dollars"),
        pytest.param(1_000, "CLF", None, id="no rate"),
        pytest.param(1_000, "DEM", None, id="no currency"),
    ],
)
def test_an_amount_is_worth_what_its_rate_says(amount_minor, currency, worth) -> None:
    """In pence, rounded once; nothing without a rate."""
    assert worth == BUILT_IN_RATES.reference_minor(amount_minor, currency)


def verdict(amount_minor: int, currency: str, judge: Judge):
    """Return the verdict on a payment of a guest without a history."""
    paid = replace(PAID, amount_minor=amount_minor, currency=currency, customer_id="")
    verdict = verdict_on(paid, {}, (), judge, paid.ordered_at_ms)
    assert verdict.basis is not None
    return verdict.basis


@pytest.mark.parametrize(
    ("amount_minor", "currency", "outcome"),
    [
        pytest.param(900_000, "GBP", "block", id="9000 pounds are above the limit"),
        pytest.param(900_000, "JPY", "allow", id="900,000 yen are 4271 pounds"),
        pytest.param(1_800_000, "JPY", "block", id="1,800,000 yen are not"),
        pytest.param(900_000, "KWD", "allow", id="900 dinars are 2183 pounds"),
        pytest.param(9_000_000, "KWD", "block", id="9000 dinars are 21830"),
        pytest.param(900_000, "CLF", "review", id="nobody knows what it is worth"),
    ],
)
def test_limits_are_amounts_of_one_currency(amount_minor, currency, outcome) -> None:
    """The same minor units of another currency are another amount."""
    assert outcome == verdict(amount_minor, currency, Judge()).outcome


def test_a_verdict_says_by_which_rates_it_compared() -> None:
    """By their date; nothing was compared where there was nothing to convert."""
    judge = Judge(rates=read_rates(RATES))

    yen = verdict(200, "JPY", judge)
    assert ("2026-11-01", 0.5) == (yen.rates_date, yen.snapshot["amount"])
    assert "" == verdict(200, "GBP", judge).rates_date


def test_the_rates_of_the_package_are_of_currencies_that_are_sold_in() -> None:
    """With the day they are of."""
    assert REFERENCE in BUILT_IN_RATES.per_euro
    assert not any(map(objection_to_currency, BUILT_IN_RATES.per_euro))
    assert BUILT_IN_RATES == msgspec.json.decode(
        msgspec.json.encode(BUILT_IN_RATES), type=ReferenceRates
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"{", "truncated", id="no JSON"),
        pytest.param(RATES.replace(b"2026-11-01", b"today"), "date", id="no date"),
        pytest.param(RATES.replace(b'"ours"', b'""'), "source", id="no source"),
        pytest.param(RATES.replace(b"JPY", b"XAU"), objection_to("XAU"), id="gold"),
        pytest.param(RATES.replace(b"200", b"0"), "the rate of JPY", id="a rate of zero"),
        pytest.param(RATES.replace(b"200", b"-2"), "the rate of JPY", id="a rate below zero"),
        pytest.param(RATES.replace(b"200", b'"NaN"'), "the rate of JPY", id="a rate of no number"),
        pytest.param(RATES.replace(b"200", b"1e-99"), "the rate of JPY", id="a rate of nothing"),
        pytest.param(RATES.replace(b"200", b"1e99"), "the rate of JPY", id="a rate past counting"),
        pytest.param(RATES.replace(b"JPY", b"EUR"), "rate of EUR is 200", id="two euros a euro"),
        pytest.param(RATES.replace(b"GBP", b"USD"), "no rate of GBP", id="no reference"),
        pytest.param(RATES.replace(b"JPY", b"GBP"), "GBP is there twice", id="a rate said twice"),
        pytest.param(
            RATES.replace(b"{", b'{"date": "2026-10-31", ', 1), "date is there twice", id="two days"
        ),
        pytest.param(
            RATES.replace(b"2026-11-01", b"2026-13-45"),
            "date: 2026-13-45 is not a day",
            id="no month",
        ),
        pytest.param(
            RATES.replace(b"2026-11-01", b"2026-02-29"),
            "date: 2026-02-29 is not a day",
            id="no leap",
        ),
    ],
)
def test_rates_that_cannot_be_used_are_refused(tmp_path: Path, body, reason) -> None:
    """With the file and the reason, before a payment is judged."""
    file = tmp_path / "rates.json"
    file.write_bytes(body)

    with pytest.raises(RatesError) as refused:
        open_rates(Config(reference_rates=str(file)))
    assert str(file) in str(refused.value)
    assert reason in str(refused.value)


def test_the_judge_has_the_rates_of_its_file(tmp_path: Path) -> None:
    """Or those of the package."""
    file = tmp_path / "rates.json"
    file.write_bytes(RATES)

    assert "ours" == open_judge(Config(reference_rates=str(file))).rates.source
    assert BUILT_IN_RATES == open_judge(Config()).rates


@pytest.mark.parametrize("currency", ["GBP", "USD", "JPY", "KWD", "EUR", "ISK"])
@pytest.mark.parametrize("limit_minor", [0, 1, 99, 10_000, 10_000_000_000])
def test_the_most_that_is_worth_no_more(currency: str, limit_minor: int) -> None:
    """One minor unit more would be worth more."""
    most = BUILT_IN_RATES.most_minor(limit_minor, currency)

    assert most is not None
    worth = [BUILT_IN_RATES.reference_minor(each, currency) for each in (most, most + 1)]
    assert worth[0] is not None
    assert worth[1] is not None
    assert worth[0] <= limit_minor < worth[1]


def test_without_a_rate_nobody_knows_the_most() -> None:
    """Nothing is made up."""
    assert BUILT_IN_RATES.most_minor(10_000, "XXX") is None
