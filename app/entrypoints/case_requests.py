"""The declarations of cases of which operators decide what becomes of them."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from app.entrypoints.emission import Emission

RowState = Any
"""The state of a row, of whichever table."""
Outcome = Callable[[RowState, Any], str | None]
"""Return what has become of the message of a decision, of the state of a row: nothing against it
where it counts, else why it does not; None: it waits to be received."""


class DueRefund(msgspec.Struct, frozen=True, kw_only=True):
    """What a refund that waits for an operator is to refund, and of which payment."""

    refund_key: str
    payment_id: str
    amount_minor: int
    currency: str


class RefundDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator decides about one of them."""

    transaction_id: str
    refund_key: str
    failed_round: int
    decision: str
    reference: str
    amount_minor: int = 0
    """What it pays, by the provider or as the operator has seen it due; 0: nobody has said."""
    decided_by: str


class RefundCases(msgspec.Struct, frozen=True, kw_only=True):
    """Refunds that have failed for good, and wait for the decision of an operator."""

    table: str
    """Whose rows hold the refunds."""
    waiting: Callable[[RowState], Mapping[str, int]]
    """Return the round that failed of each, by its key, of the state of such a row."""
    disputed: Callable[[RowState], str]
    """Return the dispute by which the customer may get the money too; empty: there is none."""
    due: Callable[[RowState, str, str], DueRefund]
    """Return what is due of one that waits, by its key and what an operator has found."""
    decide: Callable[[RefundDecision], Emission]
    outcome: Outcome


class CaptureCases(msgspec.Struct, frozen=True, kw_only=True):
    """Shipped transactions whose money cannot be taken, which wait for an operator."""

    table: str
    """Whose rows hold the captures."""
    waiting: Callable[[RowState], int | None]
    """Return the round that failed, of the state of such a row; None: nothing waits."""
    decide: Callable[[str, int, str, str, str], Emission]
    """Of a transaction id, the round that failed, a decision, a reference, and who decides."""
    outcome: Outcome


class WaitingDispute(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute that waits for an operator."""

    round: int
    """How often the provider was asked about it."""
    stage: str
    """What a decision about it is for."""


class DisputeDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator decides about a dispute."""

    transaction_id: str
    dispute_id: str
    decided: WaitingDispute
    """As the operator has seen it."""
    decision: str
    text: str
    decided_by: str


class DisputeCases(msgspec.Struct, frozen=True, kw_only=True):
    """Disputed payments that wait for the answer of an operator."""

    table: str
    """Whose rows hold the disputes."""
    waiting: Callable[[RowState], Mapping[str, WaitingDispute]]
    """Return each that waits for an answer, by its id, of the state of such a row."""
    holding: Callable[[RowState], Mapping[str, WaitingDispute]]
    """The same of those that hold refunds, which an operator may let go all the same."""
    decide: Callable[[DisputeDecision], Emission]
    outcome: Outcome
