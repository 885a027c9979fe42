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
    for key, known in orders.items():
        through_provider = known.refunded_minor - known.by_hand_minor
        strange = False
        left_minor = known.paid_minor - through_provider - known.disputed_minor
        amounts = [left_minor, _through_provider(known)]
        if provider is not None:
            taken = provider.get(key)
            amounts.append(_left_minor(taken) if taken else 0)
            strange = taken is not None and _is_strange(taken, known.currency)
        for name, amount in zip(("payments", "ledger", "provider"), amounts, strict=False):
            sums.setdefault(name, Counter())[known.currency] += amount
        if len(set(amounts)) > 1 or strange or known.foreign():
            wrong.append(key)
    note = "" if provider is not None else "; the provider's records cannot be seen: not checked"
    shown = "; ".join(f"{name} {amounts_text(each)}" for name, each in sums.items())
    return as_check("money_agrees", len(orders), wrong, f"{shown or 'no money'}{note}")


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
        or (known.cancelled and _through_provider(known) - known.by_hand_minor)
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


def moved_minor(snapshot: Snapshot) -> tuple[Counter[str], Counter[str]]:
    """Return what was charged and refunded by currency, in minor units.

    By the provider's own records where there are any.
    """
    charged: Counter[str] = Counter()
    refunded: Counter[str] = Counter()
    orders = snapshot.facts.orders
    if snapshot.moment.provider is not None:
        for key, taken in snapshot.moment.provider.items():
            known = orders.get(key)
            currency = taken.currency or (known.currency if known else "")
            charged[currency] += taken.charged_minor
            refunded[currency] += taken.refunded_minor
    else:
        for known in orders.values():
            charged[known.currency] += known.paid_minor
            refunded[known.currency] += known.refunded_minor
    return +charged, +refunded


def amounts_text(amounts: Mapping[str, int]) -> str:
    """Return `amounts` by currency for people: 12.50 GBP, 1,250 JPY."""
    return ", ".join(money(amounts[each], each) for each in sorted(amounts)) or "nothing"


def _through_provider(known: OrderFacts) -> int:
    """Return what the ledger says has come in at the provider, less what went back.

    Some of it may be the provider's fee by now, or on its way to the bank, or there. What was
    refunded past the provider has left the bank.
    """
    return sum(map(known.balance, PROVIDER_ACCOUNTS)) + known.by_hand_minor


def _left_minor(taken: ProviderRecord) -> int:
    return taken.charged_minor - taken.refunded_minor - taken.disputed_minor


def _is_strange(taken: ProviderRecord, currency: str) -> bool:
    """Return whether the provider has moved money in another currency than `currency`."""
    return taken.mixed or taken.currency not in ("", currency)


def trial_balance(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    """Return debits less credits of each account, by currency; each currency adds up to zero."""
    balances: dict[str, Counter[str]] = {}
    for known in snapshot.facts.orders.values():
        for place, amount in known.accounts.items():
            currency, _, account = place.partition("/")
            balances.setdefault(currency, Counter())[account] += amount
    return {
        currency: dict(sorted(accounts.items())) for currency, accounts in sorted(balances.items())
    }


def imbalance_minor(snapshot: Snapshot) -> int:
    """Return by how much debits and credits differ; over several currencies only 0 has a sense."""
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
