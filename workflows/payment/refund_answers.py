"""What the answers of the provider and its webhooks do to refunds.

Part of `workflows/payment/refund_evolution.py`.
"""

from typing import Any

from msgspec.structs import replace

from workflows.payment import provider_messages as provider
from workflows.payment.refund_parts import answered_part, change_part, part_by_id
from workflows.payment.refund_state import Refund, Refunds, is_hinted
from workflows.shared.retry import backoff_ms, rest, sooner, wait_until

BACKOFF_FIRST_MS = 1_000
BACKOFF_MS_MAX = 60_000
PENDING_FIRST_MS = 60_000
PENDING_MS_MAX = 6 * 3_600_000
"""How often a pending refund is asked about; a webhook is a reason to ask at once."""
UNDER_WAY = ("asked", "pending")
OVER = ("failed", "case")
KNOWN = ("pending", "given", "told")
"""The provider has named the refund of this round."""
HINT_MS = 2_000
"""How long a webhook waits before the provider is asked: it may come twice."""
REFUSALS_MAX = 3
"""Refusals of one refund for a dispute: then an operator decides about it."""
CHANGED_MAX = 32
"""Webhooks that overtook an answer: an order has few refunds under way."""


def answered(refunds: Refunds, answer: Any, at_ms: int) -> Refunds:
    """Return `refunds` after the provider's answer; one to an earlier round says nothing new.

    Nor does one about a refund that an operator has paid by hand: it would open the case again.
    """
    refund = refunds.by_key.get(answer.refund_key)
    if refund is None:
        return refunds
    if refund.round != answer.round or refund.by_hand:
        return _after_part(refunds, refund, answer, at_ms)
    after = _after(refunds, refund, answer, at_ms)
    refund_id = getattr(answer, "refund_id", "")
    if refund_id not in refunds.changed_ids:
        return after
    left = tuple(each for each in refunds.changed_ids if each != refund_id)
    return hinted(replace(after, changed_ids=left), refund_id, at_ms)


def _after_part(refunds: Refunds, refund: Refund, answer: Any, at_ms: int) -> Refunds:
    """Return `refunds` after an answer about what was refunded in an earlier round."""
    is_asked = any(part.hint == "asked" and part.round == answer.round for part in refund.parts)
    if isinstance(answer, provider.RefundUnknown) and is_asked:
        return _wait_longer(refunds, at_ms)
    after = answered_part(refund, answer)
    return refunds if after == refund else rest_if_idle(put(refunds, answer.refund_key, after))


def _wait_longer(refunds: Refunds, at_ms: int) -> Refunds:
    pause_ms = backoff_ms(refunds.wait.tries, first_ms=BACKOFF_FIRST_MS, most_ms=BACKOFF_MS_MAX)
    return replace(refunds, wait=wait_until(refunds.wait, at_ms + pause_ms))


def _after(refunds: Refunds, refund: Refund, answer: Any, at_ms: int) -> Refunds:
    key, status = answer.refund_key, refund.status
    # An answer to a question of before the webhook does not refute it.
    is_new = refund.hint == "asked" and getattr(answer, "attempt", 0) == refund.asks - 1
    hint = "" if is_new else refund.hint
    match answer:
        case provider.RefundUnknown(reason=reason) if status == "asked" or refund.hint:
            return _wait_longer(change(refunds, key, reason=reason), at_ms)
        case provider.RefundSucceeded():
            return rest_if_idle(change(refunds, key, hint=hint, **_succeeded(refund, answer)))
        case provider.RefundPending(refund_id=refund_id) if status in ("owed", *UNDER_WAY):
            waits = change(refunds, key, status="pending", refund_id=refund_id, hint=hint)
            return _wait_for_pending(waits, at_ms)
        case provider.RefundFailed(refund_id=refund_id, reason=reason) if status not in OVER:
            return _failed(refunds, key, refund_id, reason)
        case provider.RefundRefused(reason=reason) if status == "asked":
            # What a dispute stops is asked for again once it is over, if it is still to be paid.
            is_held = bool(answer.dispute_id) and refund.refusals < REFUSALS_MAX
            now, refusals = ("owed" if is_held else "case"), refund.refusals + 1
            about = {"reason": reason, "refusals": refusals, "is_refused": True}
            return rest_if_idle(change(refunds, key, status=now, **about))
        case _:
            return rest_if_idle(change(refunds, key, hint=hint)) if is_new else refunds


def _succeeded(refund: Refund, answer: provider.RefundSucceeded) -> dict[str, Any]:
    """Return what changes. What was paid counts, be it less or more than was asked for.

    What is missing is a case of the next round, of just that.
    """
    changed: dict[str, Any] = {"refund_id": answer.refund_id}
    if refund.status not in ("owed", *UNDER_WAY):
        return changed
    # A bank may have covered a part since it was asked for.
    asked_minor, paid_minor = refund.amount_minor, answer.amount_minor
    if paid_minor in (asked_minor, asked_minor + refund.covered_minor):
        return {**changed, "status": "given"}
    reason = f"refunded {paid_minor}, asked for {asked_minor}"
    if not paid_minor:
        return {**changed, "status": "case", "reason": reason}
    paid = {"amount_minor": paid_minor, "short_minor": max(asked_minor - paid_minor, 0)}
    return {**changed, **paid, "status": "given", "reason": reason}


def _failed(refunds: Refunds, key: str, refund_id: str, reason: str) -> Refunds:
    refund = refunds.by_key[key]
    # A row that is older than `is_posted` has its refund emitted when it is `told`.
    is_posted = refund.is_posted or refund.status == "told"
    about = {"refund_id": refund_id, "reason": reason, "is_posted": is_posted}
    about |= {"amount_minor": refund.amount_minor + refund.short_minor, "short_minor": 0}
    return change(refunds, key, status="failed", hint="", **about)


def _wait_for_pending(refunds: Refunds, at_ms: int) -> Refunds:
    pause_ms = backoff_ms(refunds.wait.tries, first_ms=PENDING_FIRST_MS, most_ms=PENDING_MS_MAX)
    if any(each.status == "asked" or is_hinted(each) for each in refunds.by_key.values()):
        return replace(refunds, wait=sooner(refunds.wait, at_ms + pause_ms))
    return replace(refunds, wait=wait_until(refunds.wait, at_ms + pause_ms))


def hinted(refunds: Refunds, refund_id: str, at_ms: int) -> Refunds:
    """Return `refunds` after a webhook about one of them: the provider is to be asked."""
    for key, refund in refunds.by_key.items():
        if refund.refund_id == refund_id:
            if refund.status not in KNOWN:
                return refunds
            waits = change(refunds, key, hint="waits")
            return replace(waits, wait=sooner(refunds.wait, at_ms + HINT_MS))
        if part_by_id(refund, refund_id) is not None:
            waits = put(refunds, key, change_part(refund, refund_id, hint="waits"))
            return replace(waits, wait=sooner(refunds.wait, at_ms + HINT_MS))
    if not refund_id or refund_id in refunds.changed_ids:
        return refunds
    return replace(refunds, changed_ids=(*refunds.changed_ids, refund_id)[-CHANGED_MAX:])


def rest_if_idle(refunds: Refunds) -> Refunds:
    """Return `refunds` without a timer when nothing is under way."""
    if any(each.status in UNDER_WAY or is_hinted(each) for each in refunds.by_key.values()):
        return refunds
    return replace(refunds, wait=rest(refunds.wait))


def change(refunds: Refunds, key: str, **changed: Any) -> Refunds:
    """Return `refunds` with fields of one changed."""
    return put(refunds, key, replace(refunds.by_key[key], **changed))


def put(refunds: Refunds, key: str, refund: Refund) -> Refunds:
    """Return `refunds` with one more, or another one."""
    return replace(refunds, by_key={**refunds.by_key, key: refund})
