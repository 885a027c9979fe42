"""Every test card of Stripe that is declined, each with its codes; and the document names all."""

import pytest
import stripe

from app.local.simulators.provider_cards import CARDS
from tests.support.shop import Shop
from tests.support.source import ROOT

DECLINED = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeCustomerFail": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_visa_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "pm_card_visa_chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": ("card_declined", "card_velocity_exceeded"),
    "pm_card_chargeDeclinedFraudulent": ("card_declined", "fraudulent"),
    "pm_card_radarBlock": ("card_declined", "fraudulent"),
    "pm_card_riskLevelHighest": ("card_declined", "fraudulent"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", "incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": ("processing_error", "processing_error"),
    "pm_card_threeDSecureRequiredProcessingError": ("card_declined", "generic_decline"),
}
"""docs.stripe.com/testing#declined-payments and #fraud-prevention: code and decline code."""
CHARGED = (
    "pm_card_visa",
    "pm_card_mastercard",
    "pm_card_amex",
    "pm_card_us",
    "pm_card_gb",
    "pm_card_jp",
    "pm_card_riskLevelElevated",
    "pm_card_cvcCheckFail",
    "pm_card_avsZipFail",
    "pm_card_amex_threeDSecureNotSupported",
    "pm_card_threeDSecureOptionalProcessingError",
)
"""Cards of those tables that charge while nobody has set a rule against them."""


@pytest.mark.parametrize("method", DECLINED)
async def test_a_card_is_declined_with_its_codes(shop: Shop, method: str) -> None:
    """At once, in the answer and in the intent; nothing is taken."""
    with pytest.raises(stripe.CardError) as declined:
        await shop.create(payment_method=method, confirm=True)

    error = declined.value.error
    assert error is not None
    assert DECLINED[method] == (declined.value.code, error.decline_code)
    intent = await shop.retrieve(error.payment_intent.id)
    assert ("requires_payment_method", DECLINED[method][1]) == (
        intent.status,
        intent.last_payment_error.decline_code,
    )
    assert 0 == (await shop.system.state())["charges"]


@pytest.mark.parametrize("method", CHARGED)
async def test_a_card_charges(shop: Shop, method: str) -> None:
    """Also those that a rule could refuse."""
    assert "succeeded" == (await shop.create(payment_method=method, confirm=True)).status


def test_no_card_is_missing() -> None:
    """What is declined at once has its row above, and the document has a row for every card."""
    at_once = {
        name
        for name, card in CARDS.items()
        if card.decline and not card.action and not card.takes_time
    }
    document = (ROOT / "docs" / "provider-simulator.md").read_text(encoding="utf-8")

    assert set(DECLINED) == at_once
    assert set() == {name for name in CARDS if f"`{name}`" not in document}
