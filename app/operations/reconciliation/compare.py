"""Compares the three books of money line by line. Pure.

Payment follows the provider, and the ledger follows payment. So a later book may lack a line
because it has not received it yet: that line is in motion until its deadline. A line that an
earlier book lacks, and an amount, a currency, a reference or a count that differs, is wrong at
once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

import msgspec

from workflows.shared.books import Book, Kind, Line

Difference = Literal[
    "missing_at_provider",
    "missing_in_payments",
    "missing_in_ledger",
    "duplicate_at_provider",
    "duplicate_in_payments",
    "duplicate_in_ledger",
    "amount_differs",
    "currency_differs",
    "reference_differs",
]
BOOKS: tuple[Book, ...] = get_args(Book)
MISSING: dict[Book, Difference] = {
    "provider": "missing_at_provider",
    "payments": "missing_in_payments",
    "ledger": "missing_in_ledger",
}
DUPLICATE: dict[Book, Difference] = {
    "provider": "duplicate_at_provider",
    "payments": "duplicate_in_payments",
    "ledger": "duplicate_in_ledger",
}
KEPT_BY: dict[Kind, tuple[Book, ...]] = {
    "charge": BOOKS,
    "refund": BOOKS,
    "void": ("provider", "payments"),
    "dispute": BOOKS,
    "reversal": BOOKS,
}
"""The books that have a line of each kind, each following the one before it.

A void moves no money, so the ledger has none."""
DAY_MS = 86_400_000


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of money in the three books, in minor units; None: the book has none."""

    order_id: str
    kind: Kind
    key: str
    provider_minor: int | None
    payments_minor: int | None
    ledger_minor: int | None
    currencies: tuple[str, ...]
    """One when all agree."""
    at_ms: int
    """Its time: by the provider, else by the ledger, else by the payments table."""
    differences: tuple[Difference, ...]
    in_motion: bool
    """A line is open or missing, and younger than its deadline."""


class BookTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What one book moved in one currency, in minor units."""

    charged_minor: int = 0
    refunded_minor: int = 0
    disputed_minor: int = 0
    """What banks have taken and not returned."""


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """How the three books compare."""

    reconciled: bool
    at_ms: int
    day: str
    """The day that was compared, as YYYY-MM-DD in UTC; empty for all."""
    compared: int
    matched: int
    in_motion: int
    classes: dict[Difference, int]
    """How many movements have each difference; those in motion are not among them."""
    totals: dict[str, dict[Book, BookTotal]]
    """By currency and book."""
    offending: tuple[Movement, ...]
    moving: tuple[Movement, ...]
    unreadable: tuple[str, ...] = ()
    """Where records lie that may be lines and that nobody can read, and why."""


def reconcile(  # noqa: PLR0913  the lines, and what they are judged by
    lines: Iterable[Line],
    now_ms: int,
    day: str = "",
    day_ms: int = 0,
    *,
    motion_ms: Mapping[Kind, int],
    unreadable: Sequence[str] = (),
) -> Reconciliation:
    """Return how `lines` compare at `now_ms`; with `day` only what happened from `day_ms` on.

    `motion_ms`: how long after its latest line a book may lack one. Books with something
    `unreadable` are not reconciled, whatever the day.
    """
    groups = _grouped(lines)
    judged = [
        (_compared(*of, group, now_ms - motion_ms[of[1]]), group)
        for of, group in sorted(groups.items())
    ]
    if day:
        judged = [one for one in judged if day_ms <= one[0].at_ms < day_ms + DAY_MS]
    offending = tuple(one for one, _ in judged if one.differences and not one.in_motion)
    moving = tuple(one for one, _ in judged if one.in_motion)
    return Reconciliation(
        reconciled=not offending and not unreadable,
        at_ms=now_ms,
        day=day,
        compared=len(judged),
        matched=len(judged) - len(offending) - len(moving),
        in_motion=len(moving),
        classes=_classes(offending),
        totals=_totals(line for _, group in judged for line in group),
        offending=offending,
        moving=moving,
        unreadable=tuple(unreadable),
    )


def _classes(offending: Iterable[Movement]) -> dict[Difference, int]:
    counts: Counter[Difference] = Counter()
    for one in offending:
        counts.update(one.differences)
    return dict(sorted(counts.items()))


def _grouped(lines: Iterable[Line]) -> dict[tuple[str, Kind, str], list[Line]]:
    """Return the lines of each movement by order, kind and refund key."""
    net_lines = _netted(list(lines))
    # The ledger has the provider's id of a refund, not its key; where the other two books map the
    # id to different keys, the provider's counts.
    keys = {
        (line.order_id, line.reference): line.key
        for book in ("payments", "provider")
        for line in net_lines
        if line.kind == "refund" and line.book == book and line.reference
    }
    groups: dict[tuple[str, Kind, str], list[Line]] = defaultdict(list)
    for line in net_lines:
        key = line.key
        if line.book == "ledger" and line.kind == "refund" and not key:
            key = keys.get((line.order_id, line.reference), line.reference)
        groups[line.order_id, line.kind, key].append(line)
    return groups


def _netted(lines: list[Line]) -> list[Line]:
    """Return `lines` without those that were reversed, and without their reversals."""

    def of(line: Line) -> tuple[Book, str, str]:
        return line.book, line.order_id, line.reference

    reversed_by = Counter(of(line) for line in lines if line.reverses)
    first = Counter(of(line) for line in lines if not line.reverses)
    reversed_places = {place for place, count in reversed_by.items() if first[place] == count}
    return [line for line in lines if of(line) not in reversed_places]


def _compared(
    order_id: str, kind: Kind, key: str, group: Sequence[Line], moving_since_ms: int
) -> Movement:
    """Return one movement; what is younger than `moving_since_ms` may be in motion."""
    by_book: dict[Book, list[Line]] = {
        book: [line for line in group if line.book == book and not line.open] for book in BOOKS
    }
    there = [bool(by_book[book]) for book in KEPT_BY[kind]]
    incomplete = not all(there) and there == sorted(there, reverse=True)
    missing: list[Difference] = [MISSING[book] for book in KEPT_BY[kind] if not by_book[book]]
    wrong: list[Difference] = [
        *(DUPLICATE[book] for book in BOOKS if len(by_book[book]) > 1),
        *_unlike(group),
    ]
    youngest_ms = max(line.at_ms + line.open_ms for line in group)
    sums = {book: _sum_minor(by_book[book]) for book in BOOKS}
    return Movement(
        order_id=order_id,
        kind=kind,
        key=key,
        provider_minor=sums["provider"],
        payments_minor=sums["payments"],
        ledger_minor=sums["ledger"],
        currencies=tuple(sorted({line.currency for line in group})),
        at_ms=_happened_ms(group),
        differences=(*missing, *wrong),
        in_motion=incomplete and not wrong and youngest_ms > moving_since_ms,
    )


def _unlike(group: Sequence[Line]) -> list[Difference]:
    """Return the fields in which the lines of one movement differ."""
    values_by_field: dict[Difference, set[object]] = {
        "amount_differs": {line.amount_minor for line in group},
        "currency_differs": {line.currency for line in group},
        "reference_differs": {line.reference for line in group if line.reference},
    }
    return [name for name, values in values_by_field.items() if len(values) > 1]


def _sum_minor(lines: Sequence[Line]) -> int | None:
    return sum(line.amount_minor for line in lines) if lines else None


def _happened_ms(group: Sequence[Line]) -> int:
    trusted: tuple[Book, ...] = ("provider", "ledger", "payments")
    return min((trusted.index(line.book), line.at_ms) for line in group)[1]


def _totals(lines: Iterable[Line]) -> dict[str, dict[Book, BookTotal]]:
    """Return what each book moved; open lines and voids move nothing."""
    sums: Counter[tuple[str, Book, Kind]] = Counter()
    for line in lines:
        if not line.open:
            sums[line.currency, line.book, line.kind] += line.amount_minor
    return {
        currency: {
            book: BookTotal(
                charged_minor=sums[currency, book, "charge"],
                refunded_minor=sums[currency, book, "refund"],
                disputed_minor=sums[currency, book, "dispute"] - sums[currency, book, "reversal"],
            )
            for book in BOOKS
        }
        for currency in sorted({currency for currency, _, _ in sums})
    }
