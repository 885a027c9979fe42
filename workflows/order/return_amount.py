"""What a return is worth, by the policy of `docs/returns.md`.

The units that are back are worth the same in whatever parts they came; a return is worth the
difference that it makes. So all returns of an order together come to exactly what was paid.
"""

from collections.abc import Iterable, Sequence

import msgspec

from workflows.order.messages import OrderPlaced
from workflows.shared.limits import Minor, MinorDue
from workflows.shared.money import split_minor

TAXES = frozenset({"TAX", "VAT", "GST", "SALES_TAX"})
"""The codes of charges that are taxes on the items, in any case; other charges are postage."""


class SaleLine(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One line of items: its number in the order is its place in the sale, from 1."""

    sku: str
    units: int
    amount_minor: int


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """What was sold, in minor units: what is left of the price beyond these is postage."""

    lines: tuple[SaleLine, ...] = ()
    """Empty in rows older than this field."""
    discount_minor: int = 0
    tax_minor: int = 0


class ReturnAmount(msgspec.Struct, frozen=True, kw_only=True):
    """How an amount is computed: items less discount, and tax and postage; all in minor units."""

    items_minor: MinorDue = 0
    discount_minor: MinorDue = 0
    tax_minor: MinorDue = 0
    postage_minor: MinorDue = 0
    withheld_minor: MinorDue = 0
    """What of it had gone back before without items, or was not asked for."""
    rounding_minor: Minor = 0
    """What makes it one of the steps in which the provider moves the currency, such as 0.010 KWD;
    all returns of an order together are rounded down once."""

    @property
    def total_minor(self) -> int:
        """Return what is to be refunded."""
        added = self.items_minor + self.tax_minor + self.postage_minor + self.rounding_minor
        return added - self.discount_minor - self.withheld_minor


def sale_of(placed: OrderPlaced) -> Sale:
    """Return what an order sells."""
    charges = [(each.code.upper(), each.amount_minor) for each in placed.charges]
    return Sale(
        lines=tuple(
            SaleLine(sku=line.sku, units=line.quantity, amount_minor=line.amount_minor)
            for line in placed.lines
        ),
        discount_minor=-sum(amount for _, amount in charges if amount < 0),
        tax_minor=sum(amount for code, amount in charges if amount > 0 and code in TAXES),
    )


def return_parts(
    sale: Sale, paid_minor: int, *, before: Sequence[int], after: Sequence[int]
) -> tuple[ReturnAmount, ...]:
    """Return what is due when the units that are back, by line, go from `before` to `after`.

    One part a line, and the postage as the last.
    """
    pairs = zip(worth(sale, paid_minor, before), worth(sale, paid_minor, after), strict=True)
    return tuple(
        ReturnAmount(
            items_minor=then.items_minor - now.items_minor,
            discount_minor=then.discount_minor - now.discount_minor,
            tax_minor=then.tax_minor - now.tax_minor,
            postage_minor=then.postage_minor - now.postage_minor,
        )
        for now, then in pairs
    )


def worth(sale: Sale, paid_minor: int, units: Sequence[int]) -> tuple[ReturnAmount, ...]:
    """Return what `units` of each line are worth of `paid_minor`, and the postage as the last.

    The postage is worth nothing before every unit is there.
    """
    prices = [line.amount_minor for line in sale.lines]
    items_minor = sum(prices)
    # Less may have been paid than the sale comes to: the difference is a discount as well.
    discount_minor = min(items_minor, max(sale.discount_minor, items_minor - paid_minor))
    tax_minor = min(sale.tax_minor, paid_minor - items_minor + discount_minor)
    is_all = all(back >= line.units for line, back in zip(sale.lines, units, strict=True))
    rest_minor = paid_minor - items_minor + discount_minor - tax_minor
    shares = zip(
        sale.lines,
        units,
        split_minor(discount_minor, prices),
        split_minor(tax_minor, prices),
        strict=True,
    )
    parts = [
        ReturnAmount(
            items_minor=_of_units(line.amount_minor, line.units, back),
            discount_minor=_of_units(discount, line.units, back),
            tax_minor=_of_units(tax, line.units, back),
        )
        for line, back, discount, tax in shares
    ]
    return (*parts, ReturnAmount(postage_minor=rest_minor if is_all else 0))


def rounding_of(sale: Sale, paid_minor: int, step: int, *units: Sequence[int]) -> int:
    """Return what a return adds, or takes below zero, to be a multiple of `step`.

    `units`: those that the customer does not have: without any return, before this one, after it.
    """
    never_minor, before_minor, after_minor = (
        summed(worth(sale, paid_minor, each)).total_minor for each in units
    )
    return (before_minor - never_minor) % step - (after_minor - never_minor) % step


def summed(parts: Iterable[ReturnAmount]) -> ReturnAmount:
    """Return the sum of `parts`, figure by figure."""
    figures = [msgspec.structs.astuple(part) for part in parts]
    names = ReturnAmount.__struct_fields__
    sums = (sum(each) for each in zip(*figures, strict=True))
    return ReturnAmount(**dict(zip(names, sums, strict=True)))


def _of_units(amount_minor: int, of_units: int, units: int) -> int:
    """Return what the first `units` of a line have of its amount.

    Split by the largest remainder, all of equal weight: the earlier ones have a minor unit more.
    """
    each, rest = divmod(amount_minor, of_units)
    return each * units + min(units, rest)
