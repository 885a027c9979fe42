"""Compares what the provider has settled with the ledger, and the ledger with the bank. Pure.

Each balance transaction is followed to the bank: its fee is posted, a payout holds it, the payout
is on its way, and has arrived. What it waits for is said in words, with its age.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from app.operations.reconciliation.dispute_fees import compare_dispute_fees
from app.operations.reconciliation.settlement_books import (
    AGREEING,
    BANK,
    READ_MS,
    SENT_BACK,
    WITHOUT_FEE_ENTRY,
    About,
    BalanceLine,
    Bucket,
    CurrencySums,
    OpenItem,
    PayoutRecord,
    SettlementBooks,
    State,
    Ways,
    is_not_ours,
    open_item,
)
from workflows.shared.books import SettlementLine, Step


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """How settlement compares, with the age of what is open."""

    reconciled: bool
    sent_back: int
    """Lines of payouts that failed and that no other one holds: a bank account is to be mended."""
    lines: int
    arrived: int
    """Lines that have arrived at the bank, fee and all."""
    not_ours: int
    disputes: int
    """Chargebacks."""
    ageing: dict[State, dict[Bucket, int]]
    totals: dict[str, CurrencySums]
    open_items: tuple[OpenItem, ...]


def compare(books: SettlementBooks, posted: Sequence[SettlementLine], now_ms: int) -> Settlement:
    """Return how what the provider has settled compares with the ledger at `now_ms`."""
    ways = Ways(books)
    own = [line for line in books.lines if line.order_id]
    by_line: dict[str, list[SettlementLine]] = defaultdict(list)
    entries = [entry for entry in posted if entry.step != "dispute_fee"]
    for entry in entries:
        by_line[entry.balance_transaction_id].append(entry)
    items: list[OpenItem] = []
    arrived = 0
    for line in own:
        open_items = list(_followed(line, ways, by_line.pop(line.id, []), now_ms))
        arrived += not open_items
        items += open_items
    for unknown in (entry for rest in by_line.values() for entry in rest):
        items.append(open_item("unknown line", unknown, (None, unknown.amount_minor), now_ms))
    for unlisted in books.unlisted:
        amounts = (unlisted.amount_minor, None)
        items.append(open_item("missing balance transaction", unlisted, amounts, now_ms))
    items += _payout_sums(books, now_ms)
    items += compare_dispute_fees(books.lines, posted, now_ms)
    return Settlement(
        reconciled=all(item.state in AGREEING for item in items),
        sent_back=sum(item.state == SENT_BACK for item in items),
        lines=len(own),
        arrived=arrived,
        not_ours=sum(map(is_not_ours, books.lines)),
        disputes=sum(line.category == "dispute" for line in own),
        ageing=_ageing(items),
        totals=_totals(books, entries, ways),
        open_items=tuple(sorted(items, key=lambda item: (not item.wrong, item.at_ms))),
    )


# --- one balance transaction ------------------------------------------------------


def _followed(
    line: BalanceLine,
    ways: Ways,
    entries: Sequence[SettlementLine],
    now_ms: int,
) -> Iterator[OpenItem]:
    """Yield what is open of one balance transaction; nothing when it has arrived."""
    if line.source_minor is not None and line.source_minor != line.amount_minor:
        yield _of(line, "amount differs", (line.amount_minor, line.source_minor), now_ms)
    if line.net_minor != line.amount_minor - line.fee_minor:
        amounts = (line.net_minor, line.amount_minor - line.fee_minor)
        yield _of(line, "amount differs", amounts, now_ms)
    if any(entry.currency != line.currency for entry in entries):
        yield _of(line, "currency differs", (line.net_minor, None), now_ms)
    yield from _fee(line, entries, now_ms)
    failed, payout_id = ways.of(line)
    sums = _by_payout(entries)
    yield from _came_back(line, payout_id, failed, sums, now_ms)
    if payout_id:
        payout = ways.payouts.get(payout_id)
        if payout is None:
            yield _of(line, "missing payout", (line.net_minor, None), now_ms, payout_id)
            return
        yield from _paid_out(line, payout, sums.get(payout.id, Counter[str]()), now_ms)
    elif failed:
        name, since_ms = list(failed.items())[-1]
        yield _of(line, "payout failed", (line.net_minor, None), now_ms, name, since_ms)
    else:
        waits: State = "waiting for a payout"
        if line.available_ms > now_ms:
            waits = "waiting for availability"
        yield _of(line, waits, (line.net_minor, None), now_ms)


def _came_back(
    line: BalanceLine,
    payout_id: str,
    failed: Mapping[str, int],
    sums: Mapping[str, Mapping[str, int]],
    now_ms: int,
) -> Iterator[OpenItem]:
    """Yield what the ledger has left at payouts that do not hold a line, or no longer."""
    for name, steps in sums.items():
        sent_minor = steps.get("sent", 0) - steps.get("back", 0)
        left_minor = sent_minor or steps.get(BANK, 0)
        if name == payout_id or not left_minor:
            continue
        since_ms = failed.get(name)
        state: State = "unknown line"
        if since_ms is not None:
            is_late = now_ms - since_ms > READ_MS or not sent_minor
            state = "amount differs" if is_late else "waiting to be read"
        provider_minor = None if since_ms is None else 0
        yield _of(line, state, (provider_minor, left_minor), now_ms, name, since_ms)


def _fee(line: BalanceLine, entries: Sequence[SettlementLine], now_ms: int) -> Iterator[OpenItem]:
    if line.category in WITHOUT_FEE_ENTRY:
        return
    fees = [entry.amount_minor for entry in entries if entry.step == "fee"]
    if sum(fees) == line.fee_minor:
        return
    amounts = (line.fee_minor, sum(fees) if fees else None)
    if fees:
        yield _of(line, "amount differs", amounts, now_ms)
    elif now_ms - line.at_ms > READ_MS:
        yield _of(line, "missing fee", amounts, now_ms)
    else:
        yield _of(line, "waiting to be read", amounts, now_ms)


def _paid_out(
    line: BalanceLine, payout: PayoutRecord, steps: Mapping[str, int], now_ms: int
) -> Iterator[OpenItem]:
    """Yield how the ledger's entries of the payout that holds a line differ from it, if they do."""
    is_paid = payout.status == "paid"
    expected: tuple[Step, ...] = ("sent", "paid") if is_paid else ("sent",)
    if line.net_minor == 0:
        return
    if steps.get("back") or (steps.get(BANK) and not is_paid):
        amounts = (line.net_minor * is_paid, steps.get(BANK, 0))
        yield _of(line, "amount differs", amounts, now_ms, payout.id, payout.arrival_ms)
        return
    for step, since_ms in zip(expected, (payout.created_ms, payout.arrival_ms), strict=False):
        amount_minor = steps.get(step)
        amounts = (line.net_minor, amount_minor)
        if amount_minor is None:
            is_late = now_ms - since_ms > READ_MS
            state: State = "missing payout" if is_late else "waiting to be read"
            yield _of(line, state, amounts, now_ms, payout.id, since_ms)
            return
        if amount_minor != line.net_minor:
            yield _of(line, "amount differs", amounts, now_ms, payout.id, since_ms)
    if not is_paid:
        amounts = (line.net_minor, steps.get("sent"))
        yield _of(line, "payout in transit", amounts, now_ms, payout.id, payout.created_ms)


def _by_payout(entries: Iterable[SettlementLine]) -> dict[str, Counter[str]]:
    """Return what was posted of each payout, by its step, and what of it is at the bank."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        if entry.step != "fee":
            sums[entry.payout_id][entry.step] += entry.amount_minor
            sums[entry.payout_id][BANK] += entry.bank_minor
    return sums


# --- sums -------------------------------------------------------------------------


def _payout_sums(books: SettlementBooks, now_ms: int) -> Iterator[OpenItem]:
    """Yield the payouts that are not the sum of their lines, those that are not ours among them."""
    sums: Counter[str] = Counter()
    for line in books.lines:
        sums[line.payout_id] += line.net_minor
    for payout in books.payouts:
        if payout.amount_minor != sums[payout.id]:
            about = About(payout_id=payout.id, currency=payout.currency, at_ms=payout.created_ms)
            amounts = (payout.amount_minor, sums[payout.id])
            yield open_item("amount differs", about, amounts, now_ms)


def _totals(
    books: SettlementBooks, entries: Iterable[SettlementLine], ways: Ways
) -> dict[str, CurrencySums]:
    """Return the sums of each currency."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for line in books.lines:
        of = sums[line.currency]
        if not line.order_id:
            of["not_ours_minor"] += line.net_minor * is_not_ours(line)
            continue
        if line.category in WITHOUT_FEE_ENTRY:
            of["disputes_minor"] += line.net_minor
        else:
            of["fees_at_provider_minor"] += line.fee_minor
        payout = ways.payouts.get(ways.of(line)[1])
        status = payout.status if payout else ""
        place = {"paid": "paid_out_minor", "in_transit": "in_transit_minor"}
        of[place.get(status, "in_balance_minor")] += line.net_minor
    for entry in entries:
        of = sums[entry.currency]
        of["fees_in_ledger_minor"] += entry.amount_minor * (entry.step == "fee")
        of["at_bank_minor"] += entry.bank_minor
    names = CurrencySums.__struct_fields__
    return {
        currency: CurrencySums(**{name: of[name] for name in names})
        for currency, of in sorted(sums.items())
    }


def _ageing(items: Iterable[OpenItem]) -> dict[State, dict[Bucket, int]]:
    """Return how many open items there are of each kind and age."""
    counts: dict[State, Counter[Bucket]] = defaultdict(Counter)
    for item in items:
        counts[item.state][item.bucket] += 1
    return {state: dict(sorted(counts[state].items())) for state in sorted(counts)}


# --- open items -------------------------------------------------------------------


def _of(  # noqa: PLR0913  an item has these facts
    line: BalanceLine,
    state: State,
    amounts: tuple[int | None, int | None],
    now_ms: int,
    payout_id: str = "",
    since_ms: int | None = None,
) -> OpenItem:
    about = About(
        order_id=line.order_id,
        balance_transaction_id=line.id,
        payout_id=payout_id,
        currency=line.currency,
        at_ms=line.at_ms if since_ms is None else since_ms,
    )
    return open_item(state, about, amounts, now_ms)
