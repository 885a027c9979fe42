"""Amounts of money in minor units: how people read them, and how one is split into parts."""

from collections.abc import Sequence

from workflows.shared.currencies import EXPONENTS, NO_CURRENCIES, PUBLISHED


def exponent_of(currency: str) -> int | None:
    """Return the decimals of `currency` by ISO 4217, None when it has none that are known."""
    return EXPONENTS.get(currency)


def objection_to(currency: str) -> str:
    """Return why `currency` is not a currency of today, or nothing."""
    if currency in EXPONENTS:
        return ""
    if currency in NO_CURRENCIES:
        return f"{currency} is not money by ISO 4217: {NO_CURRENCIES[currency]}"
    return f"{currency} is not in the list of ISO 4217 of {PUBLISHED}: unknown or retired"


def money(amount_minor: int, currency: str) -> str:
    """Return `amount_minor` for people: 1,234.50 GBP, 1,250 JPY, 1.234 KWD.

    The decimals of an unknown currency are unknown too: 1,250 minor units of DEM.
    """
    if currency not in EXPONENTS:
        return f"{amount_minor:,} minor units" + (f" of {currency}" if currency else "")
    return f"{major(amount_minor, EXPONENTS[currency])} {currency}"


def major(amount_minor: int, exponent: int) -> str:
    """Return `amount_minor` as an exact number of major units with `exponent` decimals."""
    sign, size = "-" if amount_minor < 0 else "", abs(amount_minor)
    units, part = divmod(size, 10**exponent)
    return f"{sign}{units:,}" + (f".{part:0{exponent}}" if exponent else "")


def split_minor(amount_minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Return a share of `amount_minor` for each weight, by the largest remainder.

    The shares add up to `amount_minor`, and each is less than one minor unit off the exact share.
    Of equal remainders the earlier weight comes first. A negative amount (a discount) is split like
    the positive one. When all weights are zero, all count the same. Raise ValueError for a negative
    weight, and for an amount that has nobody to go to.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError(f"a weight is negative: {min(weights)}")
    if not weights:
        if amount_minor:
            raise ValueError(f"{amount_minor} cannot be split into no parts")
        return ()
    if not any(weights):
        weights = [1] * len(weights)
    if amount_minor < 0:
        return tuple(-share for share in split_minor(-amount_minor, weights))
    whole = sum(weights)
    exact = [divmod(amount_minor * weight, whole) for weight in weights]
    left = amount_minor - sum(share for share, _ in exact)
    by_remainder = sorted(range(len(weights)), key=lambda place: -exact[place][1])
    rounded_up = set(by_remainder[:left])
    return tuple(share + (place in rounded_up) for place, (share, _) in enumerate(exact))
