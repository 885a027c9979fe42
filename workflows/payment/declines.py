"""Why a card is declined, by the provider's code, and what the customer may do about it.

Source: docs.stripe.com/declines/codes; the code of a failed 3-D Secure is one of its error codes.
A declined card is never tried again by us, whatever its code: the customer orders anew. A lost,
stolen or suspected card is declined in the words of any decline, as Stripe asks: who tries a stolen
one must not learn it.
"""

GENERIC = "the bank has declined it; please use another card or ask your bank"
NO_MONEY = "there is not enough money on the card"
TOO_OFTEN = "the card has been used too often or for too much"
EXPIRED = "the card has expired"
WRONG = "its number, date or security code is not right"
NOT_FOR_THIS = "the card cannot be used for this payment"
CONFIRM = "the bank wants you to confirm it"
UNCONFIRMED = "your bank has not confirmed that it was you"
LATER = "the bank did not answer; please order again"
TOO_SMALL = "the amount is smaller than a card can be charged"
TOO_LATE = "you did not confirm it with your bank in time; please order again"

NOT_CONFIRMED = "not_confirmed_in_time"
NOT_PROCESSED = "not_processed_in_time"
"""Reasons of ours for a charge that waited for too long, beside the codes of the provider."""

REASONS = {
    "insufficient_funds": NO_MONEY,
    "card_velocity_exceeded": TOO_OFTEN,
    "withdrawal_count_limit_exceeded": TOO_OFTEN,
    "expired_card": EXPIRED,
    "amount_too_small": TOO_SMALL,
    **dict.fromkeys(
        (
            "incorrect_cvc",
            "incorrect_number",
            "incorrect_zip",
            "incorrect_address",
            "incorrect_pin",
            "invalid_cvc",
            "invalid_number",
            "invalid_account",
            "invalid_expiry_month",
            "invalid_expiry_year",
            "invalid_pin",
        ),
        WRONG,
    ),
    **dict.fromkeys(
        (
            "card_not_supported",
            "currency_not_supported",
            "not_permitted",
            "service_not_allowed",
            "transaction_not_allowed",
            "testmode_decline",
        ),
        NOT_FOR_THIS,
    ),
    **dict.fromkeys(
        (
            "authentication_required",
            "authentication_not_handled",
            "mobile_device_authentication_required",
            "offline_pin_required",
            "online_or_offline_pin_required",
        ),
        CONFIRM,
    ),
    "payment_intent_authentication_failure": UNCONFIRMED,
    NOT_CONFIRMED: TOO_LATE,
    NOT_PROCESSED: LATER,
    **dict.fromkeys(
        (
            "approve_with_id",
            "issuer_not_available",
            "processing_error",
            "reenter_transaction",
            "try_again_later",
        ),
        LATER,
    ),
    **dict.fromkeys(
        (
            "call_issuer",
            "do_not_honor",
            "do_not_try_again",
            "duplicate_transaction",
            "fraudulent",
            "generic_decline",
            "invalid_amount",
            "lost_card",
            "merchant_blacklist",
            "new_account_information_available",
            "no_action_taken",
            "pickup_card",
            "pin_try_exceeded",
            "restricted_card",
            "revocation_of_all_authorizations",
            "revocation_of_authorization",
            "security_violation",
            "stolen_card",
            "stop_payment_order",
        ),
        GENERIC,
    ),
}


def reason_for(code: str) -> str:
    """Return why a card was declined, for the customer; empty for any other code."""
    return REASONS.get(code, "")
