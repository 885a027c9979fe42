"""What the payment provider's simulator keeps: intents and refunds."""

from typing import Literal

import msgspec

from workflows.shared.personal import Personal

FAILURE = "expired_or_canceled_card"
"""Why a refund fails here: one of Stripe's `failure_reason`s."""
IntentStatus = Literal[
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "succeeded",
    "canceled",
]
"""docs.stripe.com/payments/paymentintents/lifecycle"""
CaptureTrouble = Literal["", "declined", "expired"]
"""Why a capture is refused: the card is declined, or its bank has voided the hold."""


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One payment intent. Amounts in minor units, currency in lower case as Stripe writes it."""

    id: str
    order_id: str
    amount_minor: int
    currency: str
    payment_method: Personal[str] | None
    status: IntentStatus
    metadata: dict[str, str]
    last_error: dict[str, str] | None
    created_ms: int
    canceled_ms: int | None
    cancellation_reason: str | None = None
    capture_method: str = "automatic"
    return_url: str | None = None
    action_url: str | None = None
    """The page on which the customer confirms; None: there is nothing to confirm."""
    due_ms: int | None = None
    """When it changes by itself: a payment is through, or an authorization expires."""
    authorized_minor: int = 0
    authorized_ms: int | None = None
    capture_before_ms: int | None = None
    charge_id: str | None
    charged_ms: int | None = None
    """When the money was taken; None: it was not."""
    refunded_minor: int
    received_minor: int
    """What the charge has taken; 0 without one."""
    disputed: bool = False


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money that goes back: `status` now, and `next_status` at `due_ms`, or never."""

    id: str
    intent_id: str
    charge_id: str
    amount_minor: int
    currency: str
    metadata: dict[str, str]
    created_ms: int
    status: str
    next_status: str
    due_ms: int | None


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How a refund goes: its first status, and another one later."""

    status: str = "succeeded"
    next_status: str = ""
    after_ms: int = 0
    short_minor: int = 0
    """What is refunded less than was asked for."""


PLAIN = Course()
