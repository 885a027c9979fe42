"""What is known of the payment of one order and its judgment, and how that changes.

Part of the fraud workflow.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.fraud.entity_messages import CheckEntity, EntityAnswered, LabelEntity, NoteDecline
from workflows.fraud.messages import (
    CaseClosed,
    CaseOpened,
    FraudCleared,
    FraudConfirmed,
    FraudDetected,
    FraudVerdict,
    PaymentLabelled,
)
from workflows.payment.messages import PaymentCompleted, PaymentFailed
from workflows.shared.message import Message
from workflows.shipping.messages import ShipmentCancelled, ShipmentDelivered, ShipmentFailed

# --- memory ------------------------------------------------------------------


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the payment of one order."""

    paid: PaymentCompleted | None = None
    declined: PaymentFailed | None = None
    asked: bool = False
    """Whether the parties were asked, or told of the decline."""
    answers: tuple[EntityAnswered, ...] = ()
    """Until the verdict."""
    verdict: FraudVerdict | None = None
    label: PaymentLabelled | None = None
    """The newest."""
    label_told: bool = False
    confirmed_told: bool = False
    goods: Literal["", "delivered", "stopped"] = ""
    case: Literal["", "review", "late"] = ""
    """The case that is open."""
    case_at_ms: int = 0
    late_told: bool = False


INITIAL = Checked()

# --- fold --------------------------------------------------------------------


def evolve(memory: Checked, word: Message, _at_ms: int) -> Checked:  # noqa: C901, PLR0911, PLR0912  one match
    """Return `memory` after `word`, heard or told."""
    match word:
        case PaymentCompleted():
            # A charge may succeed after it was told as failed: then it is judged like any other.
            return memory if memory.paid else replace(memory, paid=word, asked=False)
        case PaymentFailed(declined=True):
            return memory if memory.declined or memory.paid else replace(memory, declined=word)
        case CheckEntity() | NoteDecline():
            return replace(memory, asked=True)
        case EntityAnswered(kind=kind):
            if memory.verdict or any(answer.kind == kind for answer in memory.answers):
                return memory
            return replace(memory, answers=(*memory.answers, word))
        case FraudDetected() | FraudCleared():
            return replace(memory, verdict=word, answers=())
        case PaymentLabelled():
            return _relabelled(memory, word)
        case LabelEntity():
            return replace(memory, label_told=True)
        case FraudConfirmed():
            return replace(memory, confirmed_told=True)
        case CaseOpened(case=case, opened_at_ms=opened_at_ms):
            late = memory.late_told or case == "late"
            return replace(memory, case=case, case_at_ms=opened_at_ms, late_told=late)
        case CaseClosed():
            return replace(memory, case="")
        case ShipmentDelivered():
            return replace(memory, goods="delivered")
        case ShipmentCancelled() | ShipmentFailed():
            return replace(memory, goods="stopped")
        case _:
            return memory


def _relabelled(memory: Checked, label: PaymentLabelled) -> Checked:
    known = memory.label
    if known is not None and known.known_at_ms > label.known_at_ms:
        return memory
    if known is not None and known.fraud == label.fraud:
        # What the parties were told still holds; who said it last may close the case.
        return replace(memory, label=label)
    return replace(memory, label=label, label_told=False)
