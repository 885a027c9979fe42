"""Which currencies the payment provider takes, and how it counts their amounts.

Stripe, docs.stripe.com/currencies (read 2026-11-29). Its own minor units are those of ISO 4217 but
for what is named here; Payflow counts by ISO 4217 everywhere, and only the gateway converts.
"""

from typing import ClassVar

from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.money import exponent_of, major, objection_to

CURRENCIES = frozenset(
    {
        "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BHD",
        "BIF", "BMD", "BND", "BOB", "BRL", "BSD", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CLP",
        "CNY", "COP", "CRC", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ETB", "EUR", "FJD",
        "FKP", "GBP", "GEL", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR",
        "ILS", "INR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KRW", "KWD", "KYD",
        "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP",
        "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR",
        "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR",
        "SBD", "SCR", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SZL", "THB", "TJS", "TND", "TOP",
        "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VND", "VUV", "WST", "XAF",
        "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW",
    }
)  # fmt: skip
"""What a card can be charged in. Funds and accounting units of ISO 4217 are missing: CLF, UYW."""
ZERO_DECIMAL = frozenset(
    {
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
        "XOF", "XPF",
    }
)  # fmt: skip
"""Its amounts are major units. ISO 4217 gives MGA two decimals, so only whole ariary are taken."""
ALWAYS_WHOLE = frozenset({"ISK", "UGX"})
"""Without decimals by ISO 4217; the provider's amounts still have two, which have to be 00.

HUF and TWD have two decimals for ISO 4217 and for charges alike; only payouts have to be whole."""
THREE_DECIMAL = 3
LAST_DIGIT_ZERO = 10
"""With three decimals the networks take no thousandths: the last digit has to be 0."""


SMALLEST_MINOR = {
    "AED": 200, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50,
    "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300,
    "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip
"""What is charged or captured at least, in minor units: docs.stripe.com/currencies, minimum charge
amounts. It is that of the currency in which the provider settles; it names none of others."""


class AmountRefused(PayflowError, ValueError):
    """An amount that the provider does not take, and why."""

    kind: ClassVar[ErrorKind] = "invalid"


def provider_amount(amount_minor: int, currency: str) -> int:
    """Return `amount_minor` as the provider counts it. Raise AmountRefused when it takes no such.

    An amount is never rounded here: what is charged is what was asked for.
    """
    if objection := objection_to_amount(amount_minor, currency):
        raise AmountRefused(objection)
    own, theirs = _exponents(currency)
    return amount_minor * 10**theirs // 10**own


def amount_minor_of(amount: int, currency: str) -> int:
    """Return the provider's `amount` in minor units of ISO 4217; it sends no fractions of them.

    The amount of an unknown currency stays what it is.
    """
    if exponent_of(currency) is None:
        return amount
    own, theirs = _exponents(currency)
    return amount * 10**own // 10**theirs


def objection_to_currency(currency: str) -> str:
    """Return why nothing is sold in `currency`, or nothing."""
    if objection := objection_to(currency):
        return objection
    return "" if currency in CURRENCIES else f"the payment provider takes no {currency}"


def objection_to_amount(amount_minor: int, currency: str) -> str:
    """Return why the provider cannot move `amount_minor`, or nothing."""
    return objection_to_currency(currency) or objection_to_step(amount_minor, currency)


def objection_to_step(amount_minor: int, currency: str) -> str:
    """Return why the provider cannot move an amount of an order in `currency`, or nothing."""
    step = step_minor(currency)
    if amount_minor % step == 0:
        return ""
    smallest = major(step, exponent_of(currency) or 0)
    return f"the payment provider moves {currency} in steps of {smallest}"


def objection_to_charge(amount_minor: int, currency: str) -> str:
    """Return why the provider cannot charge `amount_minor`, or nothing. Refunds may be smaller."""
    smallest_minor = SMALLEST_MINOR.get(currency, 1)
    if amount_minor < smallest_minor:
        smallest = major(smallest_minor, exponent_of(currency) or 0)
        return f"the payment provider charges no less than {smallest} {currency}"
    return objection_to_amount(amount_minor, currency)


def step_minor(currency: str) -> int:
    """Return the step in which the provider moves `currency`, in minor units.

    1 for an unknown one, of which nothing is moved.
    """
    if exponent_of(currency) is None:
        return 1
    own, theirs = _exponents(currency)
    return LAST_DIGIT_ZERO if own == THREE_DECIMAL else 10 ** max(own - theirs, 0)


def _exponents(currency: str) -> tuple[int, int]:
    """Return the decimals by ISO 4217 and those of the provider."""
    own = exponent_of(currency)
    assert own is not None
    if currency in ZERO_DECIMAL:
        return own, 0
    return own, 2 if currency in ALWAYS_WHOLE else own
