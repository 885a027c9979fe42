"""Lines: the one form in which the provider, the payments table and the ledger are compared. Pure.

A line is money that moved, or a charge that can never happen; a decline leaves none. What a payment
has asked for and not known yet is a line too, an open one: it says what is under way since when.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from workflows.ledger.messages import EntryPosted
from workflows.payment.process import Payment

Book = Literal["provider", "payments", "ledger"]
Kind = Literal["charge", "refund", "void"]

CASH = "cash_at_provider"
PAYMENT = "payment"
REFUND = "refund/"
"""What the ledger calls its entries about money: the cause of an entry, or how it begins."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of one book, in minor units."""

    book: Book
    order_id: str
    kind: Kind
    key: str = ""
    """The refund key: `compensation` or the id of a return. Empty for charges and voids."""
    reference: str = ""
    """The provider's id of the intent or the refund. The ledger knows refunds by nothing else."""
    amount_minor: int
    currency: str
    at_ms: int
    open: bool = False
    """Asked for, and not known to have happened."""


def lines_of_payment(state: Payment, at_ms: int) -> Iterator[Line]:
    """Yield what the row of one payment, written at `at_ms`, says about money."""
    bill, charge = state.bill, state.charge
    if bill is None:
        return
    if charge.asked and charge.outcome != "declined":
        yield Line(
            book="payments",
            order_id=bill.transaction_id,
            kind="void" if charge.outcome == "voided" else "charge",
            reference=charge.payment_id,
            amount_minor=bill.total_minor,
            currency=bill.currency,
            at_ms=at_ms if charge.outcome else charge.unknown_since_ms or at_ms,
            open=not charge.outcome,
        )
    for key, refund in state.refunds.by_key.items():
        is_refunded = refund.status in {"given", "told"}
        yield Line(
            book="payments",
            order_id=bill.transaction_id,
            kind="refund",
            key=key,
            reference=refund.refund_id,
            amount_minor=refund.amount_minor,
            currency=bill.currency,
            at_ms=at_ms if is_refunded else refund.asked_at_ms or at_ms,
            open=not is_refunded,
        )


def lines_of_entry(entry: EntryPosted, at_ms: int) -> Iterator[Line]:
    """Yield the line of an entry that moves cash at the provider; a sale moves none."""
    cash_minor = sum(
        posting.debit_minor - posting.credit_minor
        for posting in entry.postings
        if posting.account == CASH
    )
    is_refund = entry.cause.startswith(REFUND)
    if not cash_minor and not is_refund and entry.cause != PAYMENT:
        return
    # An entry of neither name is a line all the same: cash nobody else knows of must be found.
    refunds = is_refund or (entry.cause != PAYMENT and cash_minor < 0)
    yield Line(
        book="ledger",
        order_id=entry.transaction_id,
        kind="refund" if refunds else "charge",
        key="" if is_refund or entry.cause == PAYMENT else entry.cause,
        reference=entry.cause.removeprefix(REFUND) if is_refund else "",
        amount_minor=-cash_minor if refunds else cash_minor,
        currency=entry.currency,
        at_ms=at_ms,
    )
