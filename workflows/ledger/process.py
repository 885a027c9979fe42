"""Double entry for one transaction: every fact about money or items becomes one balanced entry."""

from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.ledger.dispute_entries import entries_of_dispute
from workflows.ledger.instructions import RecognizeSale, ReverseSale
from workflows.ledger.messages import Account, EntryPosted, Posting
from workflows.ledger.postings import entry, lowered_by_refund, moved, side
from workflows.ledger.settlement import entries_of
from workflows.payment.capture_messages import PaymentWrittenOff
from workflows.payment.messages import PaymentCompleted, PaymentRefunded, PaymentRefundFailed
from workflows.payment.settlement_messages import (
    BalanceTransactionPaidOut,
    BalanceTransactionReported,
)
from workflows.shared.message import Message

REFUND, REFUND_FAILED = "refund/", "refund failed/"
"""The causes of the entries of a refund, and of its reversal, before the provider's id of it."""
REFUND_BY_HAND = "refund by hand/"
"""The cause of one that did not go through the provider, before its reference."""
PAYMENT = "payment"
"""The cause of the entry of what was charged or captured."""
WRITTEN_OFF = "written off"
"""The cause of the entry of items that nobody will pay for."""

# --- state ------------------------------------------------------------------


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The books of one transaction."""

    currency: str = ""
    goods_minor: int = 0
    charges_minor: int = 0
    shipped_goods_minor: int | None = None
    """What of the items was sold, where not all of them have left; None: all that was paid for."""
    shipped_charges_minor: int = 0
    is_net: bool = False
    """Whether no more was taken than what has left comes to."""
    goods_are: Literal["here", "sent", "stopped"] = "here"
    posted: tuple[str, ...] = ()
    """The entries made: each fact is posted once however often it is received."""
    balances: dict[str, int] = {}
    """Debits less credits of each account, in minor units."""


INITIAL = Books()

# --- decide ----------------------------------------------------------------


def decide(state: Books, received: Message, _at_ms: int) -> tuple[Message, ...]:
    """Return the entries that `received` makes due and that are not posted yet."""
    books = _noted(state, received)
    due: list[EntryPosted] = []
    match received:
        case PaymentCompleted(transaction_id=transaction_id, amount_minor=amount_minor):
            cash = moved("cash_at_provider", "customer_receivable", amount_minor)
            due = [_entry(books, transaction_id, PAYMENT, cash), *_sale(books, transaction_id)]
            due += _recovered(books, transaction_id)
        case PaymentWrittenOff(transaction_id=transaction_id):
            due = [*_sale(books, transaction_id), *_lost(books, received)]
        case PaymentRefunded(
            transaction_id=transaction_id, refund_id=refund_id, amount_minor=amount_minor
        ):
            account: Account = "cash_at_bank" if received.by_hand else "cash_at_provider"
            cause = f"{REFUND_BY_HAND if received.by_hand else REFUND}{refund_id}"
            cash = moved(lowered_by_refund(received.kind), account, amount_minor)
            books = books if books.currency else replace(books, currency=received.currency)
            due = [_entry(books, transaction_id, cause, cash)]
        case PaymentRefundFailed(was_refunded=True, transaction_id=transaction_id):
            cash = moved(
                "cash_at_provider", lowered_by_refund(received.kind), received.amount_minor
            )
            books = books if books.currency else replace(books, currency=received.currency)
            due = [_entry(books, transaction_id, f"{REFUND_FAILED}{received.refund_id}", cash)]
        case (
            RecognizeSale(transaction_id=transaction_id)
            | ReverseSale(transaction_id=transaction_id)
        ):
            due = _sale(books, transaction_id)
            if books.goods_are == "stopped":
                due += _recovered(books, transaction_id)
        case BalanceTransactionReported() | BalanceTransactionPaidOut():
            due = entries_of(received, books.posted)
        case _:
            due = entries_of_dispute(received)
    return tuple(each for each in due if each.cause not in state.posted and each.postings)


def _sale(books: Books, transaction_id: str) -> list[EntryPosted]:
    """Return the sale and, when the items were stopped, its reversal; needs the amounts."""
    if not books.currency or books.goods_are == "here":
        return []
    goods_minor, charges_minor = books.goods_minor, books.charges_minor
    if books.shipped_goods_minor is not None and not books.is_net:
        goods_minor, charges_minor = books.shipped_goods_minor, books.shipped_charges_minor
    sold = (
        *side("customer_receivable", goods_minor + charges_minor),
        *side("revenue", -goods_minor),
        *side("shipping" if charges_minor >= 0 else "revenue", -charges_minor),
    )
    entries = [_entry(books, transaction_id, "sale", sold)]
    if books.goods_are == "stopped":
        back = tuple(
            Posting(
                account=each.account, debit_minor=each.credit_minor, credit_minor=each.debit_minor
            )
            for each in sold
        )
        entries.append(_entry(books, transaction_id, "sale reversed", back))
    return entries


def _lost(books: Books, received: PaymentWrittenOff) -> list[EntryPosted]:
    """Return the loss of what is written off, unless the items are back or it is paid.

    It may be redriven, and then comes after the payment that ended it.
    """
    if books.goods_are == "stopped" or PAYMENT in books.posted:
        return []
    sides = moved("bad_debts", "customer_receivable", received.amount_minor)
    return [_entry(books, received.transaction_id, WRITTEN_OFF, sides)]


def _recovered(books: Books, transaction_id: str) -> list[EntryPosted]:
    """Return the reversal of what was written off: it was paid after all, or the items are back."""
    lost_minor = books.balances.get("bad_debts", 0)
    sides = moved("customer_receivable", "bad_debts", lost_minor)
    return [_entry(books, transaction_id, f"{WRITTEN_OFF} reversed", sides)]


def _entry(
    books: Books, transaction_id: str, cause: str, sides: tuple[Posting, ...]
) -> EntryPosted:
    return entry(transaction_id, books.currency, cause, sides)


# --- evolve --------------------------------------------------------------------


def evolve(state: Books, message: Message, _at_ms: int) -> Books:
    """Return `state` after `message`, received or emitted."""
    if not isinstance(message, EntryPosted):
        return _noted(state, message)
    if message.cause in state.posted:
        return state
    balances = dict(state.balances)
    for posting in message.postings:
        change = posting.debit_minor - posting.credit_minor
        balances[posting.account] = balances.get(posting.account, 0) + change
    return replace(state, posted=(*state.posted, message.cause), balances=balances)


def _noted(state: Books, received: Message) -> Books:
    """Return `state` with the amounts and the status of the items that `received` reports."""
    match received:
        case PaymentCompleted() | PaymentWrittenOff():
            is_net = isinstance(received, PaymentCompleted) and received.released_minor > 0
            return replace(
                state,
                currency=received.currency,
                goods_minor=received.goods_minor,
                charges_minor=received.charges_minor,
                is_net=is_net,
            )
        case RecognizeSale() if state.goods_are == "here":
            return replace(
                state,
                goods_are="sent",
                shipped_goods_minor=received.items_minor,
                shipped_charges_minor=received.charges_minor,
            )
        case ReverseSale():
            return replace(state, goods_are="stopped")
        case _:
            return state
