"""Longer texts to customers about their money."""

from datetime import UTC, datetime

from workflows.payment.action_messages import PaymentActionRequired
from workflows.payment.capture_messages import PaymentVoided
from workflows.payment.dispute_messages import PaymentRefundHeld, RefundCoveredByDispute
from workflows.payment.messages import PaymentRefunded, PaymentRefundFailed
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.money import money


def confirm_text(required: PaymentActionRequired) -> str:
    """Return that the customer has to confirm a payment: where, until when, and what if not.

    A link that does not fit is left out: cut off it would lead nowhere.
    """
    amount = money(required.amount_minor, required.currency)
    until = datetime.fromtimestamp(required.deadline_at_ms / 1_000, UTC)
    text = f"Your bank asks you to confirm {amount} by {until:%d %B %H:%M} UTC"
    otherwise = "Otherwise the order is cancelled, and nothing is taken."
    linked = f"{text}. {otherwise} {required.url}"
    if required.url and len(linked) <= TEXT_CHARS_MAX:
        return linked
    return f"{text}, on the page of your order. {otherwise}"


def voided_text(voided: PaymentVoided) -> str:
    """Return that a card is free again, and what becomes of the money that was held."""
    held = f"We no longer hold {money(voided.amount_minor, voided.currency)} on your card."
    if voided.then == "charged":
        return f"{held} A new charge has taken its place."
    if voided.then == "owed":
        # Of lines that did not ship, the hold is voided: what is due may be less than was held.
        return f"{held} Nothing was taken yet: what was sent to you is still due."
    return f"{held} Nothing was taken."


def left_text(refunded: PaymentRefunded) -> str:
    """Return what of a refund is still to come, after what is on its way; empty: nothing."""
    left = money(refunded.left_minor, refunded.currency)
    return f" Of your refund {left} are left: we see to it." if refunded.left_minor else ""


def refund_failed_text(failed: PaymentRefundFailed) -> str:
    """Return that money which was on its way has come back to us, and what we do about it."""
    amount = money(failed.amount_minor, failed.currency)
    follows = "We try once more" if failed.tries_again else "We look for another way to pay you"
    return f"Your bank has refused {amount}. {follows}."


def disputed_refund_texts(
    received: PaymentRefundHeld | RefundCoveredByDispute,
) -> tuple[str, str, str]:
    """Return the name, title and text of a message about a refund of a disputed payment."""
    amount = money(received.amount_minor, received.currency)
    if isinstance(received, PaymentRefundHeld) and received.is_inquiry:
        text = (
            f"Your bank has asked us about this payment. We refund {amount} once it is content, "
            "unless it gives you the money back itself."
        )
        return f"refund held/{received.refund_key}", "Refund on hold", text
    if isinstance(received, PaymentRefundHeld):
        text = (
            f"You have disputed this payment with your bank. We refund {amount} once your bank has "
            "decided, unless it gives you the money back itself."
        )
        return f"refund held/{received.refund_key}", "Refund on hold", text
    text = f"Your bank has given {amount} back to you. "
    left = money(received.left_minor, received.currency)
    follows = f"Of your refund {left} are left: we see to it." if received.left_minor else ""
    name = f"refund by the bank/{received.refund_key}/{received.left_minor}"
    return name, "Refund by your bank", text + (follows or "That settles your refund.")
