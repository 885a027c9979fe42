"""The act of an operator on a refund that has failed for good."""

from typing import Literal

from workflows.shared.limits import Name, NameIfAny, Text
from workflows.shared.message import Message


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
    reference: NameIfAny = ""
