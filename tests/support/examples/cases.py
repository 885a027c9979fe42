"""Payments of order o1 of which an operator has to decide something, as they came to that."""

from msgspec.structs import replace

from tests.support.examples.payment import CANCELLED, NOTICE, PLACED, RETURN, SUCCEEDED
from tests.support.workflow_runner import START_MS, alarm
from workflows.payment.capture_messages import CaptureCaseDecided
from workflows.payment.provider_capture_messages import CaptureRefused, ChargeAuthorized
from workflows.payment.provider_dispute_messages import DisputeReported
from workflows.payment.provider_messages import ProviderNotified, RefundRefused
from workflows.shipping.messages import ShipmentCreated

LAST_DAY_MS = START_MS + 10**9

REFUND_CASE = (
    PLACED,
    SUCCEEDED,
    CANCELLED,
    RefundRefused(transaction_id="o1", refund_key="compensation", reason="charge_disputed"),
)
CAPTURE_CASE = (
    replace(PLACED, capture="at_shipment"),
    ChargeAuthorized(
        transaction_id="o1",
        payment_id="pi",
        amount_minor=1_000,
        currency="GBP",
        capture_before_ms=LAST_DAY_MS,
    ),
    ShipmentCreated(order_id="o1", shipment_id="s1"),
    CaptureRefused(transaction_id="o1", reason="charge_expired_for_capture"),
)
WRITTEN_OFF = CaptureCaseDecided(transaction_id="o1", decision="written_off", reference="case-7")
DISPUTE_CASE = (
    PLACED,
    SUCCEEDED,
    ProviderNotified(kind="dispute_changed", dispute_id="du", **NOTICE),
    alarm(2),
    DisputeReported(
        transaction_id="o1",
        dispute_id="du",
        attempt=1,
        status="needs_response",
        reason="fraudulent",
        amount_minor=1_000,
        currency="GBP",
        due_by_ms=LAST_DAY_MS,
    ),
)
DISPUTED_REFUND_CASE = (*REFUND_CASE, *DISPUTE_CASE[2:])
"""A refund has failed for good, and then the customer disputes the payment."""
MISMATCH_CASE = (PLACED, replace(SUCCEEDED, amount_minor=999, currency="GBP"))
"""The provider has taken a penny less than was asked for."""
INQUIRY_CASE = (
    *DISPUTE_CASE[:-1],
    replace(
        DISPUTE_CASE[-1],
        status="warning_needs_response",
        withdrawn_minor=0,
        is_charge_refundable=True,
    ),
    RETURN,
)
"""A bank asks, and a part of the payment is to go back."""
