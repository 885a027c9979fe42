"""What speaks for an order whose payment is disputed: order, payment, verdict, shipment, messages.

Part of the order workflow. It is for the operator who writes to the bank, so it names nobody.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from workflows.fraud.messages import FraudVerdict
from workflows.fraud.state import PaymentCheck
from workflows.notification.messages import SendMessage
from workflows.order.state import Order
from workflows.order.view import amounts
from workflows.shared.cases import EvidenceItem
from workflows.shared.journal import JournalEntry
from workflows.shared.message import type_name
from workflows.shared.money import money
from workflows.shipping.state import Shipment

Shape = TypeVar("Shape")
LINES_SHOWN_MAX = 5
MESSAGES_SHOWN_MAX = 20


def evidence(rows: Mapping[str, Any], entries: Sequence[JournalEntry]) -> tuple[EvidenceItem, ...]:
    """Return what speaks for an order that is disputed; nothing where it is not."""
    order = _state(rows, "order", Order)
    if not order.disputes:
        return ()
    check = _state(rows, "verdict", PaymentCheck)
    shipment = _state(rows, "shipping", Shipment)
    return (
        *_order(order),
        *_payment(order),
        *_verdict(order, check.verdict),
        *_shipment(order, shipment),
        *_messages(entries),
    )


def _state(rows: Mapping[str, Any], table: str, shape: type[Shape]) -> Shape:
    """Return the state in the row of `table`; a new one without a row, or where it is a text."""
    row = rows.get(table)
    return msgspec.convert(row, shape) if isinstance(row, dict) else shape()


def _order(order: Order) -> Iterator[EvidenceItem]:
    lines = order.returns.sale.lines
    units = ", ".join(f"{each.units} of {each.sku}" for each in lines[:LINES_SHOWN_MAX])
    more = f" and {len(lines) - LINES_SHOWN_MAX} lines more" if lines[LINES_SHOWN_MAX:] else ""
    total = money(order.total_minor, order.currency)
    text = f"placed in {order.country} for {total}: {units or 'nothing'}{more}"
    yield EvidenceItem(subject="Order", text=text, at_ms=order.placed_at_ms)


def _payment(order: Order) -> Iterator[EvidenceItem]:
    charged, refunded_minor = amounts(order)["charged_minor"], amounts(order)["refunded_minor"]
    was_confirmed = bool(order.action.url) and order.charged_minor > 0
    confirmation = (
        "the customer confirmed it with the bank (3-D Secure)"
        if was_confirmed
        else "the customer was not asked to confirm it (no 3-D Secure)"
    )
    text = f"{money(charged, order.currency)} charged; {confirmation}"
    yield EvidenceItem(subject="Payment", text=text)
    if refunded_minor:
        text = f"{money(refunded_minor, order.currency)} was refunded before"
        yield EvidenceItem(subject="Payment", text=text)


def _verdict(order: Order, verdict: FraudVerdict | None) -> Iterator[EvidenceItem]:
    text = order.fraud.status
    if verdict is not None:
        reasons = ", ".join(verdict.reasons)
        text += f" with a score of {round(verdict.score, 2)}{': ' if reasons else ''}{reasons}"
    yield EvidenceItem(subject="Verdict", text=text, at_ms=order.fraud.at_ms)


def _shipment(order: Order, shipment: Shipment) -> Iterator[EvidenceItem]:
    if not shipment.shipment_id:
        yield EvidenceItem(subject="Shipment", text="nothing has left")
        return
    tracking = f", tracking {shipment.tracking}" if shipment.tracking else ""
    text = f"{shipment.shipment_id}{tracking}: {order.shipping.status}"
    yield EvidenceItem(subject="Shipment", text=text, at_ms=order.shipping.at_ms)
    if order.delivery.status == "delivered":
        text = "delivered, as the carrier says"
        yield EvidenceItem(subject="Shipment", text=text, at_ms=order.delivery.at_ms)


def _messages(entries: Sequence[JournalEntry]) -> Iterator[EvidenceItem]:
    sent = [entry for entry in entries if entry.type == type_name(SendMessage)]
    for entry in sent[-MESSAGES_SHOWN_MAX:]:
        text = f"{entry.body.get('title', '')}: {entry.body.get('text', '')}"
        yield EvidenceItem(subject="Message", text=text, at_ms=entry.time_ms)
