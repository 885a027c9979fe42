"""How a charge waits for its customer or for the provider, and when it waits no longer.

Part of `workflows/payment/charge_evolution.py`. A webhook ends the wait, or the question that is
asked every `POLL_MS` when the webhook is lost.
"""

from msgspec.structs import replace

from workflows.payment import declines
from workflows.payment.action_messages import ChargeActionRequired, ChargeProcessing
from workflows.payment.charge import Charge, NextAction
from workflows.shared.deadline import DeadlineReached
from workflows.shared.retry import rest, wait_until, wake

POLL_MS = 300_000

Answer = ChargeActionRequired | ChargeProcessing


def required(charge: Charge, answer: Answer, at_ms: int) -> Charge:
    """Return `charge` after the answer that somebody else has to act."""
    if not charge.asked:
        return charge
    is_latest = answer.attempt == charge.asks - 1
    if charge.hint == "asked" and is_latest:
        charge = replace(charge, hint="", wait=rest(charge.wait))
    action = _after(charge.next_action, answer, at_ms)
    if charge.outcome or action is None:
        return charge
    waits = replace(
        charge,
        next_action=action,
        payment_id=charge.payment_id or answer.payment_id,
        unknown_since_ms=None,
        reason="",
    )
    # A webhook that is not asked about yet has set the timer.
    return waits if charge.hint else _poll(waits, at_ms)


def _after(action: NextAction, answer: Answer, at_ms: int) -> NextAction | None:
    """Return who has to act by `answer`; None when it is of before what is known."""
    until_ms = at_ms + answer.wait_seconds * 1_000
    if isinstance(answer, ChargeProcessing):
        if action.kind == "processing":
            return action
        return replace(action, kind="processing", until_ms=until_ms)
    if action.kind == "processing":
        return None
    # The time that the customer has begins once.
    return replace(action, kind="customer", url=answer.url, until_ms=action.until_ms or until_ms)


def _poll(charge: Charge, at_ms: int) -> Charge:
    # From the last timer on: a worker whose clock is ahead would ask again at once, for ever.
    asks_ms = max(at_ms, charge.wait.woken_at_ms) + POLL_MS
    until_ms = charge.next_action.until_ms
    due_ms = asks_ms if charge.expired else min(asks_ms, max(until_ms, at_ms))
    return replace(charge, wait=wait_until(rest(charge.wait), due_ms))


def woken(charge: Charge, received: DeadlineReached) -> Charge:
    """Return `charge` when it is time to ask, or to void it since nobody acted in time."""
    late = received.due_at_ms >= charge.next_action.until_ms
    wait = wake(charge.wait, received)
    return replace(charge, wait=wait, ask_again=True, expired=charge.expired or late)


def expiry_reason(charge: Charge) -> str:
    """Return why a charge was voided that waited for too long; empty when it was for nobody."""
    reasons = {"customer": declines.NOT_CONFIRMED, "processing": declines.NOT_PROCESSED}
    return reasons.get(charge.next_action.kind, "")
