"""Money that is held on cards: it is taken, voided, or still held; and no capture is lost."""

from collections import Counter
from collections.abc import Callable

from workflows.order.facts import OrderFacts
from workflows.order.snapshot import Snapshot
from workflows.shared.invariants import Check, as_check


def captures_arrive(snapshot: Snapshot) -> Check:
    """No items have left whose money an operator has still to see to."""
    orders = snapshot.facts.orders
    wrong = [key for key, known in orders.items() if known.capture_case]
    return as_check("captures_arrive", sum(bool(one.hold_id) for one in orders.values()), wrong)


def holds_add_up(snapshot: Snapshot) -> Check:
    """What was held is taken or voided, never both, and not held any more when the order ends.

    The provider's own file must say the same.
    """
    provider = snapshot.moment.provider
    held = {key: known for key, known in snapshot.orders_at_rest() if known.hold_id}
    wrong: list[str] = []
    for key, known in held.items():
        gone_minor = known.captured_minor + released_minor(known)
        taken = (provider or {}).get(key)
        is_held = bool(taken and taken.held_minor)
        # An order that waits for an operator may be held, or not any more.
        is_open = open_minor(known) > 0 or known.capture_case
        # The hold of what was written off may be voided later.
        is_left = bool(known.ends and open_minor(known) and not known.written_off)
        if gone_minor > known.authorized_minor or (is_held and not is_open) or is_left:
            wrong.append(key)
    return as_check("holds_add_up", len(held), wrong)


def released_minor(known: OrderFacts) -> int:
    """Return what was voided: all of a void, and what was left when a part was taken."""
    if not known.captured_minor:
        return known.voided_minor
    return known.voided_minor + max(0, known.authorized_minor - known.captured_minor)


def open_minor(known: OrderFacts) -> int:
    """Return what is held: neither taken nor voided."""
    return known.authorized_minor - known.captured_minor - released_minor(known)


def by_currency(snapshot: Snapshot, amount_minor: Callable[[OrderFacts], int]) -> dict[str, int]:
    """Return the sum of `amount_minor` of all holds, by currency."""
    sums: Counter[str] = Counter()
    for known in snapshot.facts.orders.values():
        if known.hold_id:
            sums[known.hold_currency] += amount_minor(known)
    return dict(sorted(sums.items()))
