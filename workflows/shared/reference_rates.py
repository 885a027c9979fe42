"""What amounts of different currencies are worth beside each other, for the fraud check alone.

Rules, windows and the model compare amounts, so a payment enters them in one reference currency.
Nothing that is charged, refunded or booked is ever converted.
"""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.money import exponent_of, objection_to

REFERENCE = "GBP"
"""The limits of the built-in rules and of the model are amounts of it."""


class RatesError(PayflowError, ValueError):
    """A table of rates that cannot be used, and why: the text begins with the field."""

    kind: ClassVar[ErrorKind] = "invalid"


EURO = "EUR"
RATE_MIN, RATE_MAX = Decimal("1e-9"), Decimal("1e9")
"""No currency is worth more or less: such a rate is a slip, and would swallow every other amount.
"""

UNIT = 10**12
"""So many minor units are converted to find a rate without a fraction."""


class ReferenceRates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of each currency for one euro, on one day."""

    date: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
    source: Annotated[str, Meta(min_length=1)]
    per_euro: dict[str, Decimal]

    def reference_minor(self, amount_minor: int, currency: str) -> int | None:
        """Return the worth of `amount_minor` in minor units of REFERENCE; None without a rate."""
        if currency == REFERENCE:
            return amount_minor
        own, theirs = exponent_of(REFERENCE), exponent_of(currency)
        if own is None or theirs is None or not {currency, REFERENCE} <= self.per_euro.keys():
            return None
        rate = self.per_euro[REFERENCE] / self.per_euro[currency]
        worth = Decimal(amount_minor).scaleb(own - theirs) * rate
        return int(worth.to_integral_value(ROUND_HALF_EVEN))

    def most_minor(self, reference_minor: int, currency: str) -> int | None:
        """Return the most in `currency` that is worth no more; None without a rate."""
        worth = self.reference_minor(UNIT, currency)
        if worth is None:
            return None
        most = reference_minor * UNIT // max(worth, 1)
        while (self.reference_minor(most + 1, currency) or 0) <= reference_minor:
            most += 1
        while most and (self.reference_minor(most, currency) or 0) > reference_minor:
            most -= 1
        return most


def read_rates(body: bytes) -> ReferenceRates:
    """Return the rates of a JSON file. Raise RatesError."""
    try:
        rates = msgspec.json.decode(body, type=ReferenceRates)
    except msgspec.MsgspecError as error:
        raise RatesError(str(error)) from error
    try:
        date.fromisoformat(rates.date)
    except ValueError as error:
        raise RatesError(f"date: {rates.date} is not a day ({error})") from error
    for currency, rate in rates.per_euro.items():
        if objection := objection_to(currency) or _objection_to_rate(currency, rate):
            raise RatesError(f"per_euro: {objection}")
    if REFERENCE not in rates.per_euro:
        raise RatesError(f"per_euro: there is no rate of {REFERENCE}")
    return rates


def _objection_to_rate(currency: str, rate: Decimal) -> str:
    """Return why `rate` is none, or nothing."""
    if not (rate.is_finite() and RATE_MIN <= rate <= RATE_MAX):
        return f"the rate of {currency} is {rate}"
    if currency == EURO and rate != 1:
        return f"the rate of {EURO} is {rate}: rates are units for one euro"
    return ""


BUILT_IN_RATES = ReferenceRates(
    date="2026-10-30",
    source=(
        "euro reference rates of the European Central Bank; currencies with a fixed rate to the "
        "euro, dollar, rand or rupee by that rate; the Kuwaiti dinar, which follows a basket, by "
        "3.25 dollars"
    ),
    per_euro={
        currency: Decimal(rate)
        for currency, rate in {
            "EUR": "1", "USD": "1.1172", "JPY": "175.68", "CZK": "24.353", "DKK": "7.4735",
            "GBP": "0.83380", "HUF": "366.33", "PLN": "4.4038", "RON": "5.3447", "SEK": "10.9780",
            "CHF": "0.9194", "ISK": "136.00", "NOK": "10.3120", "TRY": "55.8015", "AUD": "1.5904",
            "BRL": "6.0692", "CAD": "1.5606", "CNY": "7.4326", "HKD": "8.7652", "IDR": "20275.17",
            "ILS": "3.4950", "INR": "106.0840", "KRW": "1491.76", "MXN": "21.1237",
            "MYR": "4.5325", "NZD": "1.9823", "PHP": "71.143", "SGD": "1.4282", "THB": "37.683",
            "ZAR": "18.6455", "AED": "4.1029", "SAR": "4.1895", "QAR": "4.0666", "BHD": "0.42007",
            "OMR": "0.42956", "JOD": "0.79209", "KWD": "0.34375", "XOF": "655.957",
            "XAF": "655.957", "XPF": "119.332", "KMF": "491.968", "BAM": "1.95583",
            "CVE": "110.265", "NPR": "169.7344", "LSL": "18.6455", "SZL": "18.6455",
            "NAD": "18.6455", "BND": "1.4282", "FKP": "0.83380", "GIP": "0.83380",
            "SHP": "0.83380", "BSD": "1.1172", "BMD": "1.1172", "PAB": "1.1172", "BBD": "2.2344",
            "BZD": "2.2344", "XCD": "3.01644", "AWG": "1.99979", "XCG": "1.99979",
            "DJF": "198.547",
        }.items()
    },
)  # fmt: skip
