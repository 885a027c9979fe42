"""The payment provider through the official Stripe SDK: a command in, one answer out.

Keys are derived from the order and never change: `<order>:create`, `:confirm`, `:cancel`,
`:refund:<refund key>`. A failure of the provider is an answer, `ChargeUnknown` or `RefundUnknown`.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, TypeVar

import aiohttp
import stripe
import structlog

from app.config import Config, current
from app.wire.envelope import derive_id
from workflows.payment.provider_messages import (
    ChargeCard,
    ChargeDeclined,
    ChargeSucceeded,
    ChargeUnknown,
    ChargeVoided,
    InquireCharge,
    ProviderAnswer,
    ProviderCommand,
    RefundCharge,
    RefundSucceeded,
    RefundUnknown,
    VoidCharge,
)
from workflows.shared.errors import PayflowError
from workflows.shared.limits import TEXT_CHARS_MAX

REFUNDS_MAX, KEY_CHARS_MAX = 100, 255
"""Refunds of one order that are searched: as many as it has returns; and an idempotency key."""
SERVER_ERROR = 500
CLOSED = frozenset({"failed", "canceled"})
"""Refunds of these states moved no money."""

Answer = TypeVar("Answer")
Answers = tuple[ProviderAnswer]
Command = ChargeCard | InquireCharge | VoidCharge

log = structlog.get_logger(__name__)


class Unclear(PayflowError):
    """The outcome at the provider is unknown; the message says why."""


class ProviderGateway:
    """Calls the provider. The HTTP client opens with the first call, inside its event loop."""

    def __init__(self, config: Config) -> None:
        # The SDK must not send telemetry.
        stripe.enable_telemetry = False
        timeout = aiohttp.ClientTimeout(total=config.provider_timeout_seconds)
        self._client = stripe.AIOHTTPClient(timeout=timeout)
        self._stripe = stripe.StripeClient(
            config.provider_key,
            base_addresses={"api": config.provider_url},
            http_client=self._client,
            max_network_retries=0,
        )

    async def __call__(self, command: ProviderCommand) -> Answers:
        """Return the provider's one answer to `command`."""
        if isinstance(command, RefundCharge):
            return (await self._refund(command),)
        try:
            return (await self._charge(command),)
        except Unclear as trouble:
            return (_unknown(command, trouble),)

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._client.close_async()

    # --- charging -------------------------------------------------------------

    async def _charge(self, command: Command) -> ProviderAnswer:
        """Answer a command about the charge. Raises Unclear."""
        try:
            intent = await self._find(command)
        except stripe.InvalidRequestError as refused:
            # Refused before an intent existed: nothing was charged and nothing ever will be.
            return ChargeDeclined(transaction_id=command.transaction_id, reason=_reason(refused))
        if intent is None:
            # Without an intent nothing was ever confirmed, and its key makes no other one.
            return ChargeVoided(transaction_id=command.transaction_id)
        if not isinstance(command, ChargeCard):
            intent = await _read(self._stripe.v1.payment_intents.retrieve_async(intent.id))
        known = _outcome(command, intent)
        if known is not None:
            return known
        if isinstance(command, VoidCharge):
            return await self._cancel(command, intent.id)
        return await self._confirm(command, intent.id)

    async def _find(self, command: Command) -> stripe.PaymentIntent | None:
        """Return the one intent of this order; None when there is none and it can count as voided.

        Raises Unclear, and stripe.InvalidRequestError when the provider takes no such intent.
        """
        params: Any = {
            "amount": command.amount_minor,
            "currency": command.currency.lower(),
            "payment_method": command.payment_method,
            "payment_method_types": ["card"],
            "metadata": {"order_id": command.transaction_id},
        }
        key: stripe.RequestOptions = {"idempotency_key": f"{command.transaction_id}:create"}
        intents = self._stripe.v1.payment_intents
        try:
            return await _asked(intents.create_async(params, key))
        except _Broken as broken:
            if not broken.replayed:
                raise
        # The answer kept under the key is a 500: it will never be another one. Look for the intent.
        escaped = command.transaction_id.replace("\\", "\\\\").replace("'", "\\'")
        query = f"metadata['order_id']:'{escaped}'"
        found = await _read(intents.search_async({"query": query, "limit": 1}))
        if found.data:
            return found.data[0]
        if isinstance(command, VoidCharge):
            return None
        raise Unclear("the provider failed to create the intent")

    async def _confirm(self, command: Command, intent_id: str) -> ProviderAnswer:
        key: stripe.RequestOptions = {"idempotency_key": f"{command.transaction_id}:confirm"}
        try:
            intent = await _asked(self._stripe.v1.payment_intents.confirm_async(intent_id, {}, key))
        except stripe.CardError as declined:
            return ChargeDeclined(transaction_id=command.transaction_id, reason=_reason(declined))
        except stripe.InvalidRequestError as refused:
            # It may have changed since it was created: its current state is the answer.
            return await self._check_once(command, intent_id, refused)
        return _outcome(command, intent) or _unknown(command, f"it is {intent.status}")

    async def _cancel(self, command: Command, intent_id: str) -> ProviderAnswer:
        key: stripe.RequestOptions = {"idempotency_key": f"{command.transaction_id}:cancel"}
        try:
            intent = await _asked(self._stripe.v1.payment_intents.cancel_async(intent_id, {}, key))
        except stripe.InvalidRequestError as refused:
            return await self._check_once(command, intent_id, refused)
        return _outcome(command, intent) or _unknown(command, f"it is {intent.status}")

    async def _check_once(
        self, command: Command, intent_id: str, refused: stripe.InvalidRequestError
    ) -> ProviderAnswer:
        intent = await _read(self._stripe.v1.payment_intents.retrieve_async(intent_id))
        return _outcome(command, intent) or _unknown(command, _reason(refused))

    # --- refunds --------------------------------------------------------------

    async def _refund(self, command: RefundCharge) -> ProviderAnswer:
        params: stripe.params.RefundCreateParams = {
            "payment_intent": command.payment_id,
            "amount": command.amount_minor,
            "metadata": {"order_id": command.transaction_id, "refund_key": command.refund_key},
        }
        name = f"{command.transaction_id}:refund:{command.refund_key}"
        key: stripe.RequestOptions = {
            "idempotency_key": name if len(name) <= KEY_CHARS_MAX else derive_id(name)
        }
        try:
            refund = await _asked(self._stripe.v1.refunds.create_async(params, key))
        except (Unclear, stripe.InvalidRequestError) as trouble:
            return await self._refunded(command, trouble)
        return _refund_outcome(command, refund) or _refund_unknown(command, "it failed")

    async def _refunded(self, command: RefundCharge, trouble: Exception) -> ProviderAnswer:
        """Return the outcome by the list of refunds, after the error `trouble`."""
        ask = self._stripe.v1.refunds.list_async
        try:
            refunds = await _read(ask({"payment_intent": command.payment_id, "limit": REFUNDS_MAX}))
        except Unclear:
            return _refund_unknown(command, _reason(trouble))
        for refund in refunds.data:
            known = _refund_outcome(command, refund)
            if known is not None and _metadata(refund, "refund_key") == command.refund_key:
                return known
        return _refund_unknown(command, _reason(trouble))


class _Broken(Unclear):
    """A 5xx; `replayed` when it is the answer kept under the key, which will never change."""

    def __init__(self, reason: str, *, replayed: bool) -> None:
        super().__init__(reason)
        self.replayed = replayed


def open_provider(config: Config) -> ProviderGateway:
    """Return the function from a command to its answer, asking at `config.provider_url`."""
    return ProviderGateway(config)


async def ask_provider(command: ProviderCommand) -> Answers:
    """Return the answer of the provider that this process is configured for."""
    return await _configured()(command)


@cache
def _configured() -> Callable[[ProviderCommand], Awaitable[Answers]]:
    return open_provider(current())


async def _asked(asking: Awaitable[Answer]) -> Answer:
    """Return what the provider answers.

    Raises Unclear for all trouble of the network and the server; a business no (CardError), a
    refused request (InvalidRequestError) and a misused key (IdempotencyError) pass.
    """
    try:
        return await asking
    except (stripe.CardError, stripe.InvalidRequestError, stripe.IdempotencyError):
        raise
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        # Orders wait as of unknown outcome until somebody has set the right key.
        log.error("the provider refuses our key. Operator: check PAYFLOW_PROVIDER_KEY.")  # noqa: TRY400  no trace helps
        raise Unclear(type(error).__name__) from error
    except stripe.APIConnectionError as error:
        slow = isinstance(error.__cause__, TimeoutError)
        raise Unclear("no answer in time" if slow else "no connection") from error
    except stripe.StripeError as error:
        status, headers = error.http_status or 0, error.headers or {}
        reason = f"{status} {error.code or type(error).__name__}"
        if status >= SERVER_ERROR:
            raise _Broken(reason, replayed="Idempotent-Replayed" in headers) from error
        raise Unclear(reason) from error
    except (aiohttp.ClientError, OSError) as error:
        slow = isinstance(error, TimeoutError)
        raise Unclear("no answer in time" if slow else "the connection broke") from error


async def _read(reading: Awaitable[Answer]) -> Answer:
    """Return what the provider has. Raises Unclear, also where it has no such thing."""
    try:
        return await _asked(reading)
    except stripe.InvalidRequestError as error:
        raise Unclear(_reason(error)) from error


def _outcome(command: Command, intent: stripe.PaymentIntent) -> ProviderAnswer | None:
    """Return the outcome of the intent's status, or None when there is none yet."""
    error, name = intent.last_payment_error, command.transaction_id
    if intent.status == "succeeded":
        amount_minor = intent.amount_received
        return ChargeSucceeded(transaction_id=name, payment_id=intent.id, amount_minor=amount_minor)
    if intent.status == "canceled":
        return ChargeVoided(transaction_id=name)
    if intent.status == "requires_payment_method" and error is not None:
        return ChargeDeclined(transaction_id=name, reason=_code(error) or "declined")
    return None


def _refund_outcome(command: RefundCharge, refund: stripe.Refund) -> RefundSucceeded | None:
    if refund.status in CLOSED:
        return None
    return RefundSucceeded(
        transaction_id=command.transaction_id,
        refund_key=command.refund_key,
        refund_id=refund.id,
        amount_minor=refund.amount,
    )


def _unknown(command: Command, reason: object) -> ChargeUnknown:
    return ChargeUnknown(
        transaction_id=command.transaction_id,
        attempt=0 if isinstance(command, ChargeCard) else command.attempt,
        reason=str(reason)[:TEXT_CHARS_MAX],
    )


def _refund_unknown(command: RefundCharge, reason: str) -> RefundUnknown:
    return RefundUnknown(
        transaction_id=command.transaction_id,
        refund_key=command.refund_key,
        attempt=command.attempt,
        reason=reason[:TEXT_CHARS_MAX],
    )


def _metadata(refund: stripe.Refund, name: str) -> str:
    known = refund.metadata.to_dict() if refund.metadata else {}
    return str(known.get(name, ""))


def _reason(trouble: Exception) -> str:
    """Return the reason in the provider's short codes; its texts may contain personal data."""
    if not isinstance(trouble, stripe.StripeError):
        return str(trouble)[:TEXT_CHARS_MAX]
    return (_code(trouble.error) or type(trouble).__name__)[:TEXT_CHARS_MAX]


def _code(error: object) -> str:
    # The SDK's objects raise for missing fields.
    return str(getattr(error, "decline_code", None) or getattr(error, "code", None) or "")
