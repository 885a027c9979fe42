"""How refunds go on: with each answer of the provider, each webhook, and each message of ours.

Part of `workflows/payment/refund.py`, which says what is asked and emitted.
"""

from typing import Literal

from msgspec.structs import replace

from workflows.payment import messages as facts
from workflows.payment import provider_messages as provider
from workflows.payment import refund_disputes
from workflows.payment.charge import Bill
from workflows.payment.refund import ROUNDS, key_of, left_minor
from workflows.payment.refund_answers import answered, change, hinted, put, rest_if_idle
from workflows.payment.refund_parts import (
    came_back,
    due_again,
    inquired,
    next_case,
    next_round,
    noticed,
    part_by_id,
    part_of,
    unposted_minor,
)
from workflows.payment.refund_state import Refund, Refunds
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message
from workflows.shared.provider_metadata import REFUND_IDS
from workflows.shared.retry import reached, wait_until, wake

ANSWER_MS = 30_000
"""How long an answer may take before the refund is asked for again."""
OVERDUE_MS = 300_000
"""When an unknown refund becomes RefundOverdue: later than any forward step."""
NUMBERED = "#"
"""What numbers the refunds that are found by one reference, from the second on."""
PENDING_OVERDUE_MS = 14 * 86_400_000
"""And a pending one: Stripe's refunds take 5 to 10 business days."""


def request(refunds: Refunds, bill: Bill, key: str, amount_minor: int, at_ms: int) -> Refunds:
    """Return `refunds` owing `amount_minor` under `key`, once, and no more than is left."""
    amount_minor = min(amount_minor, left_minor(refunds, bill))
    if key in refunds.by_key or amount_minor <= 0:
        return refunds
    return put(refunds, key, Refund(amount_minor=amount_minor, requested_at_ms=at_ms))


def evolve(refunds: Refunds, message: Message, at_ms: int) -> Refunds:
    """Return `refunds` after `message`, received or emitted; what has come back is due again."""
    after = _evolve(refunds, message, at_ms)
    for key, refund in after.by_key.items():
        if (again := due_again(refund, at_ms)) != refund:
            after = put(after, key, again)
    return after


def _evolve(refunds: Refunds, message: Message, at_ms: int) -> Refunds:
    match message:
        case DeadlineReached():
            return _woken(refunds, message, at_ms)
        case provider.ProviderNotified(kind="refund_changed", refund_id=refund_id):
            return hinted(refunds, refund_id, at_ms)
        case (
            provider.RefundSucceeded()
            | provider.RefundPending()
            | provider.RefundFailed()
            | provider.RefundRefused()
            | provider.RefundUnknown()
        ):
            return answered(refunds, message, at_ms)
        case _:
            return _emitted(refunds, message, at_ms)


def _emitted(refunds: Refunds, message: Message, at_ms: int) -> Refunds:  # noqa: PLR0911  one match
    """Return `refunds` after a message of our own."""
    match message:
        case provider.RefundCharge(refund_key=key):
            asked_at_ms = refunds.by_key[key].asked_at_ms or at_ms
            asks = refunds.by_key[key].asks + 1
            about = {"asked_at_ms": asked_at_ms, "asks": asks, "is_refused": False}
            after = change(refunds, key, status="asked", **about)
            return replace(after, wait=wait_until(refunds.wait, at_ms + ANSWER_MS))
        case provider.InquireRefund(refund_key=key):
            after = put(refunds, key, _inquired(refunds.by_key[key], message.refund_id))
            return replace(after, wait=wait_until(refunds.wait, at_ms + ANSWER_MS))
        case facts.RefundOverdue(refund_key=key):
            return change(refunds, key, overdue="told")
        case facts.RefundCaseOpened(refund_key=key):
            return change(refunds, key, case_emitted=True)
        case facts.RefundCaseDecided(refund_key=key) if key in cases(refunds):
            return _decided(refunds, message, at_ms)
        case facts.PaymentRefundPending():
            return change(refunds, key_of(message), pending_emitted=True)
        case facts.PaymentRefunded():
            return rest_if_idle(_posted(refunds, key_of(message), at_ms))
        case facts.PaymentRefundFailed(refund_id=refund_id):
            return rest_if_idle(_again(refunds, key_of(message), refund_id, at_ms))
        case _:
            return refund_disputes.evolve(refunds, message)


def _posted(refunds: Refunds, key: str, at_ms: int) -> Refunds:
    """Return `refunds` after PaymentRefunded: what was too little leaves a case of the rest."""
    paid = refunds.by_key[key]
    if not paid.short_minor:
        return change(refunds, key, status="told", is_posted=True)
    rest = replace(paid, amount_minor=paid.short_minor, parts=(*paid.parts, part_of(paid)))
    after = next_round(rest, at_ms) if paid.rest_is_due else next_case(rest, at_ms)
    return put(refunds, key, after)


def cases(refunds: Refunds) -> dict[str, int]:
    """Return the round that failed of each refund that waits for an operator, by its key."""
    return {key: each.round for key, each in refunds.by_key.items() if each.status == "case"}


def _decided(refunds: Refunds, decided: facts.RefundCaseDecided, at_ms: int) -> Refunds:
    key, case = decided.refund_key, refunds.by_key[decided.refund_key]
    paid_minor, is_retry = unposted_minor(case), decided.decision == "retry"
    if paid_minor and (is_retry or decided.reference == case.refund_id):
        rest = {"short_minor": case.amount_minor - paid_minor, "rest_is_due": is_retry}
        # It may have failed since: webhooks about a case were ignored.
        return change(refunds, key, status="given", amount_minor=paid_minor, hint="noticed", **rest)
    if decided.decision == "settled":
        reference = decided.reference or f"by hand {key}"
        at_provider = reference.startswith(REFUND_IDS)
        others = found_by(refunds, key, reference)
        if at_provider and others:
            reason = f"{reference} is the refund of {others[0]} already"
            return put(refunds, key, replace(next_case(case, at_ms), reason=reason))
        # One transfer may pay several refunds: each is an entry of its own in the books.
        number = f"{NUMBERED}{len(others) + 1}" if others else ""
        paid = {"by_hand": not at_provider, "at_provider": at_provider}
        return change(
            refunds, key, status="given", hint="", refund_id=f"{reference}{number}", **paid
        )
    return put(refunds, key, next_round(case, at_ms))


def found_by(refunds: Refunds, key: str, reference: str) -> list[str]:
    """Return the key of each other refund of this payment that is found by `reference`."""
    keys: list[str] = []
    for name, each in refunds.by_key.items():
        paid = [each] if name != key else []
        ids = [one.refund_id.partition(NUMBERED)[0] for one in (*paid, *each.parts)]
        keys += [name] * ids.count(reference)
    return keys


def _inquired(refund: Refund, refund_id: str) -> Refund:
    part = part_by_id(refund, refund_id)
    if part is not None and refund_id != refund.refund_id:
        return inquired(refund, part)
    return replace(refund, hint="asked", asks=refund.asks + 1)


def _again(refunds: Refunds, key: str, refund_id: str, at_ms: int) -> Refunds:
    """Return `refunds` with a round more of a refund that has failed, or a case of it."""
    failed = refunds.by_key[key]
    part = part_by_id(failed, refund_id)
    if part is not None and part.is_failed:
        return put(refunds, key, came_back(failed, part))
    if failed.case_emitted:
        return put(refunds, key, next_case(failed, at_ms))
    if failed.round + 1 >= ROUNDS:
        return change(refunds, key, status="case", hint="")
    return put(refunds, key, next_round(failed, at_ms))


def _woken(refunds: Refunds, received: DeadlineReached, at_ms: int) -> Refunds:
    again = refunds
    if reached(refunds.wait.due_at_ms, received):
        for key, refund in refunds.by_key.items():
            if refund.status == "asked":
                again = change(again, key, status="owed", overdue=_late(refund, at_ms, OVERDUE_MS))
            elif refund.status == "pending":
                overdue = _late(refund, at_ms, PENDING_OVERDUE_MS)
                again = change(again, key, hint="noticed", overdue=overdue)
            elif refund.hint:
                again = change(again, key, hint="noticed")
            again = put(again, key, noticed(again.by_key[key]))
    return replace(again, wait=wake(refunds.wait, received))


def _late(refund: Refund, at_ms: int, after_ms: int) -> Literal["", "noticed", "told"]:
    late = bool(refund.asked_at_ms) and at_ms - refund.asked_at_ms >= after_ms
    return refund.overdue or ("noticed" if late else "")
