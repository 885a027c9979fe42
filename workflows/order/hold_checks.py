"""Money that is held on cards: it is taken, voided, or still held; and no capture is lost."""

from collections import Counter
from collections.abc import Callable

from workflows.order.facts import OrderFacts
from workflows.order.snapshot import Snapshot
from workflows.shared.invariants import Check, as_check


def captures_arrive(snapshot: Snapshot) -> Check:
    """No items have left whose money an operator has still to see to."""
    orders = snapshot.facts.orders
    wrong = [key for key, order in orders.items() if order.capture_case]
    return as_check("captures_arrive", sum(bool(one.hold_id) for one in orders.values()), wrong)


def holds_add_up(snapshot: Snapshot) -> Check:
    """What was held is taken or voided, never both, and not held any more when the order ends.

    The provider's own file must say the same.
    """
    provider = snapshot.moment.provider
    held = {key: order for key, order in snapshot.orders_at_rest() if order.hold_id}
    wrong: list[str] = []
    for key, order in held.items():
        gone_minor = order.captured_minor + released_minor(order)
        record = (provider or {}).get(key)
        is_held = bool(record and record.held_minor)
        # An order that waits for an operator may be held, or not any more.
        is_open = open_minor(order) > 0 or order.capture_case
        # The hold of what was written off may be voided later.
        is_left = bool(order.ends and open_minor(order) and not order.written_off)
        if gone_minor > order.authorized_minor or (is_held and not is_open) or is_left:
            wrong.append(key)
    return as_check("holds_add_up", len(held), wrong)


def released_minor(order: OrderFacts) -> int:
    """Return what was voided: all of a void, and what was left when a part was taken."""
    if not order.captured_minor:
        return order.voided_minor
    return order.voided_minor + max(0, order.authorized_minor - order.captured_minor)


def open_minor(order: OrderFacts) -> int:
    """Return what is held: neither taken nor voided."""
    return order.authorized_minor - order.captured_minor - released_minor(order)


def by_currency(snapshot: Snapshot, amount_minor: Callable[[OrderFacts], int]) -> dict[str, int]:
    """Return the sum of `amount_minor` of all holds, by currency."""
    sums: Counter[str] = Counter()
    for order in snapshot.facts.orders.values():
        if order.hold_id:
            sums[order.hold_currency] += amount_minor(order)
    return dict(sorted(sums.items()))
