"""Compares the fees of disputes with the ledger, which posts them by dispute. Pure.

A fee is not part of what a dispute has taken, and a balance transaction says it beside that amount.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from app.operations.reconciliation.settlement_books import (
    READ_MS,
    About,
    BalanceLine,
    OpenItem,
    State,
    open_item,
)
from workflows.shared.books import SettlementLine

Place = tuple[str, str, str]
"""An order, a dispute, a currency."""


def compare_dispute_fees(
    lines: Iterable[BalanceLine], posted: Iterable[SettlementLine], now_ms: int
) -> Iterator[OpenItem]:
    """Yield the disputes whose fees differ."""
    theirs: Counter[Place] = Counter()
    ours: Counter[Place] = Counter()
    last_ms: dict[Place, int] = {}
    for line in lines:
        if line.order_id and line.dispute_id:
            place = line.order_id, line.dispute_id, line.currency
            theirs[place] += line.fee_minor
            last_ms[place] = max(last_ms.get(place, 0), line.at_ms)
    for entry in (each for each in posted if each.step == "dispute_fee"):
        place = entry.order_id, entry.balance_transaction_id, entry.currency
        ours[place] += entry.amount_minor
        last_ms.setdefault(place, entry.at_ms)
    for place in sorted(last_ms):
        if theirs[place] == ours[place]:
            continue
        # A fee that comes back with a dispute that is won is read as late as the dispute is.
        is_late = now_ms - last_ms[place] > READ_MS
        differs: State = "amount differs" if place in ours else "missing fee"
        state: State = differs if is_late else "waiting to be read"
        order_id, dispute_id, currency = place
        about = About(
            order_id=order_id,
            balance_transaction_id=dispute_id,
            currency=currency,
            at_ms=last_ms[place],
        )
        yield open_item(state, about, (theirs.get(place), ours.get(place)), now_ms)
