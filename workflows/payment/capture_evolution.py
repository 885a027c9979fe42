"""How the hold on a card goes on: with each answer of the provider and each message of ours.

Part of `workflows/payment/capture.py`, which says what is asked and emitted.
"""

from msgspec.structs import replace

from workflows.payment import capture_messages as facts
from workflows.payment import provider_capture_messages as provider
from workflows.payment.capture import Capture, case_round
from workflows.payment.charge import Charge
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message
from workflows.shared.retry import backoff_ms, reached, rest, wait_until, wake

ANSWER_MS = 30_000
"""How long an answer may take before it is asked again."""
UNKNOWN_MS = 86_400_000
"""How long it may stay unknown before it is a case: a provider is not away for a day."""
EXPIRING_MS = 3_600_000
"""How long before its end a hold counts as expiring: shipping has that long to stop."""
BACKOFF_FIRST_MS = 1_000
BACKOFF_MS_MAX = 60_000


def request(capture: Capture, at_ms: int) -> Capture:
    """Return `capture` once the items have left at `at_ms`."""
    if capture.requested_at_ms:
        return capture
    return replace(capture, requested_at_ms=at_ms, status="due", wait=rest(capture.wait))


def decide_case(
    capture: Capture, charge: Charge, decided: facts.CaptureCaseDecided, at_ms: int
) -> Capture:
    """Return `capture` after the decision of an operator about a case that waits for one."""
    if case_round(capture, charge) is None:
        return capture
    if decided.decision == "written_off":
        return replace(capture, written_off=True, reference=decided.reference)
    again = replace(capture, round=capture.round + 1, status="due", case_emitted=False)
    return replace(again, requested_at_ms=at_ms, reason="")


def evolve(capture: Capture, charge: Charge, message: Message, at_ms: int) -> Capture:
    """Return `capture` after `message`, received or emitted; `charge` has received it already."""
    if charge.outcome == "succeeded":
        voided = capture.voided_emitted or isinstance(message, facts.PaymentVoided)
        after = replace(capture, status=capture.status and "taken", wait=rest(capture.wait))
        return replace(after, voided_emitted=voided)
    match message:
        case provider.ChargeAuthorized() if charge.outcome == "authorized":
            return _held(capture, message, at_ms)
        case provider.CaptureUnknown() | provider.CaptureRefused() if (
            message.round == capture.round and capture.status in ("due", "asked", "unknown")
        ):
            return _answered(capture, message, at_ms)
        case DeadlineReached():
            return _woken(capture, message, at_ms)
        case _ if charge.outcome == "voided" and not capture.status:
            return replace(_emitted(capture, message, at_ms), wait=rest(capture.wait))
        case _:
            return _emitted(capture, message, at_ms)


def _held(capture: Capture, answer: provider.ChargeAuthorized, at_ms: int) -> Capture:
    if capture.payment_id:
        return capture
    return replace(
        capture,
        payment_id=answer.payment_id,
        amount_minor=answer.amount_minor,
        currency=answer.currency,
        before_ms=answer.capture_before_ms,
        wait=wait_until(capture.wait, max(answer.capture_before_ms - EXPIRING_MS, at_ms)),
    )


def _answered(
    capture: Capture, answer: provider.CaptureUnknown | provider.CaptureRefused, at_ms: int
) -> Capture:
    if isinstance(answer, provider.CaptureRefused):
        return replace(capture, status="refused", reason=answer.reason, wait=rest(capture.wait))
    pause_ms = backoff_ms(capture.wait.tries, first_ms=BACKOFF_FIRST_MS, most_ms=BACKOFF_MS_MAX)
    wait = wait_until(capture.wait, at_ms + pause_ms)
    return replace(capture, status="unknown", reason=answer.reason, wait=wait)


def _woken(capture: Capture, received: DeadlineReached, at_ms: int) -> Capture:
    woken = replace(capture, wait=wake(capture.wait, received))
    if not reached(capture.wait.due_at_ms, received):
        return woken
    if not capture.status:
        return replace(woken, is_expiring=True)
    if capture.status not in ("asked", "unknown"):
        return woken
    reason = capture.reason or "no answer"
    if at_ms - capture.requested_at_ms >= UNKNOWN_MS:
        return replace(woken, status="refused", reason=reason, wait=rest(woken.wait))
    return replace(woken, status="due", reason=reason)


def _emitted(capture: Capture, message: Message, at_ms: int) -> Capture:  # noqa: PLR0911  one match
    """Return `capture` after a message of our own."""
    match message:
        case provider.CaptureCharge():
            wait = wait_until(capture.wait, at_ms + ANSWER_MS)
            return replace(capture, status="asked", asks=capture.asks + 1, wait=wait)
        case facts.PaymentAuthorized():
            return replace(capture, authorized_emitted=True)
        case facts.PaymentVoided():
            return replace(capture, voided_emitted=True)
        case facts.AuthorizationExpiring():
            return replace(capture, expiring_emitted=True)
        case facts.CaptureCaseOpened():
            return replace(capture, case_emitted=True)
        case facts.PaymentWrittenOff():
            return replace(capture, written_off_emitted=True)
        case _:
            return capture
