"""The acts of operators on money: cases of refunds and captures, goodwill, settlement."""

from typing import Literal

from workflows.shared.limits import MinorDue, Name, NameIfAny, Text
from workflows.shared.message import Message
from workflows.shared.personal import NamesPeople


class RefundCaseDecidedByOperator(
    Message, tag="payflow.audit.refund_case_decided.v1", frozen=True, kw_only=True
):
    """An operator decided what becomes of a refund that failed. `about`: the order."""

    about: Name
    who: Name
    why: Text
    event_id: Name
    refund_key: Name
    decision: Literal["retry", "settled"]
    reference: NamesPeople[NameIfAny] = ""


class CaptureCaseDecidedByOperator(
    Message, tag="payflow.audit.capture_case_decided.v1", frozen=True, kw_only=True
):
    """An operator decided what becomes of a shipped order that is not paid. `about`: the order."""

    about: Name
    who: Name
    why: Text
    event_id: Name
    decision: Literal["retry", "written_off"]
    reference: NamesPeople[NameIfAny] = ""


class DisputeAnsweredByOperator(
    Message, tag="payflow.audit.dispute_answered.v1", frozen=True, kw_only=True
):
    """An operator answered a dispute, gave it up, or refunds all the same. `about`: the order."""

    about: Name
    who: Name
    why: Text
    event_id: Name
    dispute_id: Name
    decision: Literal["submit", "accept", "refund"]
    stage: NameIfAny = ""
    """What was decided about, such as `inquiry`; empty: of a version that did not say it."""


class GoodwillGrantedByOperator(
    Message, tag="payflow.audit.goodwill_given.v1", frozen=True, kw_only=True
):
    """An operator refunded money beyond what returns are worth. `about`: the order."""

    about: Name
    who: Name
    why: Text
    event_id: Name
    goodwill_id: Name
    amount_minor: MinorDue


class SettlementRequestedByOperator(
    Message, tag="payflow.audit.settlement_requested.v1", frozen=True, kw_only=True
):
    """An operator let the provider's balance be read now. `about`: `settlement`."""

    about: Name
    who: Name
    why: Text


CaseAction = RefundCaseDecidedByOperator | CaptureCaseDecidedByOperator | DisputeAnsweredByOperator
MoneyAction = CaseAction | GoodwillGrantedByOperator | SettlementRequestedByOperator
