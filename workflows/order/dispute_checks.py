"""Disputes: what banks have taken is in the books, and no customer is paid back twice."""

from workflows.order.snapshot import Snapshot
from workflows.shared.invariants import Check, as_check


def disputes_pay_once(snapshot: Snapshot) -> Check:
    """No order pays out more than was charged: refunds and lost disputes together."""
    orders = snapshot.facts.orders
    disputed = {key: order for key, order in orders.items() if order.disputed_minor}
    wrong = [
        f"{key} ({order.refunded_minor + order.lost_minor - order.paid_minor} too much)"
        for key, order in disputed.items()
        if order.payments and order.refunded_minor + order.lost_minor > order.paid_minor
    ]
    return as_check("disputes_pay_once", len(disputed), wrong)


def disputes_close(snapshot: Snapshot) -> Check:
    """What banks hold is a receivable until they decide, and then a loss, a refund, or ours again.

    Of an order at rest the ledger has the same as payment.
    """
    at_rest = {
        key: order
        for key, order in snapshot.orders_at_rest()
        if order.disputed_minor or order.balance("disputes_receivable")
    }
    wrong = [
        key
        for key, order in at_rest.items()
        if order.balance("disputes_receivable") != order.disputed_minor - order.lost_minor
        or order.balance("chargebacks") != order.lost_minor - order.covered_minor
        or (not order.disputes_open and order.balance("disputes_receivable"))
    ]
    return as_check("disputes_close", len(at_rest), wrong)
