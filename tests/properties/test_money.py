"""Amounts are read as they are written, and split without loss and fairly."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.shared.currencies import EXPONENTS, NO_CURRENCIES
from workflows.shared.limits import MINOR_MAX
from workflows.shared.money import exponent_of, money, objection_to, split_minor

amounts = st.integers(-MINOR_MAX, MINOR_MAX) | st.integers(-20, 20)
weights = st.lists(
    st.integers(0, MINOR_MAX) | st.integers(0, 3) | st.just(0), min_size=1, max_size=30
)


@given(amounts, weights)
def test_a_split_loses_nothing(amount_minor, weights) -> None:
    """The shares add up to the amount, one for each weight."""
    shares = split_minor(amount_minor, weights)

    assert amount_minor == sum(shares)
    assert len(weights) == len(shares)


@given(amounts, weights)
def test_a_share_is_less_than_one_minor_unit_off(amount_minor, weights) -> None:
    """No share is further from the exact one than rounding has to be."""
    shares = split_minor(amount_minor, weights)

    fair = weights if any(weights) else [1] * len(weights)
    for share, weight in zip(shares, fair, strict=True):
        assert abs(share - Fraction(amount_minor * weight, sum(fair))) < 1


@given(amounts, weights)
def test_a_larger_weight_never_gets_the_smaller_share(amount_minor, weights) -> None:
    """Shares keep the order of weights; of equal weights the earlier one is not worse off."""
    shares = split_minor(abs(amount_minor), weights)

    ranked = sorted(range(len(weights)), key=lambda place: (-weights[place], place))
    in_rank = [shares[place] for place in ranked]
    assert sorted(in_rank, reverse=True) == in_rank


@given(amounts, weights)
def test_a_discount_is_split_like_a_surcharge(amount_minor, weights) -> None:
    """The shares of the negative amount are the negatives of the shares."""
    assert tuple(-share for share in split_minor(amount_minor, weights)) == split_minor(
        -amount_minor, weights
    )


@given(amounts, weights.filter(any))
def test_nothing_goes_to_a_weight_of_zero(amount_minor, weights) -> None:
    """Beside a weight that is not zero, zero gets nothing."""
    shares = split_minor(amount_minor, weights)

    assert not any(share for share, weight in zip(shares, weights, strict=True) if not weight)


@pytest.mark.parametrize(
    ("amount_minor", "weights", "shares"),
    [
        pytest.param(100, [1, 1, 1], (34, 33, 33), id="of equal remainders the earliest first"),
        pytest.param(100, [1, 2, 4], (14, 29, 57), id="the largest remainder is rounded up"),
        pytest.param(-5, [199, 1], (-5, 0), id="a discount that is small for a line spares it"),
        pytest.param(2, [0, 0, 0], (1, 1, 0), id="weights of zero count the same"),
        pytest.param(1, [0, 5], (0, 1), id="a line that cost nothing carries nothing"),
        pytest.param(0, [], (), id="nothing is split into nothing"),
    ],
)
def test_a_split_by_example(amount_minor, weights, shares) -> None:
    """What a person computes by hand."""
    assert shares == split_minor(amount_minor, weights)


@pytest.mark.parametrize("weights", [[], [1, -1]])
def test_a_split_that_has_no_answer_is_refused(weights) -> None:
    """No parts for an amount, and weights below zero, are mistakes of the caller."""
    with pytest.raises(ValueError, match=r"negative|no parts"):
        split_minor(1, weights)


@given(amounts, st.sampled_from(sorted(EXPONENTS)))
def test_money_is_read_as_it_is_written(amount_minor, currency) -> None:
    """As many decimals as the currency has, and nothing lost."""
    number, _, code = money(amount_minor, currency).partition(" ")
    whole, _, part = number.replace(",", "").partition(".")

    assert (currency, EXPONENTS[currency]) == (code, len(part))
    assert amount_minor == int(whole + part)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        pytest.param(123_450, "GBP", "1,234.50 GBP", id="pounds have pence"),
        pytest.param(1_250, "JPY", "1,250 JPY", id="a yen is not divided"),
        pytest.param(1_234, "KWD", "1.234 KWD", id="a dinar has a thousand fils"),
        pytest.param(12_345, "CLF", "1.2345 CLF", id="four decimals"),
        pytest.param(-5, "GBP", "-0.05 GBP", id="a discount"),
        pytest.param(-1_250, "JPY", "-1,250 JPY", id="a discount in yen"),
        pytest.param(1_250, "DEM", "1,250 minor units of DEM", id="nobody knows its decimals"),
        pytest.param(1_250, "", "1,250 minor units", id="no currency"),
    ],
)
def test_money_by_example(amount_minor, currency, text) -> None:
    """What people read."""
    assert text == money(amount_minor, currency)


@pytest.mark.parametrize(
    ("currency", "reason"),
    [
        pytest.param("DEM", "unknown or retired", id="retired in 2002"),
        pytest.param("BGN", "unknown or retired", id="retired with the year 2026"),
        pytest.param("QQQ", "unknown or retired", id="never there"),
        pytest.param("XTS", "testing", id="for tests"),
        pytest.param("XXX", "no currency", id="for nothing"),
        pytest.param("XAU", "Gold", id="a metal"),
    ],
)
def test_what_is_no_money_is_named(currency, reason) -> None:
    """The objection says why."""
    assert reason in objection_to(currency)


def test_every_currency_has_its_decimals() -> None:
    """Zero, two, three and four decimals all occur, and a code is a currency or none."""
    assert {0, 2, 3, 4} == {exponent_of(currency) for currency in EXPONENTS}
    assert not any(map(objection_to, EXPONENTS))
    assert not EXPONENTS.keys() & NO_CURRENCIES.keys()
