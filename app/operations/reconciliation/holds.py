"""Compares what was held on cards: authorized = captured + voided + still held. Pure.

A hold moves no money, so the ledger has none: the provider is compared with the payment rows, order
by order. Rows are read before the provider's file, so what a row lacks may be on its way to it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from app.operations.reconciliation.compare import DAY_MS
from workflows.shared.books import Hold

HoldBook = Literal["provider", "payments"]
HoldDifference = Literal[
    "missing_at_provider",
    "missing_in_payments",
    "authorized_differs",
    "captured_differs",
    "voided_differs",
    "currency_differs",
]


class HoldSums(msgspec.Struct, frozen=True, kw_only=True):
    """What one book knows, in minor units: the first is the sum of the others."""

    authorized_minor: int = 0
    captured_minor: int = 0
    voided_minor: int = 0
    held_minor: int = 0


class ComparedHold(msgspec.Struct, frozen=True, kw_only=True):
    """The holds of one order in both books; None: the book has none."""

    order_id: str
    currencies: tuple[str, ...]
    """One when both agree."""
    provider: HoldSums | None
    payments: HoldSums | None
    at_ms: int
    differences: tuple[HoldDifference, ...]


class Holds(msgspec.Struct, frozen=True, kw_only=True):
    """How the holds of all orders compare."""

    reconciled: bool
    compared: int
    in_motion: int
    totals: dict[str, dict[HoldBook, HoldSums]]
    """By currency and book."""
    offending: tuple[ComparedHold, ...]


def compare_holds(
    holds: Iterable[Hold], now_ms: int, *, motion_ms: int, day_ms: int | None = None
) -> Holds:
    """Return how `holds` compare at `now_ms`; with `day_ms` only what last changed on that day.

    `motion_ms`: how long after its latest change at the provider a row may lack it.
    """
    by_order: dict[str, list[Hold]] = defaultdict(list)
    for each in holds:
        by_order[each.order_id].append(each)
    judged = [
        (_compared(order_id, group), group)
        for order_id, group in sorted(by_order.items())
        if day_ms is None or day_ms <= _changed_ms(group) < day_ms + DAY_MS
    ]
    differs = [one for one, _ in judged if one.differences]
    offending = tuple(
        one for one in differs if one.at_ms <= now_ms - motion_ms or not _may_follow(one)
    )
    return Holds(
        reconciled=not offending,
        compared=len(judged),
        in_motion=len(differs) - len(offending),
        totals=_totals([each for _, group in judged for each in group]),
        offending=offending,
    )


def _compared(order_id: str, group: Sequence[Hold]) -> ComparedHold:
    provider, payments = (
        _sums([each for each in group if each.book == book]) for book in ("provider", "payments")
    )
    currencies = tuple(sorted({each.currency for each in group}))
    differences: list[HoldDifference] = []
    if provider is None:
        differences.append("missing_at_provider")
    elif payments is None:
        # Voided before payment knew of it: it is a void, and compared as one.
        if provider.voided_minor != provider.authorized_minor:
            differences.append("missing_in_payments")
    else:
        differences += _unlike(provider, payments)
        if len(currencies) > 1:
            differences.append("currency_differs")
    return ComparedHold(
        order_id=order_id,
        currencies=currencies,
        provider=provider,
        payments=payments,
        at_ms=_changed_ms(group),
        differences=tuple(differences),
    )


def _unlike(provider: HoldSums, payments: HoldSums) -> list[HoldDifference]:
    values: dict[HoldDifference, tuple[int, int]] = {
        "authorized_differs": (provider.authorized_minor, payments.authorized_minor),
        "captured_differs": (provider.captured_minor, payments.captured_minor),
        "voided_differs": (provider.voided_minor, payments.voided_minor),
    }
    return [name for name, (theirs, ours) in values.items() if theirs != ours]


def _may_follow(one: ComparedHold) -> bool:
    """Return whether the row only lacks what the provider has done; waiting mends nothing else."""
    if one.payments is None:
        return True
    is_same = one.provider is not None and not {
        "authorized_differs",
        "currency_differs",
    } & set(one.differences)
    return is_same and one.payments.held_minor == one.payments.authorized_minor


def _changed_ms(group: Sequence[Hold]) -> int:
    """Return when the provider last changed a hold, or else payment."""
    return max((each.book == "provider", each.at_ms) for each in group)[1]


def _sums(holds: Sequence[Hold]) -> HoldSums | None:
    return _added(holds) if holds else None


def _added(holds: Sequence[Hold]) -> HoldSums:
    names = HoldSums.__struct_fields__
    return HoldSums(**{name: sum(getattr(each, name) for each in holds) for name in names})


def _totals(holds: Sequence[Hold]) -> dict[str, dict[HoldBook, HoldSums]]:
    books: tuple[HoldBook, ...] = ("provider", "payments")
    return {
        currency: {
            book: _added([each for each in holds if (each.currency, each.book) == (currency, book)])
            for book in books
        }
        for currency in sorted({each.currency for each in holds})
    }
