"""Money: the provider, payment and the ledger agree, and nobody pays twice."""

from collections import Counter

from workflows.order.facts import OrderFacts
from workflows.order.snapshot import Snapshot
from workflows.shared.invariants import Check, as_check


def money_agrees(snapshot: Snapshot) -> Check:
    """Charges less refunds at the provider are payment's view and the ledger's cash, per order."""
    provider = snapshot.moment.provider
    orders = dict(snapshot.orders_at_rest())
    sums: Counter[str] = Counter()
    wrong: list[str] = []
    for key, known in orders.items():
        through_provider = known.refunded_minor - known.by_hand_minor
        amounts = [known.paid_minor - through_provider, known.balance("cash_at_provider")]
        if provider is not None:
            taken = provider.get(key)
            amounts.append(taken.charged_minor - taken.refunded_minor if taken else 0)
        for name, amount in zip(("payments", "ledger", "provider"), amounts, strict=False):
            sums[name] += amount
        if len(set(amounts)) > 1:
            wrong.append(key)
    note = "" if provider is not None else "; the provider's records cannot be seen: not checked"
    shown = ", ".join(f"{name} {amount}" for name, amount in sums.items())
    return as_check("money_agrees", len(orders), wrong, f"minor units: {shown or 'none'}{note}")


def books_balance(snapshot: Snapshot) -> Check:
    """Debits equal credits: in every entry, and for each order and currency."""
    wrong = list(snapshot.facts.unbalanced)
    count = 0
    for key, known in snapshot.facts.orders.items():
        totals = _totals(known)
        count += len(totals)
        wrong += [f"{key} {currency}" for currency, total in totals.items() if total]
    return as_check("books_balance", count, wrong)


def books_close(snapshot: Snapshot) -> Check:
    """A cancelled order leaves no cash and no receivable, a completed one no receivable."""
    ended = {key: known for key, known in snapshot.orders_at_rest() if known.ends}
    wrong = [
        key
        for key, known in ended.items()
        if known.balance("customer_receivable")
        or (known.cancelled and known.balance("cash_at_provider") + known.balance("cash_at_bank"))
        or (known.completed and not known.paid_minor and not known.written_off)
    ]
    return as_check("books_close", len(ended), wrong)


def charges_have_orders(snapshot: Snapshot) -> Check:
    """No money without an order: neither at the provider, nor in payment's view."""
    facts = snapshot.facts
    charged = {key for key, taken in (snapshot.moment.provider or {}).items() if taken.charges}
    charged |= {key for key, known in facts.orders.items() if known.payments}
    wrong = sorted(
        key
        for key in charged
        if not (key in facts.orders and facts.orders[key].placed_ms) and not _new(snapshot, key)
    )
    return as_check("charges_have_orders", len(charged), wrong)


def charged_once(snapshot: Snapshot) -> Check:
    """No order is charged twice: by the provider's records, and as emitted."""
    charged = {key for key, known in snapshot.facts.orders.items() if known.payments}
    charged |= (snapshot.moment.provider or {}).keys()
    return as_check("charged_once", len(charged), charged_twice(snapshot))


def amounts_agree(snapshot: Snapshot) -> Check:
    """No open order was charged another amount or currency than it was asked for."""
    orders = snapshot.facts.orders
    wrong = [key for key, known in orders.items() if known.mismatched and not known.ends]
    return as_check("amounts_agree", sum(bool(one.payments) for one in orders.values()), wrong)


def refunds_arrive(snapshot: Snapshot) -> Check:
    """No refund is overdue: each succeeds before payment emits RefundOverdue."""
    orders = snapshot.facts.orders
    wrong = [
        f"{key} {refund_key}"
        for key, known in orders.items()
        for refund_key in sorted(known.refunds_overdue)
    ]
    return as_check(
        "refunds_arrive", sum(bool(known.refunded_minor) for known in orders.values()), wrong
    )


def charged_twice(snapshot: Snapshot) -> list[str]:
    """Return the orders with more than one charge."""
    emitted = {key for key, known in snapshot.facts.orders.items() if known.payments > 1}
    taken = {
        key for key, charges in (snapshot.moment.provider or {}).items() if charges.charges > 1
    }
    return sorted(emitted | taken)


def moved_minor(snapshot: Snapshot) -> tuple[int, int]:
    """Return what was charged and refunded, by the provider's own records where there are any."""
    if snapshot.moment.provider is not None:
        taken = snapshot.moment.provider.values()
        return sum(one.charged_minor for one in taken), sum(one.refunded_minor for one in taken)
    orders = snapshot.facts.orders.values()
    return sum(one.paid_minor for one in orders), sum(one.refunded_minor for one in orders)


def imbalance_minor(snapshot: Snapshot) -> int:
    """Return by how much debits and credits differ, over all orders and currencies."""
    off = 0
    for known in snapshot.facts.orders.values():
        off += sum(abs(total) for total in _totals(known).values())
    return off


def _totals(known: OrderFacts) -> Counter[str]:
    """Return debits less credits by currency."""
    totals: Counter[str] = Counter()
    for account, amount in known.accounts.items():
        totals[account.partition("/")[0]] += amount
    return totals


def _new(snapshot: Snapshot, key: str) -> bool:
    """Return whether the events of `key` are so recent that its order may still be produced."""
    taken = (snapshot.moment.provider or {}).get(key)
    known = snapshot.facts.orders.get(key)
    last_ms = max(taken.last_ms if taken else 0, known.last_ms if known else 0)
    return snapshot.moment.fresh(last_ms)
