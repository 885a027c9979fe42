"""What is always true of what returns are worth, whatever was sold and in whatever parts."""

from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.order.messages import Charge, Line, OrderPlaced
from workflows.order.return_amount import (
    ReturnAmount,
    Sale,
    return_parts,
    rounding_of,
    sale_of,
    summed,
    worth,
)

CODES = ["POST", "D", "VAT", "tax", "fee"]
lines = st.lists(
    st.builds(
        Line,
        sku=st.sampled_from(["mug", "tin", "pan"]),
        quantity=st.integers(1, 7),
        amount_minor=st.integers(0, 40) | st.integers(0, 10**9),
    ),
    min_size=1,
    max_size=5,
)
charges = st.lists(
    st.builds(
        Charge,
        code=st.sampled_from(CODES),
        amount_minor=st.integers(-40, 40) | st.integers(-(10**9), 10**9),
    ),
    max_size=4,
)


@st.composite
def sales(draw: st.DrawFn) -> tuple[Sale, int]:
    """Draw what was sold, and what was paid for it: all of it, or less."""
    sold, extra = draw(lines), draw(charges)
    total = sum(each.amount_minor for each in (*sold, *extra))
    placed = OrderPlaced(
        order_id="o1",
        country="France",
        currency="GBP",
        lines=tuple(sold),
        charges=tuple(extra),
        total_minor=max(total, 1),
        payment_method="pm",
        ordered_at_ms=1,
    )
    paid_minor = draw(st.just(placed.total_minor) | st.integers(1, placed.total_minor))
    return sale_of(placed), paid_minor


def returns_of(sale: Sale, seed: int) -> list[list[int]]:
    """Return the units that are back after each return, in some order and some parts."""
    random = Random(seed)
    units = [at for at, line in enumerate(sale.lines) for _ in range(line.units)]
    random.shuffle(units)
    back, steps = [0] * len(sale.lines), [[0] * len(sale.lines)]
    while units:
        for _ in range(random.randint(1, len(units))):
            back[units.pop()] += 1
        steps.append(list(back))
    return steps


def amounts(sale: Sale, paid_minor: int, seed: int) -> list[ReturnAmount]:
    """Return what each return of some order of returns is worth."""
    steps = returns_of(sale, seed)
    return [
        summed(return_parts(sale, paid_minor, before=before, after=after))
        for before, after in pairwise(steps)
    ]


@settings(max_examples=150, deadline=None)
@given(sales(), st.integers(0, 2**32))
def test_all_returns_together_come_to_what_was_paid(sold: tuple[Sale, int], seed: int) -> None:
    """In whatever parts and order, to the minor unit."""
    sale, paid_minor = sold

    parts = amounts(sale, paid_minor, seed)

    assert paid_minor == sum(part.total_minor for part in parts)


@settings(max_examples=150, deadline=None)
@given(sales(), st.integers(0, 2**32))
def test_nothing_is_ever_taken_back_and_no_more_than_paid_given(
    sold: tuple[Sale, int], seed: int
) -> None:
    """No return is worth less than nothing, neither is a line of it, nor any figure."""
    sale, paid_minor = sold
    steps = returns_of(sale, seed)
    refunded_minor = 0
    for before, after in pairwise(steps):
        parts = return_parts(sale, paid_minor, before=before, after=after)
        for part in parts:
            assert part.total_minor >= 0
            assert min(part.items_minor, part.discount_minor, part.tax_minor) >= 0
            assert part.postage_minor >= 0
        refunded_minor += summed(parts).total_minor

        assert refunded_minor <= paid_minor


@settings(max_examples=150, deadline=None)
@given(sales(), st.integers(0, 2**32), st.sampled_from([1, 10, 100]), st.data())
def test_what_a_return_is_worth_can_be_moved(
    sold: tuple[Sale, int], seed: int, step: int, data: st.DataObject
) -> None:
    """In steps of the currency, also where a line never shipped; all of it is what was charged."""
    sale, paid_minor = sold
    whole_minor = paid_minor + -paid_minor % step
    unshipped = [data.draw(st.sampled_from([0, line.units])) for line in sale.lines]
    never_minor = summed(worth(sale, whole_minor, unshipped)).total_minor
    charged_minor = (whole_minor - never_minor) // step * step
    units = [[*map(max, each, unshipped)] for each in returns_of(sale, seed)]
    refunds: list[int] = []
    exact_minor = 0
    for before, after in pairwise(units):
        exact = summed(return_parts(sale, whole_minor, before=before, after=after)).total_minor
        exact_minor += exact
        refunds.append(exact + rounding_of(sale, whole_minor, step, unshipped, before, after))
        assert refunds[-1] >= 0
        assert refunds[-1] % step == 0
        assert sum(refunds) <= exact_minor

    assert charged_minor == sum(refunds)


@settings(max_examples=100, deadline=None)
@given(sales(), st.integers(0, 2**32))
def test_postage_comes_with_the_last_unit_alone(sold: tuple[Sale, int], seed: int) -> None:
    """Who keeps a unit has had it sent."""
    sale, paid_minor = sold

    *earlier, _ = amounts(sale, paid_minor, seed)

    assert all(part.postage_minor == 0 for part in earlier)


@settings(max_examples=100, deadline=None)
@given(sales(), st.data())
def test_a_unit_is_worth_its_share_of_its_line(sold: tuple[Sale, int], data: st.DataObject) -> None:
    """To the minor unit, whatever came back before."""
    sale, paid_minor = sold
    place = data.draw(st.integers(0, len(sale.lines) - 1))
    before = [data.draw(st.integers(0, line.units - (at == place)))
              for at, line in enumerate(sale.lines)]  # fmt: skip
    after = [units + (at == place) for at, units in enumerate(before)]

    part = return_parts(sale, paid_minor, before=before, after=after)[place]

    line = sale.lines[place]
    assert part.items_minor - line.amount_minor // line.units in (0, 1)
    assert part.discount_minor <= part.items_minor
