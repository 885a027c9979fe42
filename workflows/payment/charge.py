"""One charge at the provider: request, inquire, void, until the outcome is known.

Part of the payment workflow. An unknown outcome is a state of its own, not a failure.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.payment import provider_messages as provider
from workflows.payment.instructions import RequestPayment
from workflows.payment.messages import PaymentPending
from workflows.payment.origin import UNKNOWN, Origin
from workflows.shared.deadline import DeadlineReached
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.message import Message
from workflows.shared.personal import Personal
from workflows.shared.retry import Wait, backoff_ms, reached, rest, wait_until, wake

ANSWER_MS = 30_000
"""How long an answer may take before the outcome counts as unknown."""
PENDING_MS = 180_000
"""How long the outcome may stay unknown before the charge is voided: a provider that is gone for
two minutes cancels nobody's order."""
BACKOFF_FIRST_MS = 1_000
BACKOFF_MS_MAX = 30_000
OUTCOME_MS = ANSWER_MS + PENDING_MS + BACKOFF_MS_MAX
"""By then, counted from the first question, a charge has succeeded, is declined, or its void is
asked for; the first answer of the provider after that ends it."""

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
    origin: Origin = UNKNOWN


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one charge."""

    asked: Literal["", "charge", "void"] = ""
    """What the provider was asked last."""
    ask_again: bool = False
    outcome: Literal["", "succeeded", "declined", "voided"] = ""
    reason: str = ""
    """Why it is declined, or not known."""
    payment_id: str = ""
    unknown_since_ms: int | None = None
    expired: bool = False
    """The outcome stayed unknown for too long."""
    pending_emitted: bool = msgspec.field(name="pending_told", default=False)
    wait: Wait = Wait()


# --- decide ----------------------------------------------------------------


def pending(charge: Charge, bill: Bill, *, unwanted: bool) -> tuple[Message, ...]:
    """Return what to ask or emit while the outcome is open; `unwanted`: it is to be voided."""
    if not charge.asked:
        return (_charge_card(bill),)
    if charge.unknown_since_ms is None:
        return ()
    if not charge.pending_emitted:
        return (PaymentPending(transaction_id=bill.transaction_id, reason=charge.reason),)
    # Voiding waits until the outcome is unknown: the answer under way is the quickest end.
    if unwanted or charge.expired:
        if charge.ask_again or charge.asked != "void":
            return (_ask(provider.VoidCharge, charge, bill),)
        return ()
    return (_ask(provider.InquireCharge, charge, bill),) if charge.ask_again else ()


def bill_of(asked: RequestPayment) -> Bill:
    """Return the bill of a transaction."""
    return Bill(
        transaction_id=asked.transaction_id,
        customer_id=asked.customer_id,
        country=asked.country,
        currency=asked.currency,
        total_minor=asked.total_minor,
        goods_minor=asked.goods_minor,
        payment_method=asked.payment_method,
        ordered_at_ms=asked.ordered_at_ms,
        origin=asked.origin,
    )


def _charge_card(bill: Bill) -> Message:
    return provider.ChargeCard(
        transaction_id=bill.transaction_id,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        payment_method=bill.payment_method,
    )


def _ask(
    message: type[provider.InquireCharge | provider.VoidCharge], charge: Charge, bill: Bill
) -> Message:
    return message(
        transaction_id=bill.transaction_id,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        payment_method=bill.payment_method,
        attempt=charge.wait.tries,
    )


# --- evolve --------------------------------------------------------------------


def evolve(charge: Charge, message: Message, at_ms: int) -> Charge:  # noqa: PLR0911  one match
    """Return `charge` after `message`, received or emitted."""
    match message:
        case provider.ChargeCard() | provider.InquireCharge():
            return _asked(charge, "charge", at_ms)
        case provider.VoidCharge():
            return _asked(charge, "void", at_ms)
        case PaymentPending():
            return replace(charge, pending_emitted=True)
        case DeadlineReached():
            return _woken(charge, message, at_ms)
        case provider.ChargeUnknown(reason=reason) if charge.asked and not charge.outcome:
            return _unknown(charge, reason, at_ms)
        case (
            provider.ChargeSucceeded(payment_id=payment_id)
            | provider.ProviderNotified(kind="payment_succeeded", payment_id=payment_id)
        ):
            return _succeeded(charge, payment_id)
        case (
            provider.ChargeDeclined(reason=reason)
            | provider.ProviderNotified(kind="payment_failed", reason=reason)
        ):
            return _over(charge, "declined", reason or "declined")
        case provider.ChargeVoided() | provider.ProviderNotified(kind="payment_canceled"):
            why = f"unknown for too long: {charge.reason}"[:TEXT_CHARS_MAX]
            reason = why if charge.expired else ""
            return _over(charge, "voided", reason)
        case _:
            return charge


def _asked(charge: Charge, what: Literal["charge", "void"], at_ms: int) -> Charge:
    wait = wait_until(charge.wait, at_ms + ANSWER_MS)
    return replace(charge, asked=what, ask_again=False, wait=wait)


def _woken(charge: Charge, received: DeadlineReached, at_ms: int) -> Charge:
    wait = wake(charge.wait, received)
    if not reached(charge.wait.due_at_ms, received):
        return replace(charge, wait=wait)
    since_ms = at_ms if charge.unknown_since_ms is None else charge.unknown_since_ms
    return replace(
        charge,
        wait=wait,
        ask_again=True,
        unknown_since_ms=since_ms,
        expired=charge.expired or at_ms - since_ms >= PENDING_MS,
        reason=charge.reason or "no answer",
    )


def _unknown(charge: Charge, reason: str, at_ms: int) -> Charge:
    pause_ms = backoff_ms(charge.wait.tries, first_ms=BACKOFF_FIRST_MS, most_ms=BACKOFF_MS_MAX)
    return replace(
        charge,
        reason=reason,
        unknown_since_ms=at_ms if charge.unknown_since_ms is None else charge.unknown_since_ms,
        wait=wait_until(charge.wait, at_ms + pause_ms),
    )


def _succeeded(charge: Charge, payment_id: str) -> Charge:
    # Success overrides every earlier answer: the money is at the provider. A webhook that comes
    # before the order is ignored: the charge will be requested, and found.
    if not charge.asked or charge.outcome == "succeeded":
        return charge
    return replace(charge, outcome="succeeded", payment_id=payment_id, wait=rest(charge.wait))


def _over(charge: Charge, outcome: Literal["declined", "voided"], reason: str) -> Charge:
    if not charge.asked or charge.outcome:
        return charge
    return replace(charge, outcome=outcome, reason=reason, wait=rest(charge.wait))
