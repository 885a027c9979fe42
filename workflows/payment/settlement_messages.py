"""What the provider's balance says of an order (`provider.settlements`), read by the console.

Amounts are in minor units of ISO 4217, and times are the provider's own.
"""

from typing import Literal

import msgspec

from workflows.shared.limits import Currency, Milliseconds, Minor, Name, NameIfAny
from workflows.shared.message import Message

PayoutStatus = Literal["in_transit", "paid", "failed", "canceled"]
DISPUTE_CATEGORIES = frozenset({"dispute", "dispute_reversal"})
"""Reporting categories whose fees are posted with the dispute itself."""


class BalanceTransactionReported(
    Message, tag="payflow.provider.balance_transaction_reported.v1", frozen=True, kw_only=True
):
    """Money has come to our balance at the provider, or has left it, less a fee."""

    transaction_id: Name = msgspec.field(name="order_id")
    balance_transaction_id: Name
    category: Name
    """The provider's reporting category: `charge`, `refund`, `refund_failure`, `dispute`..."""
    source_id: NameIfAny = ""
    """Of the charge, the refund or the dispute."""
    amount_minor: Minor
    """Below zero where it leaves."""
    fee_minor: Minor
    net_minor: Minor
    currency: Currency
    created_at_ms: Milliseconds
    available_at_ms: Milliseconds


class BalanceTransactionPaidOut(
    Message, tag="payflow.provider.balance_transaction_paid_out.v1", frozen=True, kw_only=True
):
    """A payout to the bank holds a balance transaction; said again with each status of it."""

    transaction_id: Name = msgspec.field(name="order_id")
    balance_transaction_id: Name
    payout_id: Name
    status: PayoutStatus
    net_minor: Minor
    """What of the payout belongs to the balance transaction; below zero for a refund."""
    currency: Currency
    created_at_ms: Milliseconds
    """Of the payout."""
    arrival_at_ms: Milliseconds


SettlementMessage = BalanceTransactionReported | BalanceTransactionPaidOut
