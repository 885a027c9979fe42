"""Reads and sets the faults of the external systems while they run."""

from collections.abc import Mapping

import aiohttp
import msgspec

from app.config import Config
from app.local.simulators.clock import PATH as CLOCK
from app.local.simulators.faults import PATH as FAULTS
from app.local.simulators.faults import CarrierFaults, ProviderFaults
from app.wire.signing import read_headers
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
    faults_by_system: dict[str, dict[str, float]] = {}
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
            fault_names = {
                f for shape in EXTERNAL_SYSTEMS.values() for f in shape.__struct_fields__
            }
            raise FaultError(f"{name!r} is not a fault; there are {', '.join(sorted(fault_names))}")
        try:
            faults_by_system.setdefault(system, {})[fault] = float(value)
        except ValueError as error:
            raise FaultError(f"{name} needs a number, not {value!r}") from error
    return faults_by_system


async def put(config: Config, system: str, faults: dict[str, float]) -> dict[str, object]:
    """Set `faults` of `system`; return all of its faults. Raises FaultError."""
    return await _ask("PUT", config, system, faults)


async def get(config: Config, system: str) -> dict[str, object]:
    """Return the faults of `system`. Raises FaultError."""
    return await _ask("GET", config, system, None)


async def clear(config: Config, system: str) -> dict[str, object]:
    """End all faults of `system`. Raises FaultError."""
    return await _ask("DELETE", config, system, None)


async def advance(config: Config, system: str, seconds: int) -> dict[str, object]:
    """Move the clock of `system` ahead; return it. Raises FaultError."""
    return await _ask("PUT", config, system, {"by_seconds": seconds}, CLOCK)


async def _ask(
    method: str,
    config: Config,
    system: str,
    body: Mapping[str, float] | None,
    path: str = FAULTS,
) -> dict[str, object]:
    timeout, url = aiohttp.ClientTimeout(total=5), str(getattr(config, f"{system}_url"))
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(
                method, f"{url}{path}", json=body, headers=read_headers(config, path)
            ) as answer,
        ):
            text = await answer.text()
            if not answer.ok:
                raise FaultError(f"{url} refuses: {text[:300]}")
            return msgspec.json.decode(text)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise FaultError(f"{url} does not answer: {error}") from error
