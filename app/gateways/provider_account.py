"""One account at the payment provider: its client, our keys and metadata, and errors as outcomes.

Keys are derived from the installation and the order and never change. The provider forgets them
after a day: whatever is older is searched before anything is created (ADR 20).
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar, TypeVar, cast

import aiohttp
import stripe
import structlog

from app.config import Config
from app.wire.envelope import derive_id
from workflows.payment.topics import ProviderCommand
from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.provider_metadata import INSTALLATION, metadata_of, owner_of

KEY_MS = 23 * 3_600_000
"""How long a key is trusted. Stripe may remove it after 24 h; clocks differ."""
KEY_CHARS_MAX = 255
SEPARATOR = ":"
"""Between the parts of a key."""
SERVER_ERROR = 500
REPLAYED = "Idempotent-Replayed"
"""The header of an answer of the first time, as it was then."""

Answer = TypeVar("Answer")
Clock = Callable[[], int]
"""Milliseconds since 1970."""

log = structlog.get_logger(__name__)


class Unclear(PayflowError):
    """The outcome at the provider is unknown; the message says why."""

    kind: ClassVar[ErrorKind] = "unavailable"


class Broken(Unclear):
    """A 5xx; `replayed` when it is the answer kept under the key, which will never change."""

    def __init__(self, reason: str, *, replayed: bool) -> None:
        super().__init__(reason)
        self.replayed = replayed


class Account:
    """The account that this instance uses. The HTTP client opens with the first call."""

    def __init__(self, config: Config, clock: Clock) -> None:
        # The SDK must not send telemetry.
        stripe.enable_telemetry = False
        timeout = aiohttp.ClientTimeout(total=config.provider_timeout_seconds)
        self._client = stripe.AIOHTTPClient(timeout=timeout)
        self._installation = config.installation
        self._clock = clock
        client = stripe.StripeClient(
            config.provider_key,
            base_addresses={"api": config.provider_url},
            http_client=self._client,
            max_network_retries=0,
        )
        self.intents, self.refunds = client.v1.payment_intents, client.v1.refunds
        self.events, self.disputes = client.v1.events, client.v1.disputes
        self.balance_transactions = client.v1.balance_transactions
        self.payouts = client.v1.payouts

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._client.close_async()

    def is_old(self, command: ProviderCommand) -> bool:
        """Return whether the provider may have forgotten the keys of `command`."""
        return self._clock() - command.asked_at_ms >= KEY_MS

    def may_be_there(self, command: ProviderCommand, *parts: str) -> bool:
        """Return whether what is asked for may be there although its key is new to the provider.

        Parts with a separator had other keys in earlier versions.
        """
        return self.is_old(command) or _has_separator(parts)

    def key(self, command: ProviderCommand, *parts: str) -> stripe.RequestOptions:
        """Return the idempotency key of one thing that is asked for an order.

        Whoever chooses ids may choose our separator: such parts are never joined by it, or return
        `R:1` would have the key of round 1 of return `R`. The id of a transaction keeps its key:
        its charge may be under way over an upgrade, and a search finds it only after a while.
        """
        owner = (self._installation,) if self._installation else ()
        all_parts = (*owner, command.transaction_id, *parts)
        if _has_separator(parts):
            return {"idempotency_key": derive_id("provider key", *all_parts)}
        name = SEPARATOR.join(all_parts)
        return {"idempotency_key": name if len(name) <= KEY_CHARS_MAX else derive_id(name)}

    async def ask_once(
        self,
        command: ProviderCommand,
        verb: str,
        attempt: int,
        ask: Callable[[stripe.RequestOptions], Awaitable[Answer]],
    ) -> Answer:
        """Return the answer to what the provider does once, whichever key. Raises as `answer_of`.

        A 500 that is kept under the key never changes: it is asked under another one then.
        """
        try:
            return await answer_of(ask(self.key(command, verb)))
        except Broken as broken:
            if not broken.replayed:
                raise
        return await answer_of(ask(self.key(command, verb, str(attempt))))

    def metadata(self, command: ProviderCommand) -> dict[str, str]:
        """Return what says at the provider whose an intent or a refund is."""
        return metadata_of(command.transaction_id, self._installation)

    def owns(self, command: ProviderCommand, intent: stripe.PaymentIntent) -> bool:
        """Return whether `intent` is of the order of `command`, and of this installation."""
        return owner_of(fields_of(intent), self._installation) == command.transaction_id

    def query(self, command: ProviderCommand) -> str:
        """Return the search for the intents of an order."""
        metadata = self.metadata(command)
        if not command.asked_at_ms:
            # It may have been created before intents had the name of an installation.
            metadata.pop(INSTALLATION, None)
        return " AND ".join(
            f"metadata['{name}']:'{_quoted(text)}'" for name, text in metadata.items()
        )


async def answer_of(asking: Awaitable[Answer]) -> Answer:
    """Return what the provider answers.

    Raises Unclear for all trouble of the network and the server; a business no (CardError), a
    refused request (InvalidRequestError) and a misused key (IdempotencyError) pass.
    """
    try:
        return await asking
    except (stripe.CardError, stripe.InvalidRequestError, stripe.IdempotencyError):
        raise
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        # Orders wait as of unknown outcome until an operator sets the right key.
        log.error("provider key refused. Operator: check PAYFLOW_PROVIDER_KEY.")  # noqa: TRY400  no trace helps
        raise Unclear(type(error).__name__) from error
    except stripe.APIConnectionError as error:
        slow = isinstance(error.__cause__, TimeoutError)
        raise Unclear("no answer in time" if slow else "no connection") from error
    except stripe.StripeError as error:
        status, headers = error.http_status or 0, error.headers or {}
        reason = f"{status} {error.code or type(error).__name__}"
        if status >= SERVER_ERROR:
            raise Broken(reason, replayed=REPLAYED in headers) from error
        raise Unclear(reason) from error
    except (aiohttp.ClientError, OSError) as error:
        slow = isinstance(error, TimeoutError)
        raise Unclear("no answer in time" if slow else "the connection broke") from error


async def read(reading: Awaitable[Answer]) -> Answer:
    """Return what the provider has. Raises Unclear, also where it has no such thing."""
    try:
        return await answer_of(reading)
    except stripe.InvalidRequestError as error:
        raise Unclear(reason_of(error)) from error


def is_current(stripe_object: stripe.PaymentIntent | stripe.Refund) -> bool:
    """Return whether it is as it is now: not the answer kept under a key, nor of a search."""
    answer = stripe_object.last_response
    return answer is not None and REPLAYED not in answer.headers


def reason_of(trouble: Exception) -> str:
    """Return the reason in the provider's short codes; its texts may contain personal data."""
    if not isinstance(trouble, stripe.StripeError):
        return str(trouble)[:TEXT_CHARS_MAX]
    return (code_of(trouble.error) or type(trouble).__name__)[:TEXT_CHARS_MAX]


def code_of(error: object) -> str:
    """Return the code of an error of the SDK, whose objects raise for missing fields."""
    return str(getattr(error, "decline_code", None) or getattr(error, "code", None) or "")


def fields_of(stripe_object: object) -> dict[str, str]:
    """Return the metadata of an object of the SDK, which raises for missing fields."""
    metadata = getattr(stripe_object, "metadata", None)
    return cast("dict[str, str]", metadata.to_dict()) if metadata else {}


def _has_separator(parts: tuple[str, ...]) -> bool:
    return any(SEPARATOR in part for part in parts)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
