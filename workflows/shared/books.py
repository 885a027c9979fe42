"""The books of money that `payflow reconcile` compares: one line a movement, in one form."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from workflows.shared.topic import Topic

Book = Literal["provider", "payments", "ledger"]
Kind = Literal["charge", "refund", "void", "dispute", "reversal"]
"""`dispute`: money that a bank has taken from us; `reversal`: it came back."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of one book, in minor units.

    A line is money that moved, or a charge that can never happen; a decline leaves none. A request
    whose outcome is not known yet is a line too, an open one, with the time since when it is under
    way.
    """

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
    open_ms: int = 0
    """How much longer than others of its kind it may be open."""
    reverses: bool = False
    """It reverses the line with the same reference."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What one book knows of money that was held on a card, in minor units.

    What was authorized is captured, voided, or still held.
    """

    book: Literal["provider", "payments"]
    order_id: str
    authorized_minor: int
    captured_minor: int = 0
    voided_minor: int = 0
    """Let go: all of it, or what was left when a part was captured."""
    currency: str
    at_ms: int
    """When it last changed."""

    @property
    def held_minor(self) -> int:
        """Return what is neither captured nor voided."""
        return self.authorized_minor - self.captured_minor - self.voided_minor


Step = Literal["fee", "sent", "paid", "back", "dispute_fee"]
"""What of a balance transaction is posted: its fee, its way to the bank, its way back; and the fee
of a dispute, which the dispute posts."""


class SettlementLine(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger has posted of one balance transaction, in minor units."""

    order_id: str
    balance_transaction_id: str
    """Of the fee of a dispute it is the id of the dispute."""
    payout_id: str = ""
    """Empty for a fee."""
    step: Step
    amount_minor: int
    """Of a refund below zero: its payout takes it along."""
    bank_minor: int = 0
    """What came to the bank by it."""
    currency: str
    at_ms: int


class OwnBooks(msgspec.Struct, frozen=True, kw_only=True):
    """The two books that Payflow itself keeps of the money at the provider."""

    table: str
    """The table whose rows are the book `payments`."""
    lines_of_row: Callable[[Any, int], Iterator[Line]]
    """Yield the lines of the state of a row, written at a time in ms."""
    holds_of_row: Callable[[Any, int], Iterator[Hold]]
    """Yield what the same state knows of money that was held."""
    topic: Topic
    """The topic whose events are the book `ledger`."""
    lines_of_entry: Callable[[Any, int], Iterator[Line]]
    """Yield the lines of an event, emitted at a time in ms."""
    settlement_of_entry: Callable[[Any, int], Iterator[SettlementLine]]
    """Yield what an event, emitted at a time in ms, posts of a balance transaction."""
    motion_ms: dict[Kind, int]
    """How long after its latest line a book may lack one: until then the money is in motion."""


declared: list[OwnBooks] = []
"""The books of `workflows/*/books.py`, once they are loaded."""


def declare_books(books: OwnBooks) -> OwnBooks:
    """Return `books`, declared."""
    declared.append(books)
    return books
