"""Reads and sets the faults of the external systems while they run."""

from collections.abc import Mapping

import aiohttp
import msgspec

from app.local.simulators.clock import PATH as CLOCK
from app.local.simulators.faults import CarrierFaults, ProviderFaults
from workflows.shared.errors import PayflowError

EXTERNAL_SYSTEMS: dict[str, type[msgspec.Struct]] = {
    "provider": ProviderFaults,
    "carrier": CarrierFaults,
}


class FaultError(PayflowError):
    """A fault is unknown or has no usable value, or the external system does not answer."""


def parse(text: str) -> dict[str, dict[str, float]]:
    """Return the faults of each external system in `decline=0.2,carrier.timeout=0.1`.

    A name without a system belongs to the first that has it. Raises FaultError.
    """
    found: dict[str, dict[str, float]] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, value = part.partition("=")
        system, _, fault = name.rpartition(".")
        if not system:
            knowing = (
                p for p, shape in EXTERNAL_SYSTEMS.items() if fault in shape.__struct_fields__
            )
            system = next(knowing, "")
        if (
            system not in EXTERNAL_SYSTEMS
            or fault not in EXTERNAL_SYSTEMS[system].__struct_fields__
        ):
            known = {f for shape in EXTERNAL_SYSTEMS.values() for f in shape.__struct_fields__}
            raise FaultError(f"{name!r} is no fault; there are {', '.join(sorted(known))}")
        try:
            found.setdefault(system, {})[fault] = float(value)
        except ValueError as error:
            raise FaultError(f"{name} needs a number, not {value!r}") from error
    return found


async def put(url: str, faults: dict[str, float]) -> dict[str, object]:
    """Set `faults` of the system at `url`; return all of its faults. Raises FaultError."""
    return await _ask("PUT", url, faults)


async def get(url: str) -> dict[str, object]:
    """Return the faults of the system at `url`. Raises FaultError."""
    return await _ask("GET", url, None)


async def clear(url: str) -> dict[str, object]:
    """End all faults of the system at `url`. Raises FaultError."""
    return await _ask("DELETE", url, None)


async def advance(url: str, seconds: int) -> dict[str, object]:
    """Move the clock of the system at `url` ahead; return it. Raises FaultError."""
    return await _ask("PUT", url, {"by_seconds": seconds}, CLOCK)


async def _ask(
    method: str, url: str, body: Mapping[str, float] | None, path: str = "/_faults"
) -> dict[str, object]:
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, f"{url}{path}", json=body) as answer,
        ):
            text = await answer.text()
            if not answer.ok:
                raise FaultError(f"{url} refuses: {text[:300]}")
            return msgspec.json.decode(text)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise FaultError(f"{url} does not answer: {error}") from error
