"""What is emitted of a charge whose outcome is known. Part of the payment workflow."""

from msgspec.structs import replace

from workflows.payment.charge import Bill, Charge
from workflows.payment.messages import PaymentCompleted, PaymentFailed, PaymentMismatch
from workflows.shared.message import Message


def difference(
    bill: Bill, payment_id: str, amount_minor: int, currency: str
) -> tuple[Message, ...]:
    """Return PaymentMismatch when the provider has another amount or currency than `bill`."""
    if (amount_minor, currency) == (bill.total_minor, bill.currency):
        return ()
    return (
        PaymentMismatch(
            transaction_id=bill.transaction_id,
            payment_id=payment_id,
            amount_minor=bill.total_minor,
            currency=bill.currency,
            charged_minor=amount_minor,
            charged_currency=currency,
        ),
    )


def bill_of_taken(bill: Bill, mismatch: PaymentMismatch) -> Bill:
    """Return a bill of what was taken: so much goes back once the order is closed."""
    amounts = {"total_minor": mismatch.charged_minor, "goods_minor": mismatch.charged_minor}
    return replace(bill, currency=mismatch.charged_currency, **amounts)


def completed(charged: Charge, bill: Bill, *, authorized: bool) -> Message:
    """Return what is emitted when the money is taken."""
    return PaymentCompleted(
        transaction_id=bill.transaction_id,
        payment_id=charged.payment_id,
        amount_minor=bill.total_minor,
        goods_minor=bill.goods_minor,
        charges_minor=bill.charges_minor,
        currency=bill.currency,
        customer_id=bill.customer_id,
        country=bill.country,
        ordered_at_ms=bill.ordered_at_ms,
        origin=bill.origin,
        authorized=authorized,
        released_minor=bill.released_minor,
    )


def failed(tried: Charge, bill: Bill) -> Message:
    """Return what is emitted when no money was taken and none will be."""
    reason = tried.reason or "cancelled"
    if not tried.asked or tried.outcome != "declined":
        return PaymentFailed(transaction_id=bill.transaction_id, reason=reason)
    return PaymentFailed(
        transaction_id=bill.transaction_id,
        reason=reason,
        declined=True,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        customer_id=bill.customer_id,
        ordered_at_ms=bill.ordered_at_ms,
        origin=bill.origin,
    )
