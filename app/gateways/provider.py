"""The payment provider through the official Stripe SDK: a command in, one answer out.

A failure of the provider is an answer, `ChargeUnknown` or `RefundUnknown`.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import stripe

from app.config import Config, current
from app.gateways import provider_captures, provider_disputes, provider_refunds
from app.gateways.provider_account import (
    Account,
    Broken,
    Clock,
    Unclear,
    answer_of,
    code_of,
    is_current,
    read,
    reason_of,
)
from app.gateways.provider_waits import Waits
from app.wire.clock import now_ms
from workflows.payment.provider_capture_messages import CaptureCharge
from workflows.payment.provider_dispute_messages import DisputeCommand
from workflows.payment.provider_messages import (
    ChargeCard,
    ChargeDeclined,
    ChargeSucceeded,
    ChargeUnknown,
    ChargeVoided,
    InquireCharge,
    InquireRefund,
    RefundCharge,
    VoidCharge,
)
from workflows.payment.topics import ProviderAnswer, ProviderCommand
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.provider_currencies import AmountRefused, amount_minor_of, provider_amount

INTENTS_MAX = 10
"""Intents of one order that are searched: it has one."""

Answers = tuple[ProviderAnswer]
Command = ChargeCard | InquireCharge | VoidCharge


class ProviderGateway:
    """Calls the provider."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._account = Account(config, clock)
        self._waits = Waits(config)

    async def __call__(self, command: ProviderCommand) -> Answers:
        """Return the provider's one answer to `command`."""
        if isinstance(command, RefundCharge):
            return (await provider_refunds.refund(self._account, command),)
        if isinstance(command, InquireRefund):
            return (await provider_refunds.inquire(self._account, command),)
        if isinstance(command, CaptureCharge):
            return (await provider_captures.capture(self._account, command),)
        if isinstance(command, DisputeCommand):
            return (await provider_disputes.dispute(self._account, command),)
        try:
            return (await self._charge(command),)
        except Unclear as trouble:
            return (_unknown(command, trouble),)

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._account.close()

    async def _charge(self, command: Command) -> ProviderAnswer:
        """Answer a command about the charge. Raises Unclear."""
        try:
            intent = await self._find(command)
        except AmountRefused as refused:
            return _declined(command, str(refused))
        except stripe.InvalidRequestError as refused:
            # Refused before an intent existed: nothing was charged and nothing ever will be.
            return _declined(command, reason_of(refused))
        if intent is None:
            # Without an intent nothing was ever confirmed, and its key makes no other one.
            return _voided(command)
        if not is_current(intent):
            intent = await read(self._account.intents.retrieve_async(intent.id))
        answer = await self._outcome(command, intent)
        if answer is None and isinstance(command, VoidCharge):
            return await self._cancel(command, intent.id)
        answer = answer or self._waits.answer(command.transaction_id, _attempt(command), intent)
        return answer or await self._confirm(command, intent.id)

    async def _find(self, command: Command) -> stripe.PaymentIntent | None:
        """Return the one intent of this order; None when there is none and it can count as voided.

        Raises Unclear, and AmountRefused or stripe.InvalidRequestError when the provider takes no
        such intent.
        """
        # The key of an intent is of the amount first asked for, which a mismatch has corrected.
        if self._account.is_old(command) or _payment_id(command):
            intent = await self._existing(command)
            if intent is not None:
                return intent
        params: Any = {
            "amount": provider_amount(command.amount_minor, command.currency),
            "currency": command.currency.lower(),
            "payment_method": command.payment_method,
            "payment_method_types": ["card"],
            "metadata": self._account.metadata(command),
        }
        if command.capture == "manual":
            params["capture_method"] = "manual"
        key = self._account.key(command, "create")
        try:
            return await answer_of(self._account.intents.create_async(params, key))
        except Broken as broken:
            if not broken.replayed:
                raise
        # The answer kept under the key is a 500: it will never be another one. Look for the intent.
        intent = await self._search(command)
        if intent is not None:
            return intent
        if isinstance(command, VoidCharge):
            return None
        raise Unclear("the provider failed to create the intent")

    async def _existing(self, command: Command) -> stripe.PaymentIntent | None:
        """Return the intent that there is, by its id or else by its order. Raises Unclear."""
        known_id = _payment_id(command)
        if not known_id:
            return await self._search(command)
        return await read(self._account.intents.retrieve_async(known_id))

    async def _search(self, command: Command) -> stripe.PaymentIntent | None:
        """Return the intent of an order; of several, one that took or holds money. Raises Unclear.

        Stripe's search may miss what is younger than an hour: for that the key is still there.
        """
        params: stripe.params.PaymentIntentSearchParams = {
            "query": self._account.query(command),
            "limit": INTENTS_MAX,
        }
        page = await read(self._account.intents.search_async(params))
        # The search of an installation without a name finds those of the others too.
        ours = [each for each in page.data if self._account.owns(command, each)]
        return min(ours, key=_rank, default=None)

    async def _confirm(self, command: Command, intent_id: str) -> ProviderAnswer:
        params: stripe.params.PaymentIntentConfirmParams = {
            "return_url": self._waits.return_url(command.transaction_id)
        }

        def ask(key: stripe.RequestOptions) -> Awaitable[stripe.PaymentIntent]:
            return self._account.intents.confirm_async(intent_id, params, key)

        try:
            intent = await self._account.ask_once(command, "confirm", _attempt(command), ask)
        except stripe.CardError as declined:
            return _declined(command, reason_of(declined))
        except (stripe.InvalidRequestError, stripe.IdempotencyError) as refused:
            # It may have changed since it was created, or an earlier version has confirmed it with
            # other parameters: its current state is the answer.
            return await self._check_once(command, intent_id, refused)
        except Unclear as trouble:
            return _unknown(command, trouble, intent_id)
        return await self._state_or_unknown(command, intent)

    async def _cancel(self, command: Command, intent_id: str) -> ProviderAnswer:
        def ask(key: stripe.RequestOptions) -> Awaitable[stripe.PaymentIntent]:
            return self._account.intents.cancel_async(intent_id, {}, key)

        try:
            intent = await self._account.ask_once(command, "cancel", _attempt(command), ask)
        except stripe.InvalidRequestError as refused:
            return await self._check_once(command, intent_id, refused)
        except Unclear as trouble:
            return _unknown(command, trouble, intent_id)
        return await self._state_or_unknown(command, intent)

    async def _check_once(
        self,
        command: Command,
        intent_id: str,
        refused: stripe.InvalidRequestError | stripe.IdempotencyError,
    ) -> ProviderAnswer:
        intent = await read(self._account.intents.retrieve_async(intent_id))
        answer = await self._state(command, intent)
        return answer or _unknown(command, reason_of(refused), intent_id)

    async def _state_or_unknown(
        self, command: Command, intent: stripe.PaymentIntent
    ) -> ProviderAnswer:
        try:
            answer = await self._state(command, intent)
        except Unclear as trouble:
            return _unknown(command, trouble, intent.id)
        return answer or _unknown(command, f"it is {intent.status}", intent.id)

    async def _state(self, command: Command, intent: stripe.PaymentIntent) -> ProviderAnswer | None:
        """Return the outcome, or who has to act before there is one. Raises Unclear."""
        answer = await self._outcome(command, intent)
        return answer or self._waits.answer(command.transaction_id, _attempt(command), intent)

    async def _outcome(
        self, command: Command, intent: stripe.PaymentIntent
    ) -> ProviderAnswer | None:
        """Return the outcome of the intent, or None when there is none yet. Raises Unclear."""
        if intent.status == "canceled":
            is_hold = command.capture == "manual"
            return _voided(
                command,
                await provider_captures.let_go_minor(self._account, intent) if is_hold else 0,
            )
        if intent.status != "requires_capture":
            return _outcome(command, intent)
        if isinstance(command, VoidCharge):
            return None
        attempt = _attempt(command)
        return await provider_captures.held(self._account, intent, command.transaction_id, attempt)


def open_provider(config: Config, clock: Clock | None = None) -> ProviderGateway:
    """Return the function from a command to its answer, asking at `config.provider_url`."""
    return ProviderGateway(config, clock or now_ms)


async def ask_provider(command: ProviderCommand) -> Answers:
    """Return the answer of the provider that this process is configured for."""
    return await _configured()(command)


@cache
def _configured() -> Callable[[ProviderCommand], Awaitable[Answers]]:
    return open_provider(current())


def _outcome(command: Command, intent: stripe.PaymentIntent) -> ProviderAnswer | None:
    """Return the outcome of the intent's status, or None when there is none yet."""
    error, name = intent.last_payment_error, command.transaction_id
    if intent.status == "succeeded":
        currency = intent.currency.upper()
        return ChargeSucceeded(
            transaction_id=name,
            payment_id=intent.id,
            amount_minor=amount_minor_of(intent.amount_received, currency),
            currency=currency,
        )
    if intent.status == "requires_payment_method" and error is not None:
        return _declined(command, code_of(error) or "declined")
    return None


def _rank(intent: stripe.PaymentIntent) -> int:
    states = ("succeeded", "requires_capture")
    return states.index(intent.status) if intent.status in states else len(states)


def _declined(command: Command, reason: str) -> ChargeDeclined:
    return ChargeDeclined(
        transaction_id=command.transaction_id, attempt=_attempt(command), reason=reason
    )


def _voided(command: Command, held_minor: int = 0) -> ChargeVoided:
    return ChargeVoided(
        transaction_id=command.transaction_id, attempt=_attempt(command), held_minor=held_minor
    )


def _payment_id(command: Command) -> str:
    return "" if isinstance(command, ChargeCard) else command.payment_id


def _attempt(command: Command) -> int:
    return 0 if isinstance(command, ChargeCard) else command.attempt


def _unknown(command: Command, reason: object, payment_id: str = "") -> ChargeUnknown:
    return ChargeUnknown(
        transaction_id=command.transaction_id,
        attempt=_attempt(command),
        reason=str(reason)[:TEXT_CHARS_MAX],
        payment_id=payment_id,
    )
