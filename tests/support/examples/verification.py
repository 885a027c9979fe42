"""Messages of one order that `payflow verify` accepts."""

from workflows.fraud.messages import FraudCleared
from workflows.inventory.messages import (
    InventoryReserved,
)
from workflows.ledger.messages import EntryPosted, Posting
from workflows.order.messages import Line, OrderPlaced
from workflows.order.saga_messages import (
    OrderCompleted,
)
from workflows.payment.messages import (
    PaymentCompleted,
)
from workflows.shipping.messages import ShipmentCreated, ShipmentDelivered

PLACED_MS = 1_000_000
MUG = Line(sku="MUG", quantity=2, amount_minor=500)
BOWL = Line(sku="BOWL", quantity=1, amount_minor=300)


def entry(entry_id: str, *postings: tuple[str, int], order_id: str = "o1") -> EntryPosted:
    return EntryPosted(
        entry_id=entry_id,
        transaction_id=order_id,
        currency="GBP",
        cause="a test",
        postings=tuple(
            Posting(account=account, debit_minor=max(minor, 0), credit_minor=max(-minor, 0))
            for account, minor in postings
        ),
    )


def placed(order_id: str = "o1") -> OrderPlaced:
    return OrderPlaced(
        order_id=order_id,
        country="France",
        currency="GBP",
        lines=(MUG, BOWL),
        total_minor=800,
        payment_method="pm_card_visa",
        ordered_at_ms=PLACED_MS,
    )


def paid(order_id: str = "o1", minor: int = 800) -> PaymentCompleted:
    return PaymentCompleted(
        transaction_id=order_id,
        payment_id=f"pi_{order_id}",
        amount_minor=minor,
        goods_minor=minor,
        charges_minor=0,
        currency="GBP",
        country="France",
        ordered_at_ms=PLACED_MS,
    )


PAYMENT_ENTRY = entry("paid", ("cash_at_provider", 800), ("customer_receivable", -800))
SALE_ENTRY = entry("sold", ("customer_receivable", 800), ("revenue", -800))
CLEARED = FraudCleared(transaction_id="o1", score=0.0, rules_version="1")
CREATED = ShipmentCreated(order_id="o1", shipment_id="s1")
DELIVERED = ShipmentDelivered(order_id="o1", shipment_id="s1")
RESERVED = InventoryReserved(order_id="o1", units=3)
COMPLETED = OrderCompleted(order_id="o1")
