"""One charge at the provider: request, inquire, void, until the outcome is known.

Part of the payment workflow. An unknown outcome is a state of its own, not a failure.
"""

from typing import Literal

import msgspec

from workflows.payment import provider_messages as provider
from workflows.payment.action_messages import PaymentActionRequired, PaymentProcessing
from workflows.payment.capture_messages import CaptureKind
from workflows.payment.instructions import RequestPayment
from workflows.payment.messages import PaymentPending
from workflows.payment.origin import UNKNOWN, Origin
from workflows.shared.message import Message
from workflows.shared.personal import Personal
from workflows.shared.retry import Wait

# --- state ------------------------------------------------------------------


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What the customer has to pay, in minor units, and the fields that later events repeat."""

    transaction_id: str = msgspec.field(name="order_id")
    customer_id: Personal[str]
    country: str
    currency: str
    total_minor: int
    goods_minor: int
    payment_method: Personal[str]
    ordered_at_ms: int
    asked_at_ms: int = 0
    """When payment was asked for; 0 in rows older than this field."""
    capture: CaptureKind = "automatic"
    origin: Origin = UNKNOWN
    released_minor: int = 0
    """What is not taken of what was held, since not all items have left."""

    @property
    def held_minor(self) -> int:
        """Return what the provider was asked to hold or charge at first."""
        return self.total_minor + self.released_minor

    @property
    def charges_minor(self) -> int:
        """Return what is paid beside the items."""
        return self.total_minor - self.goods_minor


class NextAction(msgspec.Struct, frozen=True, kw_only=True):
    """Who has to act before a charge can go on; the provider has said so."""

    kind: Literal["", "customer", "processing"] = ""
    """`processing`: the provider itself, which cannot be hurried."""
    url: str = ""
    """Where the customer confirms."""
    until_ms: int = 0
    """When the charge is voided."""
    emitted: tuple[str, ...] = ()
    """The kinds that were emitted: each once, though the provider may say it again."""


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one charge."""

    asked: Literal["", "charge", "void"] = ""
    """What the provider was asked last."""
    ask_again: bool = False
    outcome: Literal["", "authorized", "succeeded", "declined", "voided"] = ""
    """`authorized`: held, and neither taken nor voided yet."""
    reason: str = ""
    """Why it is declined, or not known."""
    payment_id: str = ""
    """Of the intent; empty while no answer has named it."""
    charged_minor: int = 0
    """What the provider has taken; 0 before that, and in rows older than this field."""
    charged_currency: str = ""
    let_go_minor: int = 0
    """What was held, by the answer that it is voided."""
    hint: Literal["", "waits", "noticed", "asked"] = ""
    """A webhook says what no answer says: the provider is asked for it."""
    hint_kind: str = ""
    """What that webhook says."""
    asks: int = 0
    """How often the provider was asked."""
    unknown_since_ms: int | None = None
    next_action: NextAction = NextAction()
    expired: bool = False
    """The outcome stayed unknown for too long, or who had to act did not."""
    pending_emitted: bool = msgspec.field(name="pending_told", default=False)
    wait: Wait = Wait()


FAILED = ("declined", "voided")
"""Outcomes without money."""

# --- decide ----------------------------------------------------------------


def pending(  # noqa: PLR0911  one case after the other
    charge: Charge, bill: Bill, *, unwanted: bool
) -> tuple[Message, ...]:
    """Return what to ask or emit while the outcome is open; `unwanted`: it is to be voided.

    Once there is an outcome, only what a webhook says against it is asked for; what is held is let
    go when it is unwanted.
    """
    if not charge.asked:
        return (_charge_card(bill),)
    voids = unwanted or charge.expired
    if charge.hint == "noticed":
        # A void charges nothing: what has failed must not be charged by a forged webhook.
        return (_ask(charge, bill, voids=voids or charge.outcome in FAILED),)
    if charge.outcome == "authorized" and unwanted:
        asks = charge.ask_again or charge.asked != "void"
        return (_ask(charge, bill, voids=True),) if asks else ()
    waits_for = charge.next_action.kind
    if charge.outcome or (not waits_for and charge.unknown_since_ms is None):
        return ()
    if waits_for and waits_for not in charge.next_action.emitted and not voids:
        return (_waiting(charge, bill),)
    if not waits_for and not charge.pending_emitted:
        return (PaymentPending(transaction_id=bill.transaction_id, reason=charge.reason),)
    # Voiding waits until the outcome is unknown: the answer under way is the quickest end.
    asks = charge.ask_again or (voids and charge.asked != "void")
    return (_ask(charge, bill, voids=voids),) if asks else ()


def bill_of(command: RequestPayment, at_ms: int) -> Bill:
    """Return the bill of a transaction, for which payment is asked at `at_ms`."""
    return Bill(
        transaction_id=command.transaction_id,
        customer_id=command.customer_id,
        country=command.country,
        currency=command.currency,
        total_minor=command.total_minor,
        goods_minor=command.goods_minor,
        payment_method=command.payment_method,
        ordered_at_ms=command.ordered_at_ms,
        asked_at_ms=at_ms,
        capture=command.capture,
        origin=command.origin,
    )


def _waiting(charge: Charge, bill: Bill) -> Message:
    until_ms = charge.next_action.until_ms
    if charge.next_action.kind == "processing":
        return PaymentProcessing(
            transaction_id=bill.transaction_id,
            payment_id=charge.payment_id,
            deadline_at_ms=until_ms,
        )
    return PaymentActionRequired(
        transaction_id=bill.transaction_id,
        payment_id=charge.payment_id,
        deadline_at_ms=until_ms,
        url=charge.next_action.url,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        customer_id=bill.customer_id,
    )


def _charge_card(bill: Bill) -> Message:
    return provider.ChargeCard(
        transaction_id=bill.transaction_id,
        amount_minor=bill.held_minor,
        currency=bill.currency,
        payment_method=bill.payment_method,
        capture=capture_of(bill),
        asked_at_ms=bill.asked_at_ms,
    )


def capture_of(bill: Bill) -> provider.Capture:
    """Return how the provider is asked to take the money of `bill`."""
    return "manual" if bill.capture == "at_shipment" else "automatic"


def _ask(charge: Charge, bill: Bill, *, voids: bool) -> Message:
    message = provider.VoidCharge if voids else provider.InquireCharge
    return message(
        transaction_id=bill.transaction_id,
        # What it was created with: the provider refuses its key with another amount.
        amount_minor=bill.held_minor,
        currency=bill.currency,
        payment_method=bill.payment_method,
        attempt=charge.asks,
        capture=capture_of(bill),
        asked_at_ms=bill.asked_at_ms,
        payment_id=charge.payment_id,
    )
