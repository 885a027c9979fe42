"""Disputes: what banks have taken is in the books, and no customer is paid back twice."""

from workflows.order.snapshot import Snapshot
from workflows.shared.invariants import Check, as_check


def disputes_pay_once(snapshot: Snapshot) -> Check:
    """No order pays out more than was charged: refunds and lost disputes together."""
    orders = snapshot.facts.orders
    disputed = {key: known for key, known in orders.items() if known.disputed_minor}
    wrong = [
        f"{key} ({known.refunded_minor + known.lost_minor - known.paid_minor} too much)"
        for key, known in disputed.items()
        if known.payments and known.refunded_minor + known.lost_minor > known.paid_minor
    ]
    return as_check("disputes_pay_once", len(disputed), wrong)


def disputes_close(snapshot: Snapshot) -> Check:
    """What banks hold is a receivable until they decide, and then a loss, a refund, or ours again.

    Of an order at rest the ledger has the same as payment.
    """
    at_rest = {
        key: known
        for key, known in snapshot.orders_at_rest()
        if known.disputed_minor or known.balance("disputes_receivable")
    }
    wrong = [
        key
        for key, known in at_rest.items()
        if known.balance("disputes_receivable") != known.disputed_minor - known.lost_minor
        or known.balance("chargebacks") != known.lost_minor - known.covered_minor
        or (not known.disputes_open and known.balance("disputes_receivable"))
    ]
    return as_check("disputes_close", len(at_rest), wrong)
