"""How a charge goes on: with each answer of the provider, each webhook, and each question of ours.

Part of `workflows/payment/charge.py`, which says what is asked and emitted.
"""

from typing import Literal

from msgspec.structs import replace

from workflows.payment import next_action
from workflows.payment import provider_capture_messages as holds
from workflows.payment import provider_messages as provider
from workflows.payment.action_messages import (
    ChargeActionRequired,
    ChargeProcessing,
    PaymentActionRequired,
    PaymentProcessing,
)
from workflows.payment.charge import Charge
from workflows.payment.messages import PaymentPending
from workflows.shared.deadline import DeadlineReached
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.message import Message
from workflows.shared.retry import backoff_ms, reached, rest, sooner, wait_until, wake

ANSWER_MS = 30_000
"""How long an answer may take before the outcome counts as unknown."""
PENDING_MS = 180_000
"""How long the outcome may stay unknown before the charge is voided: a provider that is gone for
two minutes cancels nobody's order."""
HINT_MS = 2_000
"""How long a webhook waits for the answer that is under way, before the provider is asked."""
BACKOFF_FIRST_MS = 1_000
BACKOFF_MS_MAX = 30_000
OUTCOMES = {
    "payment_failed": "declined",
    "payment_canceled": "voided",
    "payment_authorized": "authorized",
}
"""What is known already when such a webhook comes late."""
OUTCOME_MS = ANSWER_MS + PENDING_MS + BACKOFF_MS_MAX
"""By then, counted from the first question, a charge has succeeded, is declined, or its void is
asked for; the first answer of the provider after that ends it."""


def evolve(charge: Charge, message: Message, at_ms: int) -> Charge:  # noqa: PLR0911  one match
    """Return `charge` after `message`, received or emitted."""
    match message:
        case provider.ChargeCard() | provider.InquireCharge():
            return _await_answer(charge, "charge", at_ms)
        case provider.VoidCharge():
            return _await_answer(charge, "void", at_ms)
        case PaymentPending():
            return replace(charge, pending_emitted=True)
        case PaymentActionRequired() | PaymentProcessing():
            return _waiting(charge)
        case DeadlineReached():
            return _woken(charge, message, at_ms)
        case provider.ProviderNotified(kind=kind):
            return _hinted(charge, kind, at_ms)
        case _:
            return _answered(charge, message, at_ms)


def _answered(charge: Charge, message: Message, at_ms: int) -> Charge:  # noqa: PLR0911  one match
    match message:
        case ChargeActionRequired() | ChargeProcessing():
            return next_action.required(charge, message, at_ms)
        case provider.ChargeUnknown() if charge.asked:
            return _unknown(charge, message, at_ms)
        case holds.ChargeAuthorized() if charge.asked == "charge":
            # What was to be voided is voided: its answer is still to come.
            return _authorized(charge, message)
        case provider.ChargeSucceeded() | holds.ChargeCaptured():
            return _succeeded(charge, message)
        case holds.CaptureRefused(is_void=True) if charge.outcome == "authorized":
            return replace(charge, outcome="voided", hint="", wait=rest(charge.wait))
        case provider.ChargeDeclined(reason=reason):
            return _over(charge, message, "declined", reason or "declined")
        case provider.ChargeVoided():
            # Who asked for the void knows why; a hold may also end by itself.
            other = "" if charge.asked == "void" else "canceled at the provider"
            charge = replace(charge, let_go_minor=charge.let_go_minor or message.held_minor)
            return _over(charge, message, "voided", _expiry(charge) if charge.expired else other)
        case _:
            return charge


def _waiting(charge: Charge) -> Charge:
    action = charge.next_action
    return replace(charge, next_action=replace(action, emitted=(*action.emitted, action.kind)))


def _expiry(charge: Charge) -> str:
    unknown = f"unknown for too long: {charge.reason}"[:TEXT_CHARS_MAX]
    return next_action.expiry_reason(charge) or unknown


def _await_answer(charge: Charge, what: Literal["charge", "void"], at_ms: int) -> Charge:
    wait = wait_until(charge.wait, at_ms + ANSWER_MS)
    hint = "asked" if charge.hint else ""
    return replace(charge, asked=what, ask_again=False, hint=hint, asks=charge.asks + 1, wait=wait)


def _hinted(charge: Charge, kind: str, at_ms: int) -> Charge:
    # A webhook that comes before the order is ignored: the charge will be requested, and found.
    is_known = charge.outcome == "succeeded" or charge.outcome == OUTCOMES.get(kind)
    # Of two webhooks the one that says that money was taken counts.
    is_noted = bool(charge.hint) and kind != "payment_succeeded"
    if not charge.asked or is_known or is_noted:
        return charge
    wait = sooner(charge.wait, at_ms + HINT_MS)
    return replace(charge, hint="waits", hint_kind=kind, wait=wait)


def _woken(charge: Charge, received: DeadlineReached, at_ms: int) -> Charge:
    wait = wake(charge.wait, received)
    if not reached(charge.wait.due_at_ms, received):
        return replace(charge, wait=wait)
    if charge.hint == "waits" or (charge.hint and charge.outcome):
        return replace(charge, hint="noticed", wait=wait)
    if charge.next_action.kind and not charge.outcome:
        return next_action.woken(charge, received)
    since_ms = at_ms if charge.unknown_since_ms is None else charge.unknown_since_ms
    return replace(
        charge,
        wait=wait,
        ask_again=True,
        unknown_since_ms=since_ms,
        expired=charge.expired or at_ms - since_ms >= PENDING_MS,
        reason=charge.reason or "no answer",
    )


def _unknown(charge: Charge, unknown: provider.ChargeUnknown, at_ms: int) -> Charge:
    pause_ms = backoff_ms(charge.wait.tries, first_ms=BACKOFF_FIRST_MS, most_ms=BACKOFF_MS_MAX)
    if charge.outcome and not _lets_go(charge):
        again = wait_until(charge.wait, at_ms + pause_ms)
        return replace(charge, wait=again) if charge.hint else charge
    if charge.next_action.kind and not charge.outcome:
        return replace(charge, wait=wait_until(charge.wait, at_ms + pause_ms))
    return replace(
        charge,
        reason=unknown.reason,
        payment_id=charge.payment_id or unknown.payment_id,
        unknown_since_ms=at_ms if charge.unknown_since_ms is None else charge.unknown_since_ms,
        wait=wait_until(charge.wait, at_ms + pause_ms),
    )


def _lets_go(charge: Charge) -> bool:
    return charge.outcome == "authorized" and charge.asked == "void"


def _authorized(charge: Charge, answer: holds.ChargeAuthorized) -> Charge:
    if charge.outcome not in ("", "authorized"):
        return charge
    is_new = charge.hint == "asked" and answer.attempt == charge.asks - 1
    if not charge.hint or is_new or charge.hint_kind == "payment_authorized":
        charge = replace(charge, hint="", wait=rest(charge.wait))
    if charge.outcome:
        return charge
    held = replace(charge, outcome="authorized", payment_id=answer.payment_id)
    return replace(held, ask_again=False, unknown_since_ms=None, reason="")


def _succeeded(charge: Charge, answer: provider.ChargeSucceeded | holds.ChargeCaptured) -> Charge:
    # Success overrides every earlier answer: the money is at the provider.
    if not charge.asked or charge.outcome == "succeeded":
        return charge
    succeeded = replace(charge, outcome="succeeded", payment_id=answer.payment_id)
    return replace(
        succeeded,
        charged_minor=answer.amount_minor,
        charged_currency=answer.currency,
        hint="",
        wait=rest(charge.wait),
    )


def _over(
    charge: Charge,
    answer: provider.ChargeDeclined | provider.ChargeVoided,
    outcome: Literal["declined", "voided"],
    reason: str,
) -> Charge:
    if not charge.asked or charge.outcome == "succeeded":
        return charge
    # An answer to a question of before the webhook does not refute it.
    is_new = charge.hint == "asked" and answer.attempt == charge.asks - 1
    if not charge.hint or is_new or outcome == OUTCOMES.get(charge.hint_kind):
        charge = replace(charge, hint="", wait=rest(charge.wait))
    is_open = not charge.outcome or (charge.outcome == "authorized" and outcome == "voided")
    return replace(charge, outcome=outcome, reason=reason) if is_open else charge
