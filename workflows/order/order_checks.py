"""Orders: each comes to one end, ships only when it may, and its returns end."""

from collections import Counter

from workflows.order.facts import OrderFacts, ReturnFacts
from workflows.order.partial_shipment import PricedOrder, partial_shipment
from workflows.order.return_amount import return_parts, summed
from workflows.order.snapshot import Snapshot
from workflows.shared.invariants import Check, as_check

TRAVELLING = "in_transit"
"""The carrier's own status of a shipment that is on its way."""


def one_end(snapshot: Snapshot) -> Check:
    """Every order placed has exactly one end, or is younger than its deadlines."""
    placed = {key: order for key, order in snapshot.facts.orders.items() if order.placed_ms}
    stuck = [key for key, order in placed.items() if snapshot.overdue(key, order)]
    twice = [key for key, order in placed.items() if order.ends > 1]
    still_open = sum(order.ends == 0 for order in placed.values())
    detail = f"{still_open} open, {len(stuck)} of them overdue; {len(twice)} with two ends"
    return as_check("one_end", len(placed), twice + stuck, detail)


def ships_when_due(snapshot: Snapshot) -> Check:
    """Nothing ships that is not paid, reserved and judged clean."""
    created = {key: order for key, order in snapshot.orders_at_rest() if order.created}
    wrong = [
        key
        for key, order in created.items()
        if not (order.is_paid and order.reserved and order.cleared)
    ]
    return as_check("ships_when_due", len(created), wrong)


def carrier_agrees(snapshot: Snapshot) -> Check:
    """What the carrier delivered is a completed order, and nothing travels for a cancelled one."""
    carrier = snapshot.moment.carrier
    if carrier is None:
        detail = "the carrier's records cannot be seen: not checked"
        return Check(name="carrier_agrees", ok=True, checked=0, detail=detail)
    orders = dict(snapshot.orders_at_rest())
    wrong: list[str] = []
    for key, order in orders.items():
        status = carrier[key].status if key in carrier else ""
        if (status == "delivered") != bool(order.completed) or (
            order.cancelled and status == TRAVELLING
        ):
            wrong.append(key)
    wrong += [
        key
        for key, shipment in carrier.items()
        if key not in snapshot.facts.orders and not snapshot.moment.fresh(shipment.last_ms)
    ]
    return as_check("carrier_agrees", len(orders), wrong)


def partial_shipments_add_up(snapshot: Snapshot) -> Check:
    """What ships in part may, is worth what its lines are, and no more than that stays taken."""
    in_part = {key: order for key, order in snapshot.facts.orders.items() if order.partial}
    at_rest = {key for key, _ in snapshot.orders_at_rest()}
    wrong = [
        key
        for key, order in in_part.items()
        if (order.placed_ms and _is_priced_wrong(order))
        or (key in at_rest and order.completed and _is_taken_wrong(order))
    ]
    return as_check("partial_shipments_add_up", len(in_part), wrong)


def _is_priced_wrong(order: OrderFacts) -> bool:
    assert order.partial is not None
    priced_order = PricedOrder(
        sale=order.sale, total_minor=order.total_minor, currency=order.partial.currency
    )
    missing = {each.sku for each in order.partial.unavailable}
    return not order.may_ship_in_part or partial_shipment(priced_order, missing) != order.partial


def _is_taken_wrong(order: OrderFacts) -> bool:
    """Return whether not all of the total is taken, voided or refunded, each to the minor unit."""
    if order.mismatched or order.written_off:
        return False
    in_all_minor = order.paid_minor + order.let_go_minor
    refunded = order.unshipped_refunded_minor != order.unshipped_due_minor
    return in_all_minor != order.total_minor or refunded or order.unshipped_refunds > 1


def returns_settle(snapshot: Snapshot) -> Check:
    """Every return is answered; every accepted one refunded once, in full, and restocked once."""
    wrong: list[str] = []
    count = 0
    for key, order in snapshot.facts.orders.items():
        count += len(order.returns)
        wrong += [
            f"{key} {return_id}"
            for return_id, returned in order.returns.items()
            if return_id not in order.refunds_pending
            and _return_is_wrong(snapshot, order, returned)
        ]
    return as_check("returns_settle", count, wrong)


def _return_is_wrong(snapshot: Snapshot, order: OrderFacts, returned: ReturnFacts) -> bool:
    if returned.refunds > 1 or returned.restocked > 1:
        return True
    if returned.refused:
        return bool(returned.accepted_ms or returned.refunds or returned.restocked)
    if returned.refunds and returned.refunded_minor != returned.amount_minor:
        return True
    return not returned.is_over and order.ends > 0 and snapshot.late(returned)


def returns_within_shipped(snapshot: Snapshot) -> Check:
    """No more comes back than was shipped, and no more money than that is worth, or was paid."""
    at_rest = {key for key, _ in snapshot.orders_at_rest()}
    accepted = {
        key: [each for each in order.returns.values() if each.accepted_ms]
        for key, order in snapshot.facts.orders.items()
        if order.placed_ms
    }
    wrong: list[str] = []
    for key, back in accepted.items():
        order = snapshot.facts.orders[key]
        units = _units_too_many(order, back, at_rest=key in at_rest)
        money_minor = _money_too_much(order, back)
        if units or money_minor > 0:
            wrong.append(f"{key} ({units} units, {max(money_minor, 0)} minor units too many)")
    return as_check("returns_within_shipped", sum(map(len, accepted.values())), wrong)


def _units_too_many(order: OrderFacts, back: list[ReturnFacts], *, at_rest: bool) -> int:
    """Return the units that came back beyond those shipped; allow for a shipment not read yet."""
    is_shipped = order.shipped or not at_rest
    returned: Counter[str] = Counter()
    for each in back:
        returned.update(dict(each.units))
    return (returned - Counter(dict(order.shipping_lines) if is_shipped else {})).total()


def _money_too_much(order: OrderFacts, back: list[ReturnFacts]) -> int:
    """Return by how much more money went back than all was paid, or than the items are worth."""
    kept_minor = order.paid_minor - order.unshipped_due_minor
    if not order.paid_minor:
        kept_minor = order.total_minor - order.released_minor
    whole_minor = kept_minor + order.released_minor
    units = [0] * len(order.sale.lines)
    for missing in order.partial.unavailable if order.partial and units else ():
        units[min(missing.line, len(units)) - 1] += missing.quantity
    before = list(units)
    computed_minor = 0
    for each in back:
        computed_minor += each.amount_minor if each.units_by_line else 0
        for line, more in each.units_by_line if units else ():
            # A line that the order does not have counts as too many units.
            units[min(line, len(units)) - 1] += more
    in_all_minor = sum(each.amount_minor for each in back)
    if not computed_minor:
        return in_all_minor - kept_minor
    parts = return_parts(order.sale, whole_minor, before=before, after=units)
    return max(in_all_minor - kept_minor, computed_minor - summed(parts).total_minor)
