"""What the provider owes and pays out: pure, with time as data. Amounts are in minor units.

Balance transactions: docs.stripe.com/reports/balance-transaction-types. Payouts are automatic and
daily: docs.stripe.com/payouts.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

DAY_MS = 86_400_000
TYPES = {
    "dispute": "adjustment",
    "dispute_reversal": "adjustment",
    "payout_reversal": "payout_failure",
}
"""Types of the reporting categories that are not types themselves
(docs.stripe.com/reports/reporting-categories)."""
RETURNED_AFTER_MS = 9 * 3_600_000
"""When on the day of its arrival a bank sends a payout back, or two days later (ours)."""
LATE_MS = 2 * DAY_MS
Course = Literal["", "fails", "returns"]
"""Of a payout: it fails in place of arriving, or it is `paid` first."""


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider keeps: a share of a charge in hundredths of a percent, and so much."""

    fee_basis_points: int = 150
    fee_fixed_minor: int = 20
    dispute_fee_minor: int = 1_500


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """Money that comes to the balance, or leaves it where `amount_minor` is below zero."""

    id: str
    source: str
    category: str
    amount_minor: int
    fee_minor: int = 0
    currency: str
    created_ms: int
    available_ms: int
    payout_id: str | None = None

    @property
    def net_minor(self) -> int:
        """Return what the balance changes by."""
        return self.amount_minor - self.fee_minor


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    """Money on its way to the bank, or there."""

    id: str
    amount_minor: int
    currency: str
    status: str
    created_ms: int
    arrival_ms: int
    fails_ms: int | None = None
    """When the bank sends it back: docs.stripe.com/payouts#payout-failures."""


def fails_ms(course: Course, arrival_ms: int) -> int | None:
    """Return when a payout fails that would arrive at `arrival_ms`; None: it does not."""
    if not course:
        return None
    return arrival_ms + RETURNED_AFTER_MS + (LATE_MS if course == "returns" else 0)


def charge_fee(tariff: Tariff, amount_minor: int) -> int:
    """Return the fee of a charge, half a minor unit rounded up; never more than the charge."""
    share = (amount_minor * tariff.fee_basis_points + 5_000) // 10_000
    return min(amount_minor, share + tariff.fee_fixed_minor)


def midnight(time_ms: int) -> int:
    """Return the first midnight (UTC) that is not before `time_ms`."""
    return -(-time_ms // DAY_MS) * DAY_MS


def available_ms(category: str, created_ms: int, *, at_once: bool = False) -> int:
    """Return when money is available: of a charge two days later, else at once."""
    if category != "charge" or at_once:
        return created_ms
    return midnight(created_ms) + 2 * DAY_MS


def due_payout(waiting: Sequence[Transaction], now_ms: int) -> tuple[int, list[Transaction]] | None:
    """Return the first midnight with something to pay out, and what it is made of; or None.

    `waiting` is of one currency. What is below zero waits until charges outweigh it.
    """
    for day_ms in sorted({midnight(each.available_ms) for each in waiting}):
        if day_ms > now_ms:
            return None
        part = [each for each in waiting if each.available_ms <= day_ms]
        if sum(each.net_minor for each in part) > 0:
            return day_ms, part
    return None
