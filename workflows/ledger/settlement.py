"""The entries of what the provider keeps, and of what it pays out to the bank. Pure."""

from collections.abc import Collection

from workflows.ledger.messages import Account, EntryPosted, Posting
from workflows.ledger.postings import entry, moved
from workflows.payment.settlement_messages import (
    DISPUTE_CATEGORIES,
    BalanceTransactionPaidOut,
    BalanceTransactionReported,
    SettlementMessage,
)

FEE, PAYOUT_SENT, PAYOUT_PAID, PAYOUT_BACK = "fee/", "payout sent/", "payout paid/", "payout back/"
"""The causes of the entries, before the id of the balance transaction (and of the payout)."""
SETTLEMENT = (FEE, PAYOUT_SENT, PAYOUT_PAID, PAYOUT_BACK)


def entries_of(received: SettlementMessage, posted: Collection[str]) -> list[EntryPosted]:
    """Return the entries that `received` makes due; `posted` has the causes of those there are.

    Their currency is the one that the provider reports: another than that of the order is found by
    `verify` and `reconcile`.
    """
    if isinstance(received, BalanceTransactionReported):
        # The fee of a dispute is posted with the dispute.
        if received.category in DISPUTE_CATEGORIES:
            return []
        cause = f"{FEE}{received.balance_transaction_id}"
        sides = moved("provider_fees", "cash_at_provider", received.fee_minor)
        return [_entry(received, cause, sides)]
    return _payout_entries(received, posted)


def _payout_entries(
    received: BalanceTransactionPaidOut, posted: Collection[str]
) -> list[EntryPosted]:
    line = f"{received.balance_transaction_id}/{received.payout_id}"
    net_minor = received.net_minor
    sent = moved("payout_clearing", "cash_at_provider", net_minor)
    due = [_entry(received, f"{PAYOUT_SENT}{line}", sent)]
    back = f"{PAYOUT_BACK}{line}"
    match received.status:
        case "paid" if back not in posted:
            paid = moved("cash_at_bank", "payout_clearing", net_minor)
            due.append(_entry(received, f"{PAYOUT_PAID}{line}", paid))
        case "failed" | "canceled":
            # A payout may fail days after it was paid. Both entries are posted also where none was
            # before, so that an earlier status that is read late changes nothing.
            has_arrived = f"{PAYOUT_PAID}{line}" in posted
            from_account: Account = "cash_at_bank" if has_arrived else "payout_clearing"
            due.append(_entry(received, back, moved("cash_at_provider", from_account, net_minor)))
        case _:
            pass
    return due


def _entry(received: SettlementMessage, cause: str, sides: tuple[Posting, ...]) -> EntryPosted:
    return entry(received.transaction_id, received.currency, cause, sides)
