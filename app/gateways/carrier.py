"""The carrier over its REST API: a command in, one answer out. An order is booked at most once."""

from collections.abc import Awaitable, Callable
from functools import cache
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from app.config import Config, current
from app.wire.http_answers import read_answer, session_of
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shipping.carrier_messages import (
    BookShipment,
    CarrierAnswer,
    CarrierCommand,
    InquireShipment,
    ShipmentBooked,
    ShipmentRefused,
    ShipmentTracked,
    ShipmentUnknown,
    ShipmentWithdrawn,
    WithdrawShipment,
)

OK, CREATED, BAD_REQUEST, NOT_FOUND, CONFLICT, UNPROCESSABLE = 200, 201, 400, 404, 409, 422
ANSWER_BYTES_MAX = 1 << 20

Answers = tuple[CarrierAnswer]


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """The needed fields of the carrier's answers, errors included."""

    shipment_id: str = ""
    tracking: str = ""
    status: str = ""
    reason: str = ""


class CarrierGateway:
    """Calls the carrier. The HTTP client opens with the first call, inside its event loop."""

    def __init__(self, config: Config) -> None:
        self._url = config.carrier_url.rstrip("/")
        self._timeout_seconds = config.carrier_timeout_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, command: CarrierCommand) -> Answers:
        """Return the carrier's one answer to `command`."""
        try:
            match command:
                case BookShipment():
                    return (await self._book(command),)
                case WithdrawShipment():
                    return (await self._withdraw(command),)
                case InquireShipment():
                    return (await self._inquire(command),)
        except TimeoutError:
            return (_unknown(command, "no answer in time"),)
        except (aiohttp.ClientError, OSError):
            return (_unknown(command, "no connection"),)
        except msgspec.DecodeError:
            return (_unknown(command, "an unreadable answer"),)

    async def close(self) -> None:
        """Close the HTTP client."""
        if self._session is not None:
            await self._session.close()

    async def _book(self, command: BookShipment) -> CarrierAnswer:
        body = {"country": command.country, "units": command.units}
        status, emitted = await self._ask("PUT", command.order_id, body=body)
        if status in {OK, CREATED}:
            return ShipmentBooked(
                order_id=command.order_id,
                shipment_id=emitted.shipment_id,
                tracking=emitted.tracking,
            )
        if status == CONFLICT:
            return ShipmentWithdrawn(order_id=command.order_id)
        if status in {UNPROCESSABLE, BAD_REQUEST}:
            return ShipmentRefused(order_id=command.order_id, reason=_why(emitted))
        return _unknown(command, f"status {status}")

    async def _withdraw(self, command: WithdrawShipment) -> CarrierAnswer:
        status, emitted = await self._ask("POST", command.order_id, "/withdraw")
        if status == OK:
            return ShipmentWithdrawn(order_id=command.order_id)
        if status == CONFLICT and emitted.status == "delivered":
            return ShipmentTracked(
                order_id=command.order_id, shipment_id=emitted.shipment_id, status="delivered"
            )
        return _unknown(command, f"status {status}")

    async def _inquire(self, command: InquireShipment) -> CarrierAnswer:
        status, emitted = await self._ask("GET", command.order_id)
        if status == NOT_FOUND:
            return _unknown(command, "not booked")
        if status == OK:
            match emitted.status:
                case "in_transit" | "delivered" as where:
                    return ShipmentTracked(
                        order_id=command.order_id, shipment_id=emitted.shipment_id, status=where
                    )
                case "withdrawn":
                    return ShipmentWithdrawn(order_id=command.order_id)
                case "refused":
                    return ShipmentRefused(order_id=command.order_id, reason=_why(emitted))
        return _unknown(command, f"status {status} {emitted.status}".strip())

    async def _ask(
        self, method: str, order_id: str, rest: str = "", body: object = None
    ) -> tuple[int, Shipment]:
        """Return the status and the body of the answer; the body of a 5xx is not read."""
        if self._session is None:
            self._session = session_of(self._timeout_seconds)
        url = URL(f"{self._url}/shipments/{quote(order_id, safe='')}{rest}", encoded=True)
        async with self._session.request(method, url, json=body) as answer:
            if answer.status >= 500:  # noqa: PLR2004  whatever a broken server says
                return answer.status, Shipment()
            content = await read_answer(answer, ANSWER_BYTES_MAX)
            return answer.status, msgspec.json.decode(content, type=Shipment)


def open_carrier(config: Config) -> CarrierGateway:
    """Return the function from a command to its answer, asking at `config.carrier_url`."""
    return CarrierGateway(config)


async def ask_carrier(command: CarrierCommand) -> Answers:
    """Return the answer of the carrier that this process is configured for."""
    return await _configured()(command)


@cache
def _configured() -> Callable[[CarrierCommand], Awaitable[Answers]]:
    return open_carrier(current())


def _unknown(command: CarrierCommand, reason: str) -> ShipmentUnknown:
    return ShipmentUnknown(
        order_id=command.order_id, attempt=command.attempt, reason=reason[:TEXT_CHARS_MAX]
    )


def _why(emitted: Shipment) -> str:
    return (emitted.reason or "refused by the carrier")[:TEXT_CHARS_MAX]
