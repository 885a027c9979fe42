"""Money that the payment provider holds: until when, and taking it once the items have left.

The provider captures an intent once, or cancels it: asking again is safe with any key. Only a card
that is charged anew, in a later round, needs one.
"""

from typing import cast

import stripe

from app.gateways.provider_account import Account, Broken, Unclear, answer_of, read, reason_of
from workflows.payment.provider_capture_messages import (
    CaptureCharge,
    CaptureRefused,
    CaptureUnknown,
    ChargeAuthorized,
    ChargeCaptured,
)
from workflows.payment.topics import ProviderAnswer
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.provider_currencies import AmountRefused, amount_minor_of, provider_amount

HOLD_SECONDS = 7 * 86_400
"""How long an online card payment is held, where the provider does not say until when:
docs.stripe.com/payments/place-a-hold-on-a-payment-method."""
INTENTS_MAX = 10
"""Intents of one order that are searched: one, and one for each round."""


async def held(
    account: Account, intent: stripe.PaymentIntent, transaction_id: str, attempt: int
) -> ProviderAnswer:
    """Return what is held by `intent`, and until when. Raises Unclear."""
    params: stripe.params.PaymentIntentRetrieveParams = {"expand": ["latest_charge"]}
    current_intent = await read(account.intents.retrieve_async(intent.id, params))
    return ChargeAuthorized(
        transaction_id=transaction_id,
        payment_id=current_intent.id,
        amount_minor=amount_minor_of(
            current_intent.amount_capturable, current_intent.currency.upper()
        ),
        currency=current_intent.currency.upper(),
        capture_before_ms=_before_seconds(current_intent) * 1_000,
        attempt=attempt,
    )


async def let_go_minor(account: Account, intent: stripe.PaymentIntent) -> int:
    """Return what a canceled intent held; 0 when it never held anything. Raises Unclear.

    Its charge keeps the amount, which then counts as refunded: docs.stripe.com/api/charges/object.
    """
    params: stripe.params.PaymentIntentRetrieveParams = {"expand": ["latest_charge"]}
    current_intent = await read(account.intents.retrieve_async(intent.id, params))
    charge: object = current_intent.latest_charge
    if not isinstance(charge, stripe.Charge) or charge.status != "succeeded":
        return 0
    return amount_minor_of(charge.amount, charge.currency.upper())


def _before_seconds(intent: stripe.PaymentIntent) -> int:
    charge: object = intent.latest_charge
    details = getattr(charge, "payment_method_details", None)
    capture_before = getattr(getattr(details, "card", None), "capture_before", None)
    return int(capture_before or intent.created + HOLD_SECONDS)


async def capture(account: Account, command: CaptureCharge) -> ProviderAnswer:
    """Return what came of taking the money: captured, refused in this round, or not known."""
    try:
        asks_first = account.is_old(command) or command.round > 0
        intent = await _retrieve(account, command) if asks_first else await _take(account, command)
        if asks_first and intent.status == "requires_capture":
            intent = await _take(account, command)
        if intent.status == "canceled" and command.round:
            intent = await _charge_anew(account, command)
    except stripe.StripeError as refused:
        return _refused(command, reason_of(refused))
    except AmountRefused as refused:
        return _refused(command, str(refused))
    except Unclear as trouble:
        return _unknown(command, str(trouble))
    return _answer(command, intent)


async def _retrieve(account: Account, command: CaptureCharge) -> stripe.PaymentIntent:
    return await read(account.intents.retrieve_async(command.payment_id))


async def _take(account: Account, command: CaptureCharge) -> stripe.PaymentIntent:
    """Capture; return the intent as it is then. Raises Unclear, and a StripeError when refused."""
    params: stripe.params.PaymentIntentCaptureParams = {
        "amount_to_capture": provider_amount(command.amount_minor, command.currency)
    }
    # A kept answer of the first time may be a 500, which never changes: every try has its key.
    key = account.key(command, "capture", str(command.round), str(command.attempt))
    try:
        return await answer_of(account.intents.capture_async(command.payment_id, params, key))
    except Broken:
        return await _retrieve(account, command)
    except stripe.InvalidRequestError:
        # It is captured already, or canceled; else the provider refuses it for good.
        intent = await _retrieve(account, command)
        if intent.status == "requires_capture":
            raise
        return intent


async def _charge_anew(account: Account, command: CaptureCharge) -> stripe.PaymentIntent:
    """Charge the card for items that have left. Raises Unclear, and a StripeError when refused."""
    query: stripe.params.PaymentIntentSearchParams = {
        "query": account.query(command),
        "limit": INTENTS_MAX,
    }
    page = await read(account.intents.search_async(query))
    paid = [each for each in page.data if each.status == "succeeded"]
    if paid := [each for each in paid if account.owns(command, each)]:
        return paid[0]
    anew = {
        "amount": provider_amount(command.amount_minor, command.currency),
        "currency": command.currency.lower(),
        "payment_method": command.payment_method,
        "payment_method_types": ["card"],
        "confirm": True,
        # The customer is not there to confirm: then it is declined instead of left open.
        "off_session": True,
        "metadata": {**account.metadata(command), "round": str(command.round)},
    }
    # The SDK's types do not name `payment_method_types`, which its API takes.
    params = cast("stripe.params.PaymentIntentCreateParams", anew)
    key = account.key(command, "charge anew", str(command.round))
    return await answer_of(account.intents.create_async(params, key))


def _answer(command: CaptureCharge, intent: stripe.PaymentIntent) -> ProviderAnswer:
    if intent.status == "succeeded":
        return ChargeCaptured(
            transaction_id=command.transaction_id,
            payment_id=intent.id,
            amount_minor=amount_minor_of(intent.amount_received, intent.currency.upper()),
            currency=intent.currency.upper(),
            round=command.round,
        )
    if intent.status == "canceled":
        reason = intent.cancellation_reason or "the hold has ended"
        return _refused(command, reason, is_void=True)
    return _unknown(command, f"it is {intent.status}")


def _refused(command: CaptureCharge, reason: str, *, is_void: bool = False) -> CaptureRefused:
    return CaptureRefused(
        transaction_id=command.transaction_id,
        payment_id=command.payment_id,
        round=command.round,
        is_void=is_void,
        reason=reason[:TEXT_CHARS_MAX],
    )


def _unknown(command: CaptureCharge, reason: str) -> CaptureUnknown:
    return CaptureUnknown(
        transaction_id=command.transaction_id,
        round=command.round,
        attempt=command.attempt,
        reason=reason[:TEXT_CHARS_MAX],
    )
