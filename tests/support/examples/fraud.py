"""Payments of one customer on one day, as the fraud agent receives them."""

from workflows.fraud.entity import DAY_MS
from workflows.fraud.messages import (
    PaymentLabelled,
)
from workflows.payment.messages import PaymentCompleted
from workflows.payment.origin import Origin
from workflows.shared.message import Message

NOON_MS = 1_291_204_800_000
EVERYBODY = Origin(card_id="k1", terminal_id="t1", device_id="d1", address_id="a1")


def paid(
    order_id: str, after_ms: int = 0, pounds: int = 10, *, guest: bool = False, **more: Origin
) -> PaymentCompleted:
    """Return the payment of an order placed `after_ms` past noon."""
    return PaymentCompleted(
        transaction_id=order_id,
        payment_id="p1",
        amount_minor=pounds * 100,
        goods_minor=pounds * 100,
        charges_minor=0,
        currency="GBP",
        customer_id="" if guest else "c1",
        country="France",
        ordered_at_ms=NOON_MS + after_ms,
        **more,
    )


def label(*, is_fraud: bool = True, source: str = "chargeback", known_days: int = 9) -> Message:
    """Return what somebody says of the payment of order `last`."""
    return PaymentLabelled(
        transaction_id="last",
        fraud=is_fraud,
        source=source,
        known_at_ms=NOON_MS + known_days * DAY_MS,
        by="ann",
        note="seen",
    )
