"""What is remembered of one payment: its charge, its capture, its refunds and its disputes."""

import msgspec

from workflows.payment.capture import Capture
from workflows.payment.charge import Bill, Charge
from workflows.payment.dispute import Disputes
from workflows.payment.refund_state import Refunds
from workflows.shared.personal import NamesPeople, Personal


class TakenDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision of an operator that counts."""

    round: int | None = None
    decision: str
    reference: NamesPeople[str] = ""
    evidence_text: Personal[str] = ""
    decided_by: str = ""
    stage: str = ""
    """Of a dispute: what it was decided about; empty: not known."""


class RefusedDecision(TakenDecision, frozen=True, kw_only=True):
    """One that came too late, and is to be emitted as refused."""

    case: str
    reason: str


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """What operators have decided about the cases of one payment."""

    by_case: dict[str, TakenDecision] = {}
    """The latest that counts, by the name of the case."""
    refused: tuple[RefusedDecision, ...] = ()


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """What the payment of one order remembers."""

    bill: Bill | None = None
    closed: bool = False
    """Nothing will be shipped: whatever was or will be charged goes back."""
    charge: Charge = Charge()
    capture: Capture = Capture()
    """Where money is held first, and taken later."""
    completed_emitted: bool = msgspec.field(name="completed_told", default=False)
    shipped_minor: int | None = None
    """What is charged for what has left, where not all of it has."""
    mismatch_emitted: bool = False
    failed_emitted: bool = msgspec.field(name="failed_told", default=False)
    refunds: Refunds = Refunds()
    disputes: Disputes = Disputes()
    decisions: Decisions = Decisions()


INITIAL = Payment()
