"""Taking the money of an order once, and giving it back.

`workflows/payment/charge.py` talks with the provider until the outcome is known,
`workflows/payment/refund.py` until the money is back. Here is when the one begins and when the
other must.
"""

import msgspec
from msgspec.structs import replace

from workflows.fraud.messages import FraudDetected
from workflows.inventory.messages import InventoryRejected
from workflows.order.messages import OrderPlaced
from workflows.order.saga_messages import ReturnAccepted
from workflows.payment import charge, refund
from workflows.payment.charge import Bill, Charge
from workflows.payment.messages import PaymentCompleted, PaymentFailed
from workflows.payment.refund import COMPENSATION, Refunds
from workflows.shared.limits import MINOR_MAX
from workflows.shared.message import Message
from workflows.shared.pending import settle
from workflows.shipping.messages import ShipmentCancelled, ShipmentFailed

# --- memory ------------------------------------------------------------------


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """What the payment of one order remembers."""

    bill: Bill | None = None
    closed: bool = False
    """Nothing will be shipped: whatever was or will be charged goes back."""
    charge: Charge = Charge()
    completed_told: bool = False
    failed_told: bool = False
    refunds: Refunds = Refunds()


INITIAL = Payment()

# --- judgment ----------------------------------------------------------------


def decide(memory: Payment, heard: Message, at_ms: int) -> tuple[Message, ...]:
    """Return what to ask and tell after `heard`; heard again, it owes nothing more."""
    return settle(heard, memory, at_ms, evolve=evolve, owed=_owed)


def due(memory: Payment) -> int | None:
    """Return when to ask the provider again (ms), or None."""
    waits = (memory.charge.wait.due_at_ms, memory.refunds.wait.due_at_ms)
    return min((at_ms for at_ms in waits if at_ms is not None), default=None)


def _owed(memory: Payment) -> tuple[Message, ...]:
    bill, outcome = memory.bill, memory.charge.outcome
    if bill is None:
        return ()
    if outcome == "succeeded":
        # A charge that succeeds after PaymentFailed was told (the void raced with it) is told as
        # completed and then as refunded: the books must see what the provider saw.
        if not memory.completed_told:
            return (_completed(memory.charge, bill),)
        return refund.owed(memory.refunds, bill, memory.charge.payment_id)
    if memory.failed_told:
        return ()
    if outcome or (memory.closed and not memory.charge.asked):
        return (_failed(memory.charge, bill),)
    return charge.owed(memory.charge, bill, unwanted=memory.closed)


def _completed(charged: Charge, bill: Bill) -> Message:
    return PaymentCompleted(
        order_id=bill.order_id,
        payment_id=charged.payment_id,
        amount_minor=bill.total_minor,
        goods_minor=bill.goods_minor,
        charges_minor=bill.total_minor - bill.goods_minor,
        currency=bill.currency,
        customer_id=bill.customer_id,
        country=bill.country,
        ordered_at_ms=bill.ordered_at_ms,
        origin=bill.origin,
    )


def _failed(tried: Charge, bill: Bill) -> Message:
    reason = tried.reason or "cancelled"
    if not tried.asked or tried.outcome != "declined":
        return PaymentFailed(order_id=bill.order_id, reason=reason)
    return PaymentFailed(
        order_id=bill.order_id,
        reason=reason,
        declined=True,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        customer_id=bill.customer_id,
        ordered_at_ms=bill.ordered_at_ms,
        origin=bill.origin,
    )


def _refusal(placed: OrderPlaced) -> str:
    """Return what is wrong with the sums of an order, or nothing. Not all come through the API."""
    goods_minor = sum(line.amount_minor for line in placed.lines)
    charges_minor = sum(each.amount_minor for each in placed.charges)
    if goods_minor + charges_minor != placed.total_minor:
        return "the total is not the sum of its lines and charges"
    if max(goods_minor, abs(charges_minor)) > MINOR_MAX:
        return "its sums are larger than money may be"
    return ""


# --- fold --------------------------------------------------------------------


def evolve(memory: Payment, word: Message, at_ms: int) -> Payment:
    """Return `memory` after `word`, heard or told."""
    match word:
        case OrderPlaced():
            return memory if memory.bill else _billed(memory, word)
        case ShipmentCancelled() | ShipmentFailed() | InventoryRejected() | FraudDetected():
            return _compensate(replace(memory, closed=True))
        case PaymentFailed():
            return replace(memory, failed_told=True, closed=True)
        case PaymentCompleted():
            return _compensate(replace(memory, completed_told=True))
        case ReturnAccepted(return_id=return_id, amount_minor=amount_minor):
            return _owe(memory, return_id, amount_minor)
        case _:
            return replace(
                memory,
                charge=charge.evolve(memory.charge, word, at_ms),
                refunds=refund.evolve(memory.refunds, word, at_ms),
            )


def _billed(memory: Payment, placed: OrderPlaced) -> Payment:
    reason = _refusal(placed)
    # Nobody is asked for what does not add up: it is as if the card had been declined.
    known = Charge(outcome="declined", reason=reason) if reason else memory.charge
    return replace(memory, bill=charge.bill_of(placed), charge=known)


def _compensate(memory: Payment) -> Payment:
    if memory.bill is None or not memory.closed:
        return memory
    return _owe(memory, COMPENSATION, memory.bill.total_minor)


def _owe(memory: Payment, key: str, amount_minor: int) -> Payment:
    if memory.bill is None or not memory.completed_told:
        return memory
    return replace(memory, refunds=refund.owe(memory.refunds, memory.bill, key, amount_minor))
