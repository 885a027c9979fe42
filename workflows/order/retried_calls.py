"""The repeated calls to the payment provider and the carrier for an order."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from workflows.payment.process import Payment
from workflows.shared.workflow import RetriedCall
from workflows.shipping.state import Shipment


def retried_calls(rows: Mapping[str, Any]) -> tuple[RetriedCall, ...]:
    """Return who is asked again, by the rows of the two who ask outside: plain values by table."""
    payment, shipment = rows.get("payment"), rows.get("shipping")
    return tried(
        msgspec.convert(payment, Payment) if isinstance(payment, dict) else Payment(),
        msgspec.convert(shipment, Shipment) if isinstance(shipment, dict) else Shipment(),
    )


def tried(payment: Payment, shipment: Shipment) -> tuple[RetriedCall, ...]:
    """Return who is asked again, as the two who ask outside remember it."""
    return (*_charge(payment), *_capture(payment), *_refunds(payment), *_shipment(shipment))


def _charge(payment: Payment) -> Iterator[RetriedCall]:
    charge = payment.charge
    voids = charge.asked == "void"
    is_open = not charge.outcome or (charge.outcome == "authorized" and voids)
    if charge.unknown_since_ms is None or not is_open:
        return
    yield RetriedCall(
        who="the payment provider",
        what="to take no money any more" if voids else "what became of the charge",
        tries=charge.wait.tries,
        reason=charge.reason,
        since_ms=charge.unknown_since_ms,
        next_ms=charge.wait.due_at_ms or 0,
    )


def _capture(payment: Payment) -> Iterator[RetriedCall]:
    capture = payment.capture
    if capture.status in ("due", "asked", "unknown") and (capture.reason or capture.wait.tries):
        yield RetriedCall(
            who="the payment provider",
            what="to take the money that it holds",
            tries=capture.wait.tries,
            reason=capture.reason,
            since_ms=capture.requested_at_ms,
            next_ms=capture.wait.due_at_ms or 0,
        )


def _refunds(payment: Payment) -> Iterator[RetriedCall]:
    wait = payment.refunds.wait
    for key, refund in payment.refunds.by_key.items():
        if refund.status in ("owed", "asked") and (refund.reason or wait.tries):
            yield RetriedCall(
                who="the payment provider",
                what=f"to refund the customer ({key})",
                tries=wait.tries,
                reason=refund.reason,
                since_ms=refund.asked_at_ms,
                next_ms=wait.due_at_ms or 0,
            )


def _shipment(shipment: Shipment) -> Iterator[RetriedCall]:
    asks = {
        "booking": "to take the shipment",
        "stopping": "to stop the shipment",
        "travelling": "where the shipment is",
    }
    # `unknown_since_ms` of the booking stays set while the shipment travels.
    unknown = shipment.unknown_since_ms is not None and shipment.status != "travelling"
    if shipment.status in asks and (unknown or shipment.wait.tries):
        yield RetriedCall(
            who="the carrier",
            what=asks[shipment.status],
            tries=shipment.wait.tries,
            reason=shipment.reason,
            since_ms=shipment.unknown_since_ms or 0,
            next_ms=shipment.wait.due_at_ms or 0,
        )
