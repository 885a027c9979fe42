"""Faults of an external system, as rates that can be changed while it runs.

Whether one request meets a fault follows from `seed`, its idempotency key and how often it was
tried: the same requests meet the same faults. Keys follow from ids, and ids from the secrets of an
instance, so another instance meets others. PUT changes the fields it names, DELETE ends all faults.
"""

import hashlib
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
from aiohttp import web

from app.host.parameters import body_of, of_wrong_shape
from app.local.simulators.server import json_answer
from workflows.shared.errors import ErrorKind, PayflowError

PATH = "/_faults"
Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=300)]
Trouble = Literal[
    "", "rate_limited", "error_before", "error_after", "timeout_before", "timeout_after", "slow"
]


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults of both systems, as rates from 0 to 1; drawn in this order, the first counts."""

    seed: int = 0
    rate_limited: Rate = 0.0
    """429 without any effect."""
    error_before: Rate = 0.0
    """500 without any effect; asking again runs."""
    error_after: Rate = 0.0
    """The effect happens, 500 is the answer."""
    timeout: Rate = 0.0
    """No answer in time: half of them without the effect, half after it."""
    timeout_seconds: Seconds = 30.0
    """How long an answer is held back at most; a client that leaves ends it."""
    slow: Rate = 0.0
    slow_seconds: Seconds = 0.5
    webhook_late: Rate = 0.0
    webhook_late_seconds: Seconds = 5.0
    webhook_doubled: Rate = 0.0
    webhook_lost: Rate = 0.0
    webhook_shuffled: Rate = 0.0
    """A webhook waits for a while of its own, so that later ones come before it."""
    webhook_shuffled_seconds: Seconds = 2.0


class ProviderFaults(Faults, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults of the payment provider."""

    decline: Rate = 0.0
    """A card is declined that would have been charged."""
    short: Rate = 0.0
    """One minor unit less is charged, or held, than was asked for."""
    capture_declined: Rate = 0.0
    """A card is declined when what it holds is taken; the hold stays."""
    hold_expired: Rate = 0.0
    """The bank has voided what was held before it is taken."""
    refund_pending: Rate = 0.0
    """A refund is pending first, and succeeds later."""
    refund_fail: Rate = 0.0
    """A refund succeeds first, and fails later; the next round of it succeeds."""
    refund_short: Rate = 0.0
    """One minor unit less is refunded than was asked for."""
    refund_seconds: Seconds = 2.0
    """How much later."""
    payout_fail: Rate = 0.0
    """A payout does not arrive; its money comes back, and goes out with the next one."""
    payout_return: Rate = 0.0
    """The same two days after it was paid."""
    processing_seconds: Seconds = 10.0
    """How long a payment is `processing` by a card that takes time."""
    dispute_seconds: Seconds = 5.0
    """How long a customer takes to complain, and a bank to decide on evidence that decides."""


class CarrierFaults(Faults, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults of the carrier, and how long a shipment travels."""

    refuse: Rate = 0.0
    """A shipment is refused: for one order always, or never."""
    deliver_seconds: Seconds = 1.0


AnyFaults = TypeVar("AnyFaults", bound=Faults)


class BadFaults(PayflowError, ValueError):
    """These faults cannot be set; `param` names the field, `body` when it is not a JSON object."""

    kind: ClassVar[ErrorKind] = "invalid"

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


def strikes(faults: Faults, name: str, key: str, attempt: int = 0) -> bool:
    """Return whether the fault `name` meets this attempt at `key`: always the same for the same."""
    rate: float = getattr(faults, name)
    return rate > 0 and _draw(faults.seed, name, key, attempt) < rate


def share(faults: Faults, name: str, key: str) -> float:
    """Return a share from 0 to 1, always the same for the same `key`."""
    return _draw(faults.seed, name, key, 0)


def pick(faults: Faults, key: str, attempt: int) -> Trouble:
    """Return the one fault that this attempt at `key` meets, or an empty string."""
    if strikes(faults, "rate_limited", key, attempt):
        return "rate_limited"
    if strikes(faults, "error_before", key, attempt):
        return "error_before"
    if strikes(faults, "error_after", key, attempt):
        return "error_after"
    if strikes(faults, "timeout", key, attempt):
        early = _draw(faults.seed, "timeout side", key, attempt) < 0.5  # noqa: PLR2004  half of them
        return "timeout_before" if early else "timeout_after"
    return "slow" if strikes(faults, "slow", key, attempt) else ""


def changed(faults: AnyFaults, body: bytes) -> AnyFaults:
    """Return `faults` with the fields in `body` (a JSON object) set. Raises BadFaults."""
    shape = type(faults)
    try:
        fields = msgspec.json.decode(body)
        if not isinstance(fields, dict):
            raise BadFaults("a JSON object of fault names and rates is expected", "body")
        return msgspec.convert({**msgspec.to_builtins(faults), **fields}, shape)
    except msgspec.ValidationError as error:
        raise BadFaults(str(error), of_wrong_shape(error).field) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFaults(f"the body is not JSON: {error}", "body") from error


class Switchboard:
    """The faults in force, and the routes by which they are read and set."""

    def __init__(self, faults: Any) -> None:
        self.faults = faults
        self._none = type(faults)()

    def routes(self) -> list[web.RouteDef]:
        """Return GET, PUT and DELETE of `/_faults`."""
        return [
            web.get(PATH, self._show),
            web.put(PATH, self._set),
            web.delete(PATH, self._clear),
        ]

    async def _show(self, _request: web.Request) -> web.Response:
        return json_answer(self.faults)

    async def _set(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        try:
            self.faults = changed(self.faults, body)
        except BadFaults as error:
            problem = {"message": str(error), "param": error.param}
            return json_answer({"error": problem}, status=400)
        return await self._show(request)

    async def _clear(self, request: web.Request) -> web.Response:
        self.faults = self._none
        return await self._show(request)


def _draw(seed: int, name: str, key: str, attempt: int) -> float:
    text = f"{seed}\x1f{name}\x1f{key}\x1f{attempt}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8]) / 2**64
