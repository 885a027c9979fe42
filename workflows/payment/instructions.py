"""What a workflow may ask of payment; see `workflows.shared.reaction`."""

from workflows.payment.capture_messages import CaptureKind
from workflows.payment.origin import UNKNOWN, Origin
from workflows.shared.personal import Personal
from workflows.shared.reaction import Instruction


class RequestPayment(Instruction, frozen=True, kw_only=True):
    """Take `total_minor` once; a transaction is billed once, whatever is asked later."""

    transaction_id: str
    customer_id: Personal[str] = ""
    country: str
    currency: str
    total_minor: int
    goods_minor: int
    """What of the total is items; the rest is charges."""
    payment_method: Personal[str]
    ordered_at_ms: int
    origin: Origin = UNKNOWN
    capture: CaptureKind = "automatic"
    refusal: str = ""
    """Why the provider must not be asked: it counts as declined for this reason."""


class RequestCapture(Instruction, frozen=True, kw_only=True):
    """The items have left: take what is held, or refund what was taken for more than them."""

    amount_minor: int | None = None
    """What is charged for what has left; None: all that was asked for."""
    goods_minor: int = 0
    """What of it is items."""


class CancelPayment(Instruction, frozen=True, kw_only=True):
    """Nothing will be delivered: whatever was or will be charged goes back."""


class RequestRefund(Instruction, frozen=True, kw_only=True):
    """Give part of the money back, once a `return_id`."""

    return_id: str
    amount_minor: int
