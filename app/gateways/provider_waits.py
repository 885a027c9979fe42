"""Intents that wait: for the customer, who confirms with the bank, or for the provider itself."""

from urllib.parse import quote

import stripe

from app.config import Config, is_local
from workflows.payment.action_messages import ChargeActionRequired, ChargeProcessing
from workflows.shared.limits import URL_CHARS_MAX


class Waits:
    """How long each of them may take, and where the customer goes afterwards."""

    def __init__(self, config: Config) -> None:
        self._action_seconds = config.action_seconds
        self._processing_seconds = config.processing_seconds
        self._console_url = config.console_url.rstrip("/")

    def return_url(self, transaction_id: str) -> str:
        """Return where the bank sends the customer; without it Stripe gives no link at all."""
        return f"{self._console_url}/console/transactions/{quote(transaction_id, safe='')}"

    def answer(
        self, transaction_id: str, attempt: int, intent: stripe.PaymentIntent
    ) -> ChargeActionRequired | ChargeProcessing | None:
        """Return who has to act before `intent` goes on; None when nobody has."""
        about = {"transaction_id": transaction_id, "attempt": attempt, "payment_id": intent.id}
        if intent.status == "processing":
            return ChargeProcessing(**about, wait_seconds=self._processing_seconds)
        url = link_of(intent) if intent.status == "requires_action" else ""
        return (
            ChargeActionRequired(**about, url=url, wait_seconds=self._action_seconds)
            if url
            else None
        )


def link_of(intent: stripe.PaymentIntent) -> str:
    """Return where the customer confirms; empty where there is no page to be shown a person."""
    redirect = getattr(intent.next_action, "redirect_to_url", None)
    url = str(getattr(redirect, "url", None) or "")
    is_page = url.startswith("https://") or (url.startswith("http://") and is_local(url))
    return url if is_page and len(url) <= URL_CHARS_MAX else ""
