"""What settlement is compared by: the provider's lines and payouts, and what is open of them."""

from typing import Literal

import msgspec

from workflows.shared.books import SettlementLine

State = Literal[
    "waiting to be read",
    "waiting for availability",
    "waiting for a payout",
    "payout in transit",
    "payout failed",
    "missing fee",
    "missing payout",
    "missing balance transaction",
    "amount differs",
    "currency differs",
    "unknown line",
]
"""What an open item is."""
EXPECTED: frozenset[State] = frozenset(
    {
        "waiting to be read",
        "waiting for availability",
        "waiting for a payout",
        "payout in transit",
    }
)
"""Those that time alone closes; every other is wrong."""
SENT_BACK: State = "payout failed"
AGREEING = EXPECTED | {SENT_BACK}
"""Those in which all books say the same. A payout that a bank has sent back waits for a person."""
Bucket = Literal["0-1 d", "2-7 d", "8-30 d", "over 30 d"]
BUCKETS: tuple[tuple[int, Bucket], ...] = ((1, "0-1 d"), (7, "2-7 d"), (30, "8-30 d"))
DAY_MS = 86_400_000
RETURNED = frozenset({"failed", "canceled"})
"""Statuses of payouts whose money is in the balance again."""
READ_MS = 36 * 3_600_000
"""How long what the provider has settled may wait to be read: it is read each night."""
WITHOUT_FEE_ENTRY = frozenset({"dispute", "dispute_reversal"})
"""Categories whose fees are posted from other events."""


BANK = "at the bank"
"""Beside the steps of a payout: what the ledger has at the bank by it."""


class BalanceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A balance transaction by the provider's own file, in minor units."""

    id: str
    category: str
    order_id: str
    """Empty: it is not ours."""
    amount_minor: int
    fee_minor: int
    net_minor: int
    source_minor: int | None
    """What its charge or refund moves; None where neither is its source."""
    currency: str
    at_ms: int
    available_ms: int
    payout_id: str = ""
    returned_payout_id: str = ""
    """The failed payout whose money came back by this line; it is of no order."""
    dispute_id: str = ""
    """Where a dispute is its source."""


class PayoutRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A payout by the provider's own file, in minor units."""

    id: str
    amount_minor: int
    currency: str
    status: str
    created_ms: int
    arrival_ms: int


class SettlementBooks(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider has settled."""

    lines: tuple[BalanceLine, ...] = ()
    payouts: tuple[PayoutRecord, ...] = ()
    unlisted: tuple[SettlementLine, ...] = ()
    """Charges and refunds newer than the first balance transaction that have none."""


class OpenItem(msgspec.Struct, frozen=True, kw_only=True):
    """What is not at the bank yet, or is wrong. Amounts in minor units; None: not in that book."""

    state: State
    wrong: bool
    order_id: str
    balance_transaction_id: str
    payout_id: str = ""
    provider_minor: int | None
    ledger_minor: int | None
    currency: str
    at_ms: int
    """Since when it is what it is, by the provider's clock, or else the ledger's."""
    age_days: int
    bucket: Bucket


class CurrencySums(msgspec.Struct, frozen=True, kw_only=True):
    """Of one currency, in minor units: the provider beside the ledger."""

    fees_at_provider_minor: int
    fees_in_ledger_minor: int
    """Without those of disputes."""
    paid_out_minor: int
    """Of payouts that are `paid`, what is ours."""
    at_bank_minor: int
    """By the ledger: what has arrived by payouts."""
    in_transit_minor: int
    in_balance_minor: int
    """In no payout yet."""
    not_ours_minor: int
    """Net, of whatever else uses the account."""
    disputes_minor: int
    """Net of chargebacks, below zero, and of what came back of them."""


def bucket_of(age_days: int) -> Bucket:
    """Return the bucket of an age in whole days."""
    for most, name in BUCKETS:
        if age_days <= most:
            return name
    return "over 30 d"


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What an open item is about, as a line of the ledger says it too."""

    order_id: str = ""
    balance_transaction_id: str = ""
    payout_id: str = ""
    currency: str
    at_ms: int


def open_item(
    state: State,
    about: SettlementLine | About,
    amounts: tuple[int | None, int | None],
    now_ms: int,
) -> OpenItem:
    """Return an open item with the amounts of the provider and of the ledger."""
    # The provider's clock may be ahead of ours.
    days = max(0, now_ms - about.at_ms) // DAY_MS
    return OpenItem(
        state=state,
        wrong=state not in EXPECTED,
        order_id=about.order_id,
        balance_transaction_id=about.balance_transaction_id,
        payout_id=about.payout_id,
        provider_minor=amounts[0],
        ledger_minor=amounts[1],
        currency=about.currency,
        at_ms=about.at_ms,
        age_days=days,
        bucket=bucket_of(days),
    )


class Ways:
    """Which payouts have held a line, one after the other: the bank may send one back."""

    def __init__(self, books: SettlementBooks) -> None:
        self.payouts = {payout.id: payout for payout in books.payouts}
        self._back = {
            line.returned_payout_id: line for line in books.lines if line.returned_payout_id
        }

    def of(self, line: BalanceLine) -> tuple[dict[str, int], str]:
        """Return the payouts of a line that failed, each with its time (ms), and the one now."""
        failed: dict[str, int] = {}
        name = line.payout_id
        while (payout := self.payouts.get(name)) is not None and payout.status in RETURNED:
            if name in failed:
                # A file that says so is damaged.
                break
            back = self._back.get(name)
            failed[name] = payout.arrival_ms if back is None else back.at_ms
            name = "" if back is None else back.payout_id
        return failed, name


def is_not_ours(line: BalanceLine) -> bool:
    """Return whether a line is of somebody else on the account; what came back is of several."""
    return not line.order_id and not line.returned_payout_id
