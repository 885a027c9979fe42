"""One refund at the payment provider, by its id: whoever has made it."""

import msgspec
import stripe

from app.config import Config
from app.gateways.provider_account import Account, Unclear, answer_of, fields_of, reason_of
from app.wire.clock import now_ms
from workflows.shared.provider_currencies import amount_minor_of

MISSING = 404


class FoundRefund(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider has under the id of a refund."""

    payment_id: str
    status: str
    amount_minor: int
    currency: str
    refund_key: str = ""
    """Which refund Payflow has made by it; empty: somebody else has made it."""


async def found_refund(config: Config, refund_id: str) -> FoundRefund | None:
    """Return the refund as it is now; None when the provider has none. Raises Unclear."""
    account = Account(config, now_ms)
    try:
        stripe_refund = await answer_of(account.refunds.retrieve_async(refund_id))
    except stripe.InvalidRequestError as error:
        if error.http_status != MISSING:
            raise Unclear(reason_of(error)) from error
        return None
    finally:
        await account.close()
    intent, currency = stripe_refund.payment_intent, stripe_refund.currency.upper()
    return FoundRefund(
        payment_id=intent if isinstance(intent, str) else str(getattr(intent, "id", "")),
        status=str(stripe_refund.status),
        amount_minor=amount_minor_of(stripe_refund.amount, currency),
        currency=currency,
        refund_key=fields_of(stripe_refund).get("refund_key", ""),
    )
