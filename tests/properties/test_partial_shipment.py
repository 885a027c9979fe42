"""What is always true of an order that ships in part, whatever is sold, in whatever currency."""

from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from workflows.order.messages import Charge, Line, OrderPlaced
from workflows.order.partial_shipment import PartialShipment, PricedOrder, partial_shipment
from workflows.order.return_amount import return_parts, sale_of, summed
from workflows.shared.provider_currencies import step_minor

CURRENCIES = ["GBP", "JPY", "KWD", "ISK"]
SKUS = ["mug", "tin", "pan", "jar"]
prices = st.integers(0, 40) | st.integers(0, 10**8)


@st.composite
def orders(draw: st.DrawFn) -> PricedOrder:
    """Draw an order of which the provider can move the total."""
    sold = draw(st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 7), prices), min_size=1))
    extra = draw(st.lists(st.tuples(st.sampled_from(["POST", "D", "VAT"]), st.integers(-40, 40))))
    currency = draw(st.sampled_from(CURRENCIES))
    lines = [Line(sku=sku, quantity=units, amount_minor=minor) for sku, units, minor in sold]
    total = sum(line.amount_minor for line in lines) + sum(minor for _, minor in extra)
    rest = -total % step_minor(currency)
    assume(total + rest > 0)
    placed = OrderPlaced(
        order_id="o1",
        country="France",
        currency=currency,
        lines=tuple(lines),
        charges=tuple(Charge(code=c, amount_minor=m) for c, m in [*extra, ("POST", rest)]),
        total_minor=total + rest,
        payment_method="pm",
        ordered_at_ms=1,
    )
    return PricedOrder(sale=sale_of(placed), total_minor=placed.total_minor, currency=currency)


missing_skus = st.sets(st.sampled_from(SKUS), min_size=1)


@settings(max_examples=200, deadline=None)
@given(orders(), missing_skus)
def test_what_is_charged_and_what_is_not_are_the_total(
    order: PricedOrder, missing: set[str]
) -> None:
    """To the minor unit, in steps that the provider moves; items and charges come to the first."""
    partial = partial_shipment(order, missing)
    assume(partial is not None)
    assert partial is not None

    assert order.total_minor == partial.amount_minor + partial.released_minor
    assert partial.amount_minor == partial.items_minor + partial.charges_minor
    assert partial.amount_minor > 0
    assert partial.released_minor >= 0
    assert {0} == {
        each % step_minor(order.currency) for each in (partial.amount_minor, partial.released_minor)
    }
    assert (
        0
        <= partial.released_minor - sum(each.amount_minor for each in partial.unavailable)
        < step_minor(order.currency)
    )
    assert missing >= {each.sku for each in partial.unavailable}


@settings(max_examples=200, deadline=None)
@given(orders(), missing_skus, st.integers(0, 2**32))
def test_all_returns_of_what_was_shipped_come_to_what_was_charged(
    order: PricedOrder, missing: set[str], seed: int
) -> None:
    """In whatever parts; the last one is bounded by what is left."""
    partial = partial_shipment(order, missing)
    assume(partial is not None)
    assert partial is not None
    returned_minor = sum(_returns(order, partial, seed))

    rounded_minor = partial.released_minor - sum(one.amount_minor for one in partial.unavailable)
    assert partial.amount_minor == returned_minor - rounded_minor


def _returns(order: PricedOrder, partial: PartialShipment, seed: int) -> list[int]:
    """Return what each return is worth, of units that were shipped, in some order."""
    random = Random(seed)
    back = [0] * len(order.sale.lines)
    for each in partial.unavailable:
        back[each.line - 1] = each.quantity
    left = [at for at, line in enumerate(order.sale.lines) for _ in range(line.units - back[at])]
    random.shuffle(left)
    worth = []
    while left:
        before = list(back)
        for _ in range(random.randint(1, len(left))):
            back[left.pop()] += 1
        parts = return_parts(order.sale, order.total_minor, before=before, after=back)
        worth.append(summed(parts).total_minor)
    return worth


@settings(max_examples=100, deadline=None)
@given(orders())
def test_nothing_ships_of_an_order_of_which_nothing_can_be_had(order: PricedOrder) -> None:
    """Its postage is not charged either; and all that can be had is all of it."""
    whole = partial_shipment(order, ())

    assert partial_shipment(order, set(SKUS)) is None
    assert whole is not None
    assert (order.total_minor, 0, ()) == (
        whole.amount_minor,
        whole.released_minor,
        whole.unavailable,
    )
