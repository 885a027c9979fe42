"""What is known of the payment of one order and its verdict, and how that changes.

Part of the fraud workflow.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.fraud.entity_messages import CheckEntity, EntityAnswered, LabelEntity, NoteDecline
from workflows.fraud.instructions import NoteDelivery
from workflows.fraud.messages import (
    CaseClosed,
    CaseOpened,
    FraudCleared,
    FraudConfirmed,
    FraudDetected,
    FraudVerdict,
    PaymentLabelled,
)
from workflows.payment.capture_messages import PaymentAuthorized
from workflows.payment.dispute_messages import DisputeClosed
from workflows.payment.messages import PaymentCompleted, PaymentFailed
from workflows.shared.message import Message

# --- state ------------------------------------------------------------------


class PaymentCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the payment of one order."""

    paid: PaymentCompleted | PaymentAuthorized | None = None
    """The first of them."""
    declined: PaymentFailed | None = None
    asked: bool = False
    """Whether the entities were asked, or notified of the decline."""
    answers: tuple[EntityAnswered, ...] = ()
    """Until the verdict."""
    verdict: FraudVerdict | None = None
    label: PaymentLabelled | None = None
    """The newest."""
    label_emitted: bool = msgspec.field(name="label_told", default=False)
    confirmed_emitted: bool = msgspec.field(name="confirmed_told", default=False)
    goods: Literal["", "delivered", "stopped"] = ""
    case: Literal["", "review", "late"] = ""
    """The case that is open."""
    case_at_ms: int = 0
    late_emitted: bool = msgspec.field(name="late_told", default=False)


INITIAL = PaymentCheck()

# --- evolve --------------------------------------------------------------------


def evolve(state: PaymentCheck, message: Message, at_ms: int) -> PaymentCheck:  # noqa: C901, PLR0911, PLR0912  one match
    """Return `state` after `message`, received or emitted."""
    match message:
        case PaymentCompleted() | PaymentAuthorized():
            # A charge may succeed after PaymentFailed: then it is judged like any other.
            return state if state.paid else replace(state, paid=message, asked=False)
        case PaymentFailed(declined=True):
            return state if state.declined or state.paid else replace(state, declined=message)
        case CheckEntity() | NoteDecline():
            return replace(state, asked=True)
        case EntityAnswered(kind=kind):
            if state.verdict or any(answer.kind == kind for answer in state.answers):
                return state
            return replace(state, answers=(*state.answers, message))
        case FraudDetected() | FraudCleared():
            return replace(state, verdict=message, answers=())
        case PaymentLabelled() | DisputeClosed():
            label = label_in(message, at_ms)
            return _relabelled(state, label) if label else state
        case LabelEntity():
            return replace(state, label_emitted=True)
        case FraudConfirmed():
            return replace(state, confirmed_emitted=True)
        case CaseOpened(case=case, opened_at_ms=opened_at_ms):
            late = state.late_emitted or case == "late"
            return replace(state, case=case, case_at_ms=opened_at_ms, late_emitted=late)
        case CaseClosed():
            return replace(state, case="")
        case NoteDelivery(delivery=delivery):
            return replace(state, goods=delivery)
        case _:
            return state


def label_in(message: Message, at_ms: int) -> PaymentLabelled | None:
    """Return the label that `message` is, or gives as a dispute that was lost as fraud."""
    match message:
        case PaymentLabelled():
            return message
        case DisputeClosed(outcome="lost", reason="fraudulent", dispute_id=dispute_id):
            return PaymentLabelled(
                transaction_id=message.transaction_id,
                fraud=True,
                source="chargeback",
                known_at_ms=at_ms,
                by="bank",
                note=f"dispute {dispute_id} is lost",
            )
        case _:
            return None


def _relabelled(state: PaymentCheck, label: PaymentLabelled) -> PaymentCheck:
    current = state.label
    if current is not None and current.known_at_ms > label.known_at_ms:
        return state
    if current is not None and current.fraud == label.fraud:
        # What the entities know still holds; who labelled it last may close the case.
        return replace(state, label=label)
    return replace(state, label=label, label_emitted=False)
