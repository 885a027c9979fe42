"""Stripe's test cards, and what each does: docs.stripe.com/testing.

Every other token `pm_card_...` charges at once. The cards of our own stand for methods that
take time, as bank debits do: docs.stripe.com/payments/paymentintents/lifecycle.
"""

import msgspec

from app.local.simulators.provider_records import PLAIN, CaptureTrouble, Course

PENDS = Course(status="pending", next_status="succeeded")
FAILS = Course(next_status="failed")
WAITS = Course(status="requires_action", next_status="succeeded", after_ms=3_600_000)
"""The customer names an account within an hour (ours): docs.stripe.com/refunds#requires-action."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The course of a payment by one card."""

    decline: str = ""
    """Why a charge is declined; after 3-D Secure, where that comes first."""
    action: str = ""
    """Whether the customer has to confirm first: `always`, `on_session`, or `asked` for."""
    capture: CaptureTrouble = ""
    takes_time: bool = False
    """Whether the payment is `processing` at first."""
    refund: Course = PLAIN
    dispute: str = ""
    """Why the customer complains after a charge."""
    is_inquiry: bool = False
    is_available: bool = False
    """Whether the money is available at once."""


PLAIN_CARD = Card()
_DECLINES = {
    "pm_card_chargeDeclined": "generic_decline",
    "pm_card_visa_chargeDeclined": "generic_decline",
    "pm_card_chargeCustomerFail": "generic_decline",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_chargeDeclinedLostCard": "lost_card",
    "pm_card_visa_chargeDeclinedLostCard": "lost_card",
    "pm_card_chargeDeclinedStolenCard": "stolen_card",
    "pm_card_visa_chargeDeclinedStolenCard": "stolen_card",
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": "card_velocity_exceeded",
    "pm_card_chargeDeclinedFraudulent": "fraudulent",
    "pm_card_chargeDeclinedExpiredCard": "expired_card",
    "pm_card_chargeDeclinedIncorrectCvc": "incorrect_cvc",
    "pm_card_chargeDeclinedProcessingError": "processing_error",
    # Radar blocks these before a bank is asked (docs.stripe.com/testing#fraud-prevention).
    "pm_card_radarBlock": "fraudulent",
    "pm_card_riskLevelHighest": "fraudulent",
    # The lookup of 3-D Secure fails, so that nobody is asked (docs.stripe.com/testing#regulatory).
    "pm_card_threeDSecureRequiredProcessingError": "generic_decline",
}
CARDS = {
    **{name: Card(decline=code) for name, code in _DECLINES.items()},
    "pm_card_authenticationRequiredOnSetup": Card(action="always"),
    "pm_card_authenticationRequired": Card(action="always"),
    "pm_card_authenticationRequiredSetupForOffSession": Card(action="on_session"),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        action="always", decline="insufficient_funds"
    ),
    "pm_card_threeDSecure2Required": Card(action="always"),
    "pm_card_threeDSecureRequired": Card(action="always"),
    "pm_card_threeDSecureRequiredChargeDeclined": Card(action="always", decline="generic_decline"),
    "pm_card_threeDSecureOptional": Card(action="asked"),
    # docs.stripe.com/testing#refunds
    "pm_card_pendingRefund": Card(refund=PENDS),
    "pm_card_refundFail": Card(refund=FAILS),
    "pm_card_actionRefund": Card(refund=WAITS),
    # docs.stripe.com/testing#disputes
    "pm_card_createDispute": Card(dispute="fraudulent"),
    "pm_card_createDisputeProductNotReceived": Card(dispute="product_not_received"),
    "pm_card_createDisputeInquiry": Card(dispute="fraudulent", is_inquiry=True),
    # docs.stripe.com/testing#available-balance
    "pm_card_bypassPending": Card(is_available=True),
    "pm_card_bypassPendingInternational": Card(is_available=True),
    "pm_card_captureDeclined": Card(capture="declined"),
    "pm_card_holdExpired": Card(capture="expired"),
    "pm_card_processing": Card(takes_time=True),
    "pm_card_processingFail": Card(takes_time=True, decline="generic_decline"),
}
DECLINES = {name: card.decline for name, card in CARDS.items() if card.decline}
OWN_CODES = frozenset(
    {"expired_card", "incorrect_cvc", "processing_error", "authentication_required"}
)
"""Declines that have a code of their own; the code of the others is `card_declined`."""


def card_of(method: str | None) -> Card:
    """Return the card behind the token `method`."""
    return CARDS.get(method or "", PLAIN_CARD)


def decline_error(decline_code: str) -> dict[str, str]:
    """Return the error of a declined charge: docs.stripe.com/declines/codes."""
    return {
        "type": "card_error",
        "code": decline_code if decline_code in OWN_CODES else "card_declined",
        "decline_code": decline_code,
        "message": "Your card was declined.",
    }


AUTHENTICATION_FAILED = {
    "type": "invalid_request_error",
    "code": "payment_intent_authentication_failure",
    "message": "The provided PaymentMethod has failed authentication. You can provide"
    " payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
}
"""The error after 3-D Secure has failed: docs.stripe.com/error-codes."""
