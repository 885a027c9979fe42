"""Amounts of money as people write them: 12.50 GBP, JPY 1,250, 1.234 KWD."""

import re
from collections.abc import Mapping
from typing import ClassVar, cast

import msgspec

from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.money import exponent_of, money, objection_to

EXAMPLE = "12.50 GBP"
_AMOUNT = re.compile(
    r"(?P<before>[A-Za-z]{3}\s+)?"
    r"(?P<units>\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.(?P<part>\d{1,8}))?"
    r"(?P<after>\s+[A-Za-z]{3})?"
)
_CODES = ("before", "after")


class NoAmount(PayflowError, ValueError):
    """No amount of money: the message says what is missing or wrong."""

    kind: ClassVar[ErrorKind] = "invalid"


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """An amount in minor units of its currency."""

    minor: int
    currency: str

    def __str__(self) -> str:
        """Return it for people."""
        return money(self.minor, self.currency)

    def is_in(self, body: object) -> bool:
        """Return whether `body` has a field of money with this amount, beside its currency."""
        if isinstance(body, Mapping):
            fields = cast("Mapping[str, object]", body)
            amounts = [fields[name] for name in fields if name.endswith("_minor")]
            if fields.get("currency") == self.currency and self.minor in amounts:
                return True
            return any(map(self.is_in, fields.values()))
        return isinstance(body, list | tuple) and any(map(self.is_in, cast("list[object]", body)))


def is_number(text: str) -> bool:
    """Return whether `text` is a number, with or without the codes of a currency."""
    return _AMOUNT.fullmatch(text.strip()) is not None


def amount_of(text: str) -> Amount:
    """Return the amount that `text` says. Raises NoAmount, which says what is wrong with it."""
    match = _AMOUNT.fullmatch(text.strip())
    codes = [match[name].strip().upper() for name in _CODES if match[name]] if match else []
    if match is None or len(codes) != 1:
        raise NoAmount(f"an amount needs its currency, such as {EXAMPLE}")
    [currency] = codes
    exponent = exponent_of(currency)
    if exponent is None:
        raise NoAmount(objection_to(currency))
    decimals = (match["part"] or "").ljust(exponent, "0")
    if decimals[exponent:].strip("0"):
        raise NoAmount(f"{currency} has {exponent or 'no'} decimals")
    units = match["units"].replace(",", "")
    return Amount(minor=int(units + decimals[:exponent]), currency=currency)
