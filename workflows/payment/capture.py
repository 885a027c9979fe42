"""Taking what is held once the items have left; when it cannot be taken, a case for an operator.

Part of the payment workflow. `workflows/payment/charge.py` asks for the hold and releases it.
A hold that ends before anything has shipped ends the order: shipping says whether it is in time.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.payment import capture_messages as facts
from workflows.payment import provider_capture_messages as provider
from workflows.payment.charge import Bill, Charge
from workflows.shared.message import Message
from workflows.shared.personal import NamesPeople
from workflows.shared.retry import Wait

# --- state ------------------------------------------------------------------


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the hold on one card, and of taking it."""

    payment_id: str = ""
    """Of the intent that holds; empty while nothing is held."""
    amount_minor: int = 0
    currency: str = ""
    before_ms: int = 0
    """When the hold ends."""
    requested_at_ms: int = 0
    """When the items had left, or an operator asked for this round; 0 before that."""
    status: Literal["", "due", "asked", "unknown", "refused", "taken"] = ""
    round: int = 0
    """How many cases an operator has sent back to the provider."""
    reason: str = ""
    """Why it is not known, or refused."""
    asks: int = 0
    """How often the provider was asked."""
    is_expiring: bool = False
    written_off: bool = False
    reference: NamesPeople[str] = ""
    """What an operator wrote it off by."""
    authorized_emitted: bool = False
    voided_emitted: bool = False
    expiring_emitted: bool = False
    case_emitted: bool = False
    """Of this round."""
    written_off_emitted: bool = False
    wait: Wait = Wait()


def is_under_way(capture: Capture) -> bool:
    """Return whether the provider may be taking the money, so that it must not be voided.

    A hold whose capture is unknown can be voided all the same: the provider does only one of them.
    A charge anew of a later round cannot.
    """
    is_open = capture.status in ("due", "unknown")
    return capture.status == "asked" or (capture.round > 0 and is_open)


def is_refused(capture: Capture, charge: Charge) -> bool:
    """Return whether the items have left and the money cannot be taken in this round.

    A late answer that says nothing does not end the case of a hold that is gone.
    """
    is_case = capture.status == "unknown" and capture.case_emitted
    waits = capture.status == "due" or is_case
    is_gone = waits and not capture.round and charge.outcome == "voided"
    return capture.status == "refused" or is_gone


def case_round(capture: Capture, charge: Charge) -> int | None:
    """Return the round of the case that waits for an operator; None: there is none."""
    waits = is_refused(capture, charge) and capture.case_emitted and not capture.written_off
    return capture.round if waits and charge.outcome != "succeeded" else None


def in_part(bill: Bill, total_minor: int, goods_minor: int) -> Bill:
    """Return `bill` of which only `total_minor` is to be taken."""
    return replace(
        bill,
        total_minor=total_minor,
        goods_minor=goods_minor,
        released_minor=bill.total_minor - total_minor,
    )


# --- decide ----------------------------------------------------------------


def pending(  # noqa: PLR0911  one case after the other
    capture: Capture, charge: Charge, bill: Bill, *, closed: bool
) -> tuple[Message, ...]:
    """Return what to ask or emit of money that is held, or was."""
    if charge.outcome == "voided" and not capture.voided_emitted:
        is_wanted = not (closed or capture.written_off)
        then = "owed" if is_wanted and capture.requested_at_ms else "nothing"
        return (_voided(capture, bill, "expired" if is_wanted else "cancelled", then),)
    if capture.written_off:
        return () if capture.written_off_emitted else (_written_off(capture, bill),)
    if closed and not is_under_way(capture):
        return ()
    if is_refused(capture, charge):
        return () if capture.case_emitted else (_case(capture, bill),)
    if capture.status == "due":
        return (_ask(capture, bill),)
    is_late = capture.is_expiring and not capture.requested_at_ms
    if is_late and charge.outcome == "authorized" and not capture.expiring_emitted:
        return (
            facts.AuthorizationExpiring(
                transaction_id=bill.transaction_id,
                payment_id=capture.payment_id,
                capture_before_ms=capture.before_ms,
            ),
        )
    return ()


def authorized(capture: Capture, bill: Bill) -> Message:
    """Return what is emitted when the amount of `bill` is held."""
    return facts.PaymentAuthorized(
        transaction_id=bill.transaction_id,
        payment_id=capture.payment_id,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        capture_before_ms=capture.before_ms,
        customer_id=bill.customer_id,
        country=bill.country,
        ordered_at_ms=bill.ordered_at_ms,
        origin=bill.origin,
    )


def replaced(capture: Capture, charge: Charge, bill: Bill) -> tuple[Message, ...]:
    """Return that the hold is free again, where the card was charged anew in its place."""
    is_other = bool(capture.payment_id) and capture.payment_id != charge.payment_id
    return (
        (_voided(capture, bill, "expired", "charged"),)
        if is_other and not capture.voided_emitted
        else ()
    )


def _voided(
    capture: Capture,
    bill: Bill,
    reason: Literal["cancelled", "expired"],
    then: Literal["nothing", "owed", "charged"],
) -> Message:
    return facts.PaymentVoided(
        transaction_id=bill.transaction_id,
        payment_id=capture.payment_id,
        amount_minor=capture.amount_minor,
        currency=capture.currency,
        reason=reason,
        then=then,
    )


def _ask(capture: Capture, bill: Bill) -> Message:
    return provider.CaptureCharge(
        transaction_id=bill.transaction_id,
        payment_id=capture.payment_id,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        payment_method=bill.payment_method,
        round=capture.round,
        attempt=capture.asks,
        asked_at_ms=capture.requested_at_ms,
    )


def _case(capture: Capture, bill: Bill) -> Message:
    return facts.CaptureCaseOpened(
        transaction_id=bill.transaction_id,
        payment_id=capture.payment_id,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        round=capture.round,
        reason=capture.reason or "the hold has ended",
    )


def _written_off(capture: Capture, bill: Bill) -> Message:
    return facts.PaymentWrittenOff(
        transaction_id=bill.transaction_id,
        amount_minor=bill.total_minor,
        goods_minor=bill.goods_minor,
        charges_minor=bill.charges_minor,
        currency=bill.currency,
        reference=capture.reference,
    )
