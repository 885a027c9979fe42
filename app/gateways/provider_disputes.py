"""Disputes at the payment provider: looked up, answered with evidence, given up.

An answer is what the provider has now. The dispute is fetched before anything is sent, so that a
command which is repeated, or comes too late, changes nothing.
"""

from typing import cast, get_args

import msgspec
import stripe

from app.config import Config
from app.gateways.provider_account import Account, Unclear, answer_of, fields_of, read, reason_of
from app.wire.clock import now_ms
from workflows.payment.dispute_stages import kind_of
from workflows.payment.provider_dispute_messages import (
    CloseDispute,
    DisputeCommand,
    DisputeRefused,
    DisputeReported,
    DisputeUnknown,
    InquireDispute,
    Status,
    SubmitDisputeEvidence,
)
from workflows.payment.topics import ProviderAnswer
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.provider_currencies import amount_minor_of

DISPUTES_MAX = 10
"""Disputes of one charge that are listed: it has one, and at most a few."""
NEEDS_RESPONSE = ("warning_needs_response", "needs_response")
MISSING = 404


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What a dispute has moved on our balance, in the provider's units."""

    withdrawn: int = 0
    fee: int = 0
    reinstated: int = 0
    fee_returned: int = 0


async def dispute(account: Account, command: DisputeCommand) -> ProviderAnswer:
    """Return the dispute as it is after `command`."""
    try:
        stripe_dispute = await _retrieved(account, command)
        if stripe_dispute is None:
            return _refused(command, "the provider has no such dispute of ours", is_absent=True)
        if not isinstance(command, InquireDispute) and _waits_for(command, stripe_dispute):
            stripe_dispute = await _answered(account, command, stripe_dispute)
        return _report(command, stripe_dispute)
    except Unclear as trouble:
        return _unknown(command, trouble)
    except stripe.StripeError as refused:
        return _refused(command, reason_of(refused))


def _waits_for(
    command: SubmitDisputeEvidence | CloseDispute, stripe_dispute: stripe.Dispute
) -> bool:
    """Return whether a dispute waits for this answer: that to an inquiry is for no chargeback."""
    is_meant = command.stage in ("", kind_of(cast("Status", stripe_dispute.status)))
    return stripe_dispute.status in NEEDS_RESPONSE and is_meant


async def metadata_of_intent(config: Config, payment_id: str) -> dict[str, str]:
    """Return the metadata of an intent; empty when the provider has none. Raises Unclear."""
    if not payment_id:
        return {}
    account = Account(config, now_ms)
    try:
        intent = await answer_of(account.intents.retrieve_async(payment_id))
    except stripe.InvalidRequestError as error:
        if error.http_status != MISSING:
            raise Unclear(reason_of(error)) from error
        return {}
    finally:
        await account.close()
    return fields_of(intent)


async def find(account: Account, payment_id: str) -> str:
    """Return the id of the newest dispute of a payment; empty when it has none. Raises Unclear."""
    params: stripe.params.DisputeListParams = {
        "payment_intent": payment_id,
        "limit": DISPUTES_MAX,
    }
    page = await read(account.disputes.list_async(params))
    return page.data[0].id if page.data else ""


async def _retrieved(account: Account, command: DisputeCommand) -> stripe.Dispute | None:
    """Return the dispute; None when it is not of this payment. Raises Unclear."""
    try:
        stripe_dispute = await answer_of(account.disputes.retrieve_async(command.dispute_id))
    except stripe.InvalidRequestError as error:
        if error.http_status != MISSING:
            raise Unclear(reason_of(error)) from error
        return None
    # Who holds the secret of webhooks can name any dispute.
    return stripe_dispute if _id_of(stripe_dispute.payment_intent) == command.payment_id else None


async def _answered(
    account: Account, command: DisputeCommand, stripe_dispute: stripe.Dispute
) -> stripe.Dispute:
    """Return the dispute after it was answered. Raises Unclear, and StripeError when refused."""
    verb = "close" if isinstance(command, CloseDispute) else "evidence"
    # A kept answer of the first time may be a 500, which never changes: every try has its key.
    key = account.key(command, "dispute", stripe_dispute.id, verb, str(command.attempt))
    if isinstance(command, CloseDispute):
        return await answer_of(account.disputes.close_async(stripe_dispute.id, {}, key))
    params: stripe.params.DisputeUpdateParams = {
        "evidence": {"uncategorized_text": getattr(command, "evidence_text", "")},
        "submit": True,
    }
    return await answer_of(account.disputes.update_async(stripe_dispute.id, params, key))


def _report(command: DisputeCommand, stripe_dispute: stripe.Dispute) -> ProviderAnswer:
    currency = stripe_dispute.currency.upper()
    # Visa's compliance may end a dispute before it begins: it has moved no money.
    status = "warning_closed" if stripe_dispute.status == "prevented" else stripe_dispute.status
    if status not in get_args(Status):
        return _unknown(command, Unclear(f"it is {status}"))
    moved = moved_by(stripe_dispute)
    return DisputeReported(
        transaction_id=command.transaction_id,
        dispute_id=stripe_dispute.id,
        attempt=command.attempt,
        status=cast("Status", status),
        reason=stripe_dispute.reason[:TEXT_CHARS_MAX],
        amount_minor=amount_minor_of(stripe_dispute.amount, currency),
        currency=currency,
        withdrawn_minor=amount_minor_of(moved.withdrawn, currency),
        fee_minor=amount_minor_of(moved.fee, currency),
        reinstated_minor=amount_minor_of(moved.reinstated, currency),
        fee_returned_minor=amount_minor_of(moved.fee_returned, currency),
        due_by_ms=(stripe_dispute.evidence_details.due_by or 0) * 1_000,
        is_charge_refundable=stripe_dispute.is_charge_refundable,
    )


def moved_by(stripe_dispute: stripe.Dispute) -> Moved:
    """Return what the balance says of a dispute: taken, and returned.

    What is settled in another currency than was charged has no place in the books of the order.
    """
    sums = dict.fromkeys(Moved.__struct_fields__, 0)
    for each in stripe_dispute.balance_transactions:
        if each.currency != stripe_dispute.currency:
            continue
        sums["withdrawn" if each.amount < 0 else "reinstated"] += abs(each.amount)
        sums["fee" if each.fee > 0 else "fee_returned"] += abs(each.fee)
    return Moved(**sums)


def _id_of(intent: object) -> str:
    return intent if isinstance(intent, str) else str(getattr(intent, "id", ""))


def _refused(command: DisputeCommand, reason: str, *, is_absent: bool = False) -> DisputeRefused:
    return DisputeRefused(
        transaction_id=command.transaction_id,
        dispute_id=command.dispute_id,
        attempt=command.attempt,
        is_absent=is_absent,
        reason=reason,
    )


def _unknown(command: DisputeCommand, trouble: Exception) -> DisputeUnknown:
    return DisputeUnknown(
        transaction_id=command.transaction_id,
        dispute_id=command.dispute_id,
        attempt=command.attempt,
        reason=reason_of(trouble),
    )
