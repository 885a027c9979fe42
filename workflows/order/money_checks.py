"""Money: the provider, payment and the ledger agree, and nobody pays twice."""

from collections import Counter
from collections.abc import Mapping

from workflows.order.facts import OrderFacts
from workflows.order.snapshot import Snapshot
from workflows.shared.invariants import Check, ProviderRecord, as_check
from workflows.shared.money import money

PROVIDER_ACCOUNTS = (
    "cash_at_provider",
    "provider_fees",
    "dispute_fees",
    "payout_clearing",
    "cash_at_bank",
)
"""The accounts between which fees and settlement move what was taken."""


def money_agrees(snapshot: Snapshot) -> Check:
    """Charges less refunds and disputes: the provider, payment and the ledger agree, per order."""
    provider = snapshot.moment.provider
    orders = dict(snapshot.orders_at_rest())
    sums: dict[str, Counter[str]] = {}
    wrong: list[str] = []
    for key, order in orders.items():
        through_provider = order.refunded_minor - order.by_hand_minor
        strange = False
        left_minor = order.paid_minor - through_provider - order.disputed_minor
        amounts = [left_minor, _through_provider(order)]
        if provider is not None:
            record = provider.get(key)
            amounts.append(_left_minor(record) if record else 0)
            strange = record is not None and _is_strange(record, order.currency)
        for name, amount in zip(("payments", "ledger", "provider"), amounts, strict=False):
            sums.setdefault(name, Counter())[order.currency] += amount
        if len(set(amounts)) > 1 or strange or order.foreign():
            wrong.append(key)
    note = "" if provider is not None else "; the provider's records cannot be seen: not checked"
    sums_text = "; ".join(f"{name} {amounts_text(each)}" for name, each in sums.items())
    return as_check("money_agrees", len(orders), wrong, f"{sums_text or 'no money'}{note}")


def books_balance(snapshot: Snapshot) -> Check:
    """Debits equal credits: in every entry, and for each order and currency."""
    wrong = list(snapshot.facts.unbalanced)
    count = 0
    for key, order in snapshot.facts.orders.items():
        totals = _totals(order)
        count += len(totals)
        wrong += [f"{key} {currency}" for currency, total in totals.items() if total]
    return as_check("books_balance", count, wrong)


def books_close(snapshot: Snapshot) -> Check:
    """A cancelled order leaves no cash and no receivable, a completed one no receivable."""
    ended = {key: order for key, order in snapshot.orders_at_rest() if order.ends}
    wrong = [
        key
        for key, order in ended.items()
        if order.balance("customer_receivable")
        or (order.cancelled and _through_provider(order) - order.by_hand_minor)
        or (order.completed and not order.paid_minor and not order.written_off)
    ]
    return as_check("books_close", len(ended), wrong)


def charges_have_orders(snapshot: Snapshot) -> Check:
    """No money without an order: neither at the provider, nor in payment's view."""
    facts = snapshot.facts
    charged = {key for key, record in (snapshot.moment.provider or {}).items() if record.charges}
    charged |= {key for key, order in facts.orders.items() if order.payments}
    wrong = sorted(
        key
        for key in charged
        if not (key in facts.orders and facts.orders[key].placed_ms) and not _new(snapshot, key)
    )
    return as_check("charges_have_orders", len(charged), wrong)


def charged_once(snapshot: Snapshot) -> Check:
    """No order is charged twice: by the provider's records, and as emitted."""
    charged = {key for key, order in snapshot.facts.orders.items() if order.payments}
    charged |= (snapshot.moment.provider or {}).keys()
    return as_check("charged_once", len(charged), charged_twice(snapshot))


def amounts_agree(snapshot: Snapshot) -> Check:
    """No open order was charged another amount or currency than it was asked for."""
    orders = snapshot.facts.orders
    wrong = [key for key, order in orders.items() if order.mismatched and not order.ends]
    return as_check("amounts_agree", sum(bool(one.payments) for one in orders.values()), wrong)


def refunds_arrive(snapshot: Snapshot) -> Check:
    """No refund is overdue: each succeeds before payment emits RefundOverdue."""
    orders = snapshot.facts.orders
    wrong = [
        f"{key} {refund_key}"
        for key, order in orders.items()
        for refund_key in sorted(order.refunds_overdue)
    ]
    return as_check(
        "refunds_arrive", sum(bool(order.refunded_minor) for order in orders.values()), wrong
    )


def charged_twice(snapshot: Snapshot) -> list[str]:
    """Return the orders with more than one charge."""
    emitted = {key for key, order in snapshot.facts.orders.items() if order.payments > 1}
    provider_keys = {
        key for key, charges in (snapshot.moment.provider or {}).items() if charges.charges > 1
    }
    return sorted(emitted | provider_keys)


def moved_minor(snapshot: Snapshot) -> tuple[Counter[str], Counter[str]]:
    """Return what was charged and refunded by currency, in minor units.

    By the provider's own records where there are any.
    """
    charged: Counter[str] = Counter()
    refunded: Counter[str] = Counter()
    orders = snapshot.facts.orders
    if snapshot.moment.provider is not None:
        for key, record in snapshot.moment.provider.items():
            order = orders.get(key)
            currency = record.currency or (order.currency if order else "")
            charged[currency] += record.charged_minor
            refunded[currency] += record.refunded_minor
    else:
        for order in orders.values():
            charged[order.currency] += order.paid_minor
            refunded[order.currency] += order.refunded_minor
    return +charged, +refunded


def amounts_text(amounts: Mapping[str, int]) -> str:
    """Return `amounts` by currency for people: 12.50 GBP, 1,250 JPY."""
    return ", ".join(money(amounts[each], each) for each in sorted(amounts)) or "nothing"


def _through_provider(order: OrderFacts) -> int:
    """Return what the ledger says has come in at the provider, less what went back.

    Some of it may be the provider's fee by now, or on its way to the bank, or there. What was
    refunded past the provider has left the bank.
    """
    return sum(map(order.balance, PROVIDER_ACCOUNTS)) + order.by_hand_minor


def _left_minor(record: ProviderRecord) -> int:
    return record.charged_minor - record.refunded_minor - record.disputed_minor


def _is_strange(record: ProviderRecord, currency: str) -> bool:
    """Return whether the provider has moved money in another currency than `currency`."""
    return record.mixed or record.currency not in ("", currency)


def trial_balance(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    """Return debits less credits of each account, by currency; each currency adds up to zero."""
    balances: dict[str, Counter[str]] = {}
    for order in snapshot.facts.orders.values():
        for place, amount in order.accounts.items():
            currency, _, account = place.partition("/")
            balances.setdefault(currency, Counter())[account] += amount
    return {
        currency: dict(sorted(accounts.items())) for currency, accounts in sorted(balances.items())
    }


def imbalance_minor(snapshot: Snapshot) -> int:
    """Return by how much debits and credits differ; over several currencies only 0 has a sense."""
    off = 0
    for order in snapshot.facts.orders.values():
        off += sum(abs(total) for total in _totals(order).values())
    return off


def _totals(order: OrderFacts) -> Counter[str]:
    """Return debits less credits by currency."""
    totals: Counter[str] = Counter()
    for account, amount in order.accounts.items():
        totals[account.partition("/")[0]] += amount
    return totals


def _new(snapshot: Snapshot, key: str) -> bool:
    """Return whether the events of `key` are so recent that its order may still be produced."""
    record = (snapshot.moment.provider or {}).get(key)
    order = snapshot.facts.orders.get(key)
    last_ms = max(record.last_ms if record else 0, order.last_ms if order else 0)
    return snapshot.moment.fresh(last_ms)
