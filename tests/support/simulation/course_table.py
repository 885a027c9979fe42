"""The table of payments as the provider's cards have them go: a row is one course."""

from tests.support.simulation.provider_world import Course
from workflows.payment.declines import (
    EXPIRED,
    GENERIC,
    LATER,
    NO_MONEY,
    TOO_LATE,
    TOO_OFTEN,
    UNCONFIRMED,
    WRONG,
)

PAID, HELD = "10.00 GBP paid", "10.00 GBP is held"
FREED = "We no longer hold 10.00 GBP"
BACK, REFUSED = "10.00 GBP is on its way back", "Your bank has refused 10.00 GBP"
PART = "9.99 GBP is on its way back. Of your refund 0.01 GBP are left"
LOST = "Your bank has refused 9.99 GBP"
PART_FAILS = {"refund_short": 1.0, "refund_fail": 1.0, "refund_seconds": 300.0}
ASKED = "you asked us to"


def course(name: str, card: str, end: str, phrase: str = "", **more: object) -> Course:
    """Return one row of the table."""
    return Course(name=name, card=f"pm_card_{card}", end=end, phrase=phrase, **more)  # pyright: ignore[reportArgumentType]


def held(name: str, card: str, end: str, phrase: str = "", **more: object) -> Course:
    """Return one row of money that is held first."""
    return course(name, card, end, phrase, capture="at_shipment", **more)


def declined(name: str, card: str, phrase: str) -> Course:
    """Return one row of a card that is declined."""
    return course(f"declined: {name}", card, "cancelled", phrase)


SCA = "authenticationRequired"
THREE_D = "threeDSecureRequired"
DECLINES = (
    declined("for no reason", "chargeDeclined", GENERIC),
    declined("the visa card", "visa_chargeDeclined", GENERIC),
    declined("a customer's card", "chargeCustomerFail", GENERIC),
    declined("no money", "chargeDeclinedInsufficientFunds", NO_MONEY),
    declined("no money, visa", "visa_chargeDeclinedInsufficientFunds", NO_MONEY),
    declined("lost", "chargeDeclinedLostCard", GENERIC),
    declined("lost, visa", "visa_chargeDeclinedLostCard", GENERIC),
    declined("stolen", "chargeDeclinedStolenCard", GENERIC),
    declined("stolen, visa", "visa_chargeDeclinedStolenCard", GENERIC),
    declined("too often", "visa_chargeDeclinedVelocityLimitExceeded", TOO_OFTEN),
    declined("expired", "chargeDeclinedExpiredCard", EXPIRED),
    declined("wrong code", "chargeDeclinedIncorrectCvc", WRONG),
    declined("processing error", "chargeDeclinedProcessingError", LATER),
    declined("fraudulent", "chargeDeclinedFraudulent", GENERIC),
    declined("blocked by Radar", "radarBlock", GENERIC),
    declined("of the highest risk", "riskLevelHighest", GENERIC),
    declined("3-D Secure has an error", f"{THREE_D}ProcessingError", GENERIC),
)
ACTIONS = (
    course("3-D Secure: confirmed", SCA, "completed", PAID, customer="confirm"),
    course("3-D Secure: at once", SCA, "completed", PAID, customer="confirm", after_minutes=0),
    course("3-D Secure: failed", SCA, "cancelled", UNCONFIRMED, customer="fail"),
    course("3-D Secure: nobody acts", SCA, "cancelled", TOO_LATE),
    course("3-D Secure: late", SCA, "cancelled", TOO_LATE, customer="confirm", after_minutes=90),
    course("3-D Secure: cancelled", SCA, "cancelled", ASKED, is_cancelled=True),
    course("3-D Secure: no money", f"{SCA}ChargeDeclinedInsufficientFunds", "cancelled", NO_MONEY,
           customer="confirm"),
    course("3-D Secure: on set-up", f"{SCA}OnSetup", "completed", PAID, customer="confirm"),
    course("3-D Secure: off session", f"{SCA}SetupForOffSession", "completed", PAID,
           customer="confirm"),
    course("3-D Secure: version 1", THREE_D, "completed", PAID, customer="confirm"),
    course("3-D Secure: version 2", "threeDSecure2Required", "completed", PAID, customer="confirm"),
    course("3-D Secure: optional", "threeDSecureOptional", "completed", PAID),
    course("3-D Secure: declined", f"{THREE_D}ChargeDeclined", "cancelled", GENERIC,
           customer="confirm"),
    held("3-D Secure, taken at shipment", SCA, "completed", HELD, customer="confirm"),
    held("3-D Secure, held, failed", SCA, "cancelled", UNCONFIRMED, customer="fail"),
    held("3-D Secure, held, nobody acts", SCA, "cancelled", TOO_LATE),
    course("processing, then paid", "processing", "completed", PAID),
    course("processing, then declined", "processingFail", "cancelled", GENERIC),
)  # fmt: skip
CAPTURES = (
    course("taken at once", "visa", "completed", PAID),
    course("taken at once, and at the balance", "bypassPending", "completed", PAID),
    course("taken at once, then cancelled", "visa", "cancelled", ASKED, is_cancelled=True),
    course("taken at once, out of stock", "visa", "cancelled", "stock", stock=0),
    course("taken at once, fraud", "visa", "cancelled", total_minor=900_000),
    held("taken at shipment", "visa", "completed", PAID),
    held("held, and cancelled", "visa", "cancelled", ASKED, is_cancelled=True),
    held("held, out of stock", "visa", "cancelled", FREED, stock=0),
    held("held, fraud", "visa", "cancelled", "We no longer hold", total_minor=900_000),
    held("held, declined", "chargeDeclined", "cancelled", GENERIC),
    held("the card is declined at capture, and written off", "captureDeclined", "completed", HELD,
         decision="written_off", kept_minor=0),
    held("the hold has ended at capture, and is written off", "holdExpired", "completed", FREED,
         decision="written_off", kept_minor=0),
    held("the hold has ended at capture, and the card is charged anew", "holdExpired",
         "completed", PAID, decision="retry"),
    held("the card is declined at capture, then not", "visa", "completed", PAID,
         decision="retry", faults={"capture_declined": 0.5, "seed": 6}),
    held("errors after a capture", "visa", "completed", PAID, faults={"error_after": 0.5}),
    course("a unit less is taken", "visa", "cancelled", faults={"short": 1.0}),
    held("a unit less is held", "visa", "cancelled", faults={"short": 1.0}),
    course("yen", "visa", "completed", "1,000 JPY paid", currency="JPY"),
    held("dinars, taken at shipment", "visa", "completed", "1.000 KWD paid", currency="KWD"),
    course("a payout does not arrive", "visa", "completed", PAID, faults={"payout_fail": 1.0}),
    course("a payout comes back once it was paid", "visa", "completed", PAID,
           faults={"payout_return": 1.0}),
    course("errors after the effect", "visa", "completed", PAID, faults={"error_after": 0.5}),
    course("errors before the effect", "visa", "completed", PAID, faults={"error_before": 0.5}),
)  # fmt: skip
REFUNDS = (
    course("refunded", "visa", "completed", BACK, is_returned=True, kept_minor=0),
    held("taken at shipment, and refunded", "visa", "completed", BACK, is_returned=True,
         kept_minor=0),
    course("a refund is pending, then succeeds", "pendingRefund", "completed", BACK,
           is_returned=True, kept_minor=0),
    course("a refund of a cancelled order is pending", "pendingRefund", "cancelled", ASKED,
           is_cancelled=True),
    course("refunds fail, and it is paid by hand", "refundFail", "completed", REFUSED,
           is_returned=True, decision="settled", kept_minor=0),
    course("a refund waits for the customer, then succeeds", "actionRefund", "completed", BACK,
           is_returned=True, kept_minor=0),
    course("refunds are canceled, and it is paid by hand", "actionRefund", "completed", BACK,
           is_returned=True, cancels_refunds=True, decision="settled", kept_minor=0),
    course("charge_already_refunded: by hand at the provider", "visa", "completed", BACK,
           is_returned=True, by_hand_minor=1_000, decision="settled", kept_minor=0),
    course("charge_already_refunded, and paid once more by the bank", "visa", "completed", BACK,
           is_returned=True, by_hand_minor=1_000, refers=False, decision="settled", kept_minor=0,
           breaks=("money_agrees",)),
    course("amount_too_large: a part by hand, and all by the bank", "visa", "completed", BACK,
           is_returned=True, by_hand_minor=400, refers=False, decision="settled", kept_minor=0,
           breaks=("money_agrees",)),
    course("a refund fails after a while, and the next succeeds", "visa", "completed", BACK,
           is_returned=True, kept_minor=0, faults={"refund_fail": 1.0}),
    course("refunds of a cancelled order fail, and it is paid by hand", "refundFail", "cancelled",
           REFUSED, is_cancelled=True, decision="settled"),
    course("a unit less is refunded, and is asked for again", "visa", "completed", PART,
           is_returned=True, decision="retry", faults={"refund_short": 1.0}, kept_minor=0),
    course("a unit less is refunded, and paid by hand", "visa", "completed", PART,
           is_returned=True, decision="settled", faults={"refund_short": 1.0}, kept_minor=0),
    course("a unit less of a cancelled order is refunded", "visa", "cancelled", ASKED,
           is_cancelled=True, decision="retry", faults={"refund_short": 1.0}),
    course("yen, refunded", "visa", "completed", "1,000 JPY is on its way back", currency="JPY",
           is_returned=True, kept_minor=0),
    course("a part that was refunded fails once the rest is there", "visa", "completed", LOST,
           is_returned=True, decision="retry", faults=PART_FAILS, kept_minor=0),
    course("a part fails after the rest was paid by hand", "visa", "completed", LOST,
           is_returned=True, decision="settled", faults=PART_FAILS, kept_minor=0),
    course("a part fails while the rest waits", "visa", "completed", LOST, is_returned=True,
           decision="retry", faults={**PART_FAILS, "refund_seconds": 0.0}, kept_minor=0),
    course("a part of a cancelled order's refund fails", "visa", "cancelled", LOST,
           is_cancelled=True, decision="retry", faults=PART_FAILS),
)  # fmt: skip
COURSES = (*DECLINES, *ACTIONS, *CAPTURES, *REFUNDS)
