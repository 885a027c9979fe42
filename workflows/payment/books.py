"""The movements of money at the provider, by the ledger; and both books together."""

from collections import Counter
from collections.abc import Iterator

from workflows.ledger.dispute_entries import DISPUTE, DISPUTE_REVERSED
from workflows.ledger.messages import Account, EntryPosted
from workflows.ledger.process import PAYMENT, REFUND, REFUND_FAILED
from workflows.ledger.settlement import FEE, PAYOUT_BACK, PAYOUT_PAID, PAYOUT_SENT, SETTLEMENT
from workflows.ledger.topics import ledger
from workflows.payment.charge_evolution import OUTCOME_MS
from workflows.payment.dispute_evolution import POLL_MS
from workflows.payment.next_action import POLL_MS as ACTION_POLL_MS
from workflows.payment.refund_evolution import OVERDUE_MS
from workflows.payment.row_books import holds_of_payment, lines_of_payment
from workflows.shared.books import Line, OwnBooks, SettlementLine, Step, declare_books

CASH = "cash_at_provider"


def lines_of_entry(entry: EntryPosted, at_ms: int) -> Iterator[Line]:
    """Yield the line of an entry that moves cash at the provider; a sale moves none.

    Fees and payouts are compared with the provider's balance transactions, not with its charges.
    """
    if entry.cause.startswith(SETTLEMENT):
        return
    cash_minor = sum(
        posting.debit_minor - posting.credit_minor
        for posting in entry.postings
        if posting.account == CASH
    )
    if entry.cause.startswith((DISPUTE, DISPUTE_REVERSED)):
        yield _line_of_dispute(entry, at_ms)
        return
    reverses = entry.cause.startswith(REFUND_FAILED)
    is_refund = reverses or entry.cause.startswith(REFUND)
    if not cash_minor and not is_refund and entry.cause != PAYMENT:
        return
    # An entry of another cause is a line too: cash that nobody else knows of must be found.
    refunds = is_refund or (entry.cause != PAYMENT and cash_minor < 0)
    yield Line(
        book="ledger",
        order_id=entry.transaction_id,
        kind="refund" if refunds else "charge",
        key="" if is_refund or entry.cause == PAYMENT else entry.cause,
        reference=entry.cause.partition("/")[2] if is_refund else "",
        amount_minor=-cash_minor if refunds else cash_minor,
        currency=entry.currency,
        at_ms=at_ms,
        reverses=reverses,
    )


STEPS: dict[str, tuple[Step, Account]] = {
    FEE: ("fee", "provider_fees"),
    PAYOUT_SENT: ("sent", "payout_clearing"),
    PAYOUT_PAID: ("paid", "cash_at_bank"),
    PAYOUT_BACK: ("back", "cash_at_provider"),
    DISPUTE: ("dispute_fee", "dispute_fees"),
    DISPUTE_REVERSED: ("dispute_fee", "dispute_fees"),
}
"""By the beginning of a cause: the step, and the account that has its amount on the left."""


def settlement_of_entry(entry: EntryPosted, at_ms: int) -> Iterator[SettlementLine]:
    """Yield the line of an entry that settlement has made, or of the fee of a dispute."""
    kind, _, name = entry.cause.partition("/")
    if f"{kind}/" not in STEPS:
        return
    step, account = STEPS[f"{kind}/"]
    transaction_id, _, payout_id = name.partition("/")
    sums: Counter[str] = Counter()
    for posting in entry.postings:
        sums[posting.account] += posting.debit_minor - posting.credit_minor
    yield SettlementLine(
        order_id=entry.transaction_id,
        balance_transaction_id=transaction_id,
        payout_id=payout_id,
        step=step,
        amount_minor=sums[account],
        bank_minor=sums["cash_at_bank"],
        currency=entry.currency,
        at_ms=at_ms,
    )


def _line_of_dispute(entry: EntryPosted, at_ms: int) -> Line:
    """Return the line of an entry of a dispute; its fee is the provider's, not the order's."""
    amount_minor = sum(
        posting.debit_minor + posting.credit_minor
        for posting in entry.postings
        if posting.account == "disputes_receivable"
    )
    dispute_id = entry.cause.partition("/")[2]
    return Line(
        book="ledger",
        order_id=entry.transaction_id,
        kind="dispute" if entry.cause.startswith(DISPUTE) else "reversal",
        key=dispute_id,
        reference=dispute_id,
        amount_minor=amount_minor,
        currency=entry.currency,
        at_ms=at_ms,
    )


BOOKS = declare_books(
    OwnBooks(
        table="payment",
        lines_of_row=lines_of_payment,
        holds_of_row=holds_of_payment,
        topic=ledger,
        lines_of_entry=lines_of_entry,
        settlement_of_entry=settlement_of_entry,
        # Until then payment itself is at work.
        motion_ms={
            # A customer who has confirmed is noticed by a webhook, or when the provider is asked.
            "charge": OUTCOME_MS + ACTION_POLL_MS,
            "void": OUTCOME_MS,
            "refund": OVERDUE_MS,
            "dispute": POLL_MS,
            "reversal": POLL_MS,
        },
    )
)
