"""Bookkeeping: emitted on `ledger` by ledger. Every entry balances by itself."""

from typing import Literal

import msgspec

from workflows.shared.limits import Currency, MinorDue, Name, Text
from workflows.shared.message import Message

Account = Literal[
    "customer_receivable",
    "cash_at_provider",
    "cash_at_bank",
    "revenue",
    "shipping",
    "refunds",
    "bad_debts",
    "provider_fees",
    "payout_clearing",
    "disputes_receivable",
    "dispute_fees",
    "chargebacks",
]


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """One side of an entry: a debit or a credit of one account."""

    account: Account
    debit_minor: MinorDue = 0
    credit_minor: MinorDue = 0


class EntryPosted(Message, tag="payflow.ledger.entry_posted.v1", frozen=True, kw_only=True):
    """Debits equal credits. `entry_id` names the fact that caused it."""

    entry_id: Name
    transaction_id: Name = msgspec.field(name="order_id")
    currency: Currency
    postings: tuple[Posting, ...]
    cause: Text


LedgerMessage = EntryPosted
