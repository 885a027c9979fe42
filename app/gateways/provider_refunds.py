"""Refunds at the payment provider: asked for once a round, found again, and their state."""

from typing import Literal

import stripe

from app.gateways import provider_disputes
from app.gateways.provider_account import (
    Account,
    Unclear,
    answer_of,
    code_of,
    fields_of,
    is_current,
    read,
    reason_of,
)
from workflows.payment.provider_messages import (
    InquireRefund,
    RefundCharge,
    RefundFailed,
    RefundPending,
    RefundRefused,
    RefundSucceeded,
    RefundUnknown,
)
from workflows.payment.topics import ProviderAnswer
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.provider_currencies import AmountRefused, amount_minor_of, provider_amount

REFUNDS_MAX = 100
"""Refunds of one order that are searched: as many as it has returns."""
FAILED = frozenset({"failed", "canceled"})
"""Refunds of these states moved no money, or it came back."""
DISPUTED = "charge_disputed"
NEVER = frozenset({"charge_already_refunded", "amount_too_large", DISPUTED})
"""Refusals that asking again does not change: an operator has to act."""

OF_ANOTHER = "the payment is of another order"
OTHER_CURRENCY = "the payment is in another currency"

Command = RefundCharge | InquireRefund
Trouble = Unclear | stripe.InvalidRequestError | stripe.IdempotencyError


async def refund(account: Account, command: RefundCharge) -> ProviderAnswer:
    """Return the state of the one refund of this key and round, which is asked for when new."""
    try:
        amount = provider_amount(command.amount_minor, command.currency)
    except AmountRefused as refused:
        return _refused(command, str(refused))
    try:
        answer = await _before_asking(account, command)
    except Unclear as trouble:
        return _unknown(command, trouble)
    return answer or await _ask(account, command, amount)


async def _before_asking(account: Account, command: RefundCharge) -> ProviderAnswer | None:
    """Return the answer where nothing is to be asked. Raises Unclear.

    The provider refunds any payment of the account, in that payment's own currency: that of
    another order, or pence where another currency was meant.
    """
    intent = await read(account.intents.retrieve_async(command.payment_id))
    if not account.owns(command, intent):
        return _refused(command, OF_ANOTHER)
    if intent.currency.upper() != command.currency:
        return _refused(command, OTHER_CURRENCY)
    if account.may_be_there(command, command.refund_key):
        return await _listed(account, command)
    return None


async def _ask(account: Account, command: RefundCharge, amount: int) -> ProviderAnswer:
    params: stripe.params.RefundCreateParams = {
        "payment_intent": command.payment_id,
        "amount": amount,
        "metadata": {
            **account.metadata(command),
            "refund_key": command.refund_key,
            **({"round": str(command.round)} if command.round else {}),
        },
    }
    again = (str(command.round),) if command.round else ()
    # A refusal is kept under its key, although the dispute may be over: it is asked under another.
    again += ("refused", str(command.refusals)) if command.refusals else ()
    key = account.key(command, "refund", command.refund_key, *again)
    try:
        stripe_refund = await answer_of(account.refunds.create_async(params, key))
        if not is_current(stripe_refund):
            stripe_refund = await read(account.refunds.retrieve_async(stripe_refund.id))
        return _state(command, stripe_refund)
    except (Unclear, stripe.InvalidRequestError, stripe.IdempotencyError) as trouble:
        return await _after_trouble(account, command, trouble)


async def inquire(account: Account, command: InquireRefund) -> ProviderAnswer:
    """Return the state of a refund that the provider has taken on."""
    try:
        return _state(command, await read(account.refunds.retrieve_async(command.refund_id)))
    except Unclear as trouble:
        return _unknown(command, trouble)


async def _after_trouble(
    account: Account, command: RefundCharge, trouble: Trouble
) -> ProviderAnswer:
    code = code_of(trouble.error) if isinstance(trouble, stripe.InvalidRequestError) else ""
    try:
        answer = await _listed(account, command)
        if answer is None and code == DISPUTED:
            dispute_id = await provider_disputes.find(account, command.payment_id)
            return _refused(command, code, dispute_id)
    except Unclear:
        return _unknown(command, trouble)
    if answer is not None:
        return answer
    if isinstance(trouble, stripe.IdempotencyError):
        # The key is of another refund, now and whenever it is asked again.
        return _refused(command, reason_of(trouble))
    return _refused(command, code) if code in NEVER else _unknown(command, trouble)


async def _listed(account: Account, command: RefundCharge) -> ProviderAnswer | None:
    """Return the state of the refund by the list of all of its charge. Raises Unclear."""
    params: stripe.params.RefundListParams = {
        "payment_intent": command.payment_id,
        "limit": REFUNDS_MAX,
    }
    page = await read(account.refunds.list_async(params))
    for each in page.data:
        fields = fields_of(each)
        numbered = fields.get("refund_key", ""), fields.get("round") or "0"
        if numbered == (command.refund_key, str(command.round)):
            return _state(command, each)
    return None


def _state(command: Command, stripe_refund: stripe.Refund) -> ProviderAnswer:
    about = {
        "transaction_id": command.transaction_id,
        "refund_key": command.refund_key,
        "refund_id": stripe_refund.id,
        "round": command.round,
    }
    if stripe_refund.status == "succeeded":
        amount_minor = amount_minor_of(stripe_refund.amount, stripe_refund.currency.upper())
        return RefundSucceeded(**about, attempt=command.attempt, amount_minor=amount_minor)
    if stripe_refund.status in FAILED:
        reason = getattr(stripe_refund, "failure_reason", None) or stripe_refund.status
        return RefundFailed(**about, reason=str(reason)[:TEXT_CHARS_MAX])
    status: Literal["pending", "requires_action"] = (
        "requires_action" if stripe_refund.status == "requires_action" else "pending"
    )
    return RefundPending(**about, attempt=command.attempt, status=status)


def _refused(command: RefundCharge, reason: str, dispute_id: str = "") -> RefundRefused:
    return RefundRefused(
        transaction_id=command.transaction_id,
        refund_key=command.refund_key,
        round=command.round,
        reason=reason,
        dispute_id=dispute_id,
    )


def _unknown(command: Command, trouble: Exception) -> RefundUnknown:
    return RefundUnknown(
        transaction_id=command.transaction_id,
        refund_key=command.refund_key,
        attempt=command.attempt,
        round=command.round,
        reason=reason_of(trouble),
    )
