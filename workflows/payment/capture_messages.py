"""Money that is held first and taken when the items have left: emitted on `payments` by payment."""

from typing import Literal

import msgspec

from workflows.payment.origin import UNKNOWN, Origin
from workflows.shared.limits import Currency, Milliseconds, Minor, MinorDue, Name, NameIfAny, Text
from workflows.shared.message import Message
from workflows.shared.personal import NamesPeople, Personal

CaptureKind = Literal["automatic", "at_shipment"]
"""When money is taken: with the charge, or when the carrier has the items."""


class PaymentAuthorized(Message, tag="payflow.payment.authorized.v1", frozen=True, kw_only=True):
    """The amount is held on the card until `capture_before_ms`. It carries all that fraud needs."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    amount_minor: MinorDue
    currency: Currency
    capture_before_ms: Milliseconds
    customer_id: Personal[str] = ""
    country: Name
    ordered_at_ms: Milliseconds
    origin: Origin = UNKNOWN


class PaymentVoided(Message, tag="payflow.payment.voided.v1", frozen=True, kw_only=True):
    """What was held is free again: cancelled, or expired. No money has moved."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    amount_minor: MinorDue
    currency: Currency
    reason: Literal["cancelled", "expired"]
    then: Literal["nothing", "owed", "charged"] = "nothing"
    """What becomes of the amount: it is not asked for, is still due since the items have left, or
    was taken by a new charge."""


class AuthorizationExpiring(
    Message, tag="payflow.payment.authorization_expiring.v1", frozen=True, kw_only=True
):
    """The hold ends soon and nothing has shipped: shipping decides whether it can still stop."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    capture_before_ms: Milliseconds


class CaptureCaseOpened(
    Message, tag="payflow.payment.capture_case_opened.v1", frozen=True, kw_only=True
):
    """The items have left and the money cannot be taken: an operator has to decide."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    amount_minor: MinorDue
    currency: Currency
    round: int
    """How many cases of this order were opened before."""
    reason: Text


class CaptureCaseDecided(
    Message, tag="payflow.payment.capture_case_decided.v1", frozen=True, kw_only=True
):
    """An operator has decided a case: ask the provider again, or give the money up."""

    transaction_id: Name = msgspec.field(name="order_id")
    decision: Literal["retry", "written_off"]
    reference: NamesPeople[NameIfAny] = ""
    round: int | None = None
    """Which round of the case it is about; None: whichever waits."""
    decided_by: NameIfAny = ""


class PaymentWrittenOff(Message, tag="payflow.payment.written_off.v1", frozen=True, kw_only=True):
    """The items have left and nobody will pay for them. The ledger posts the loss."""

    transaction_id: Name = msgspec.field(name="order_id")
    amount_minor: MinorDue
    goods_minor: MinorDue
    charges_minor: Minor
    currency: Currency
    reference: NamesPeople[NameIfAny] = ""


CaptureMessage = (
    PaymentAuthorized
    | PaymentVoided
    | AuthorizationExpiring
    | CaptureCaseOpened
    | PaymentWrittenOff
)
