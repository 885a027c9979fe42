"""The provider counts a few currencies in its own way: one place converts, and never rounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import currencies
from workflows.shared.currencies import EXPONENTS
from workflows.shared.limits import MINOR_MAX
from workflows.shared.provider_currencies import (
    CURRENCIES,
    SMALLEST_MINOR,
    AmountRefused,
    amount_minor_of,
    objection_to_amount,
    objection_to_charge,
    objection_to_currency,
    provider_amount,
    step_minor,
)


def test_the_list_of_currencies_is_that_of_the_package() -> None:
    """`python -m tests.support.currencies` writes it anew."""
    assert currencies.text() == currencies.MODULE.read_text()


@pytest.mark.parametrize(
    ("amount_minor", "currency", "amount"),
    [
        pytest.param(1_250, "GBP", 1_250, id="two decimals"),
        pytest.param(1_250, "JPY", 1_250, id="zero decimals"),
        pytest.param(1_230, "KWD", 1_230, id="three decimals, the last one 0"),
        pytest.param(5, "ISK", 500, id="none by ISO 4217, two of the provider"),
        pytest.param(5, "UGX", 500, id="the same for the shilling"),
        pytest.param(1_245, "HUF", 1_245, id="two decimals for charges"),
        pytest.param(80_045, "TWD", 80_045, id="the same for the dollar of Taiwan"),
        pytest.param(500, "MGA", 5, id="two by ISO 4217, none of the provider"),
    ],
)
def test_an_amount_as_the_provider_counts_it(amount_minor, currency, amount) -> None:
    """There and back again."""
    assert amount == provider_amount(amount_minor, currency)
    assert amount_minor == amount_minor_of(amount, currency)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "reason"),
    [
        pytest.param(1_234, "KWD", "steps of 0.010", id="a thousandth"),
        pytest.param(150, "MGA", "steps of 1.00", id="half an ariary"),
        pytest.param(10_000, "CLF", "takes no CLF", id="four decimals: no money of cards"),
        pytest.param(100, "XTS", "testing", id="for tests"),
        pytest.param(100, "HRK", "unknown or retired", id="retired"),
    ],
)
def test_an_amount_that_the_provider_does_not_take(amount_minor, currency, reason) -> None:
    """It is refused with the reason, and never rounded."""
    with pytest.raises(AmountRefused, match=reason):
        provider_amount(amount_minor, currency)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "reason"),
    [
        pytest.param(30, "GBP", "", id="thirty pence"),
        pytest.param(29, "GBP", "no less than 0.30 GBP", id="a penny less"),
        pytest.param(49, "JPY", "no less than 50 JPY", id="without decimals"),
        pytest.param(17_499, "HUF", "no less than 175.00 HUF", id="forint"),
        pytest.param(10, "KWD", "", id="none is named"),
        pytest.param(15, "KWD", "steps of 0.010", id="but a step"),
        pytest.param(100, "DEM", "not in the list", id="a retired currency"),
    ],
)
def test_a_charge_has_a_smallest_amount(amount_minor: int, currency: str, reason: str) -> None:
    """By the table of the provider; a refund has none."""
    objection = objection_to_charge(amount_minor, currency)

    assert reason in objection
    assert bool(reason) == bool(objection)
    assert set(SMALLEST_MINOR) <= CURRENCIES


@given(st.integers(0, MINOR_MAX), st.sampled_from(sorted(CURRENCIES)))
def test_conversion_loses_nothing(amount_minor, currency) -> None:
    """An amount in the provider's steps comes back as it was."""
    in_steps = amount_minor - amount_minor % step_minor(currency)

    assert not objection_to_amount(in_steps, currency)
    assert in_steps == amount_minor_of(provider_amount(in_steps, currency), currency)


def test_the_provider_takes_currencies_of_today() -> None:
    """None of its list is retired, and what it does not take has a reason."""
    assert EXPONENTS.keys() >= CURRENCIES
    assert not any(map(objection_to_currency, CURRENCIES))
    assert all(map(objection_to_currency, EXPONENTS.keys() - CURRENCIES))


def test_an_amount_of_an_unknown_currency_is_taken_over() -> None:
    """What the provider says in a currency that nobody knows is compared as it is."""
    assert 1_250 == amount_minor_of(1_250, "QQQ")
