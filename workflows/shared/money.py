"""Amounts of money in minor units: how people read them, and how one is split into parts."""

from collections.abc import Sequence


def money(amount_minor: int, currency: str) -> str:
    """Return `amount_minor`, never negative, for people: 12.50 GBP."""
    return f"{amount_minor // 100}.{amount_minor % 100:02d} {currency}"


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
