"""`payflow faults`: the faults of a running instance's external systems."""

import re
from typing import Annotated

import typer

from app.cli.instance import AsJson, as_json, fail, out, run, running_instance
from app.cli.output import show_faults
from app.local import fault_switches

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def show(*, as_json_too: AsJson = False) -> None:
    """Show the faults that are set now."""
    config = running_instance()
    faults_by_system = {
        system: run(fault_switches.get(config, system))
        for system in fault_switches.EXTERNAL_SYSTEMS
    }
    as_json(faults_by_system) if as_json_too else show_faults(faults_by_system, out)


def clock(
    by: Annotated[str, typer.Argument(help="Such as +25h; s, m, h and d.", show_default=False)],
    *,
    as_json_too: AsJson = False,
) -> None:
    """Move the clocks of the external systems ahead, such as +25h; Payflow's own stay."""
    match = re.fullmatch(r"\+?(\d{1,5})([smhd])", by)
    if match is None:
        fail(f"{by!r} is not a time to move ahead by; say one such as +25h, +90s or +8d", 2)
    seconds = int(match.group(1)) * UNIT_SECONDS[match.group(2)]
    config = running_instance()
    faults_by_system = {
        system: run(fault_switches.advance(config, system, seconds))
        for system in fault_switches.EXTERNAL_SYSTEMS
    }
    as_json(faults_by_system) if as_json_too else show_faults(faults_by_system, out)


def set_faults(
    system: str,
    rates: Annotated[list[str], typer.Argument(help="Such as decline=0.2 timeout=0.1")],
    *,
    as_json_too: AsJson = False,
) -> None:
    """Set faults of SYSTEM (provider or carrier): rates from 0 to 1."""
    if system not in fault_switches.EXTERNAL_SYSTEMS:
        fail(f"no such system: {system}; there are {', '.join(fault_switches.EXTERNAL_SYSTEMS)}", 2)
    config = running_instance()
    try:
        faults = fault_switches.parse(",".join(f"{system}.{rate}" for rate in rates))[system]
    except fault_switches.FaultError as error:
        fail(str(error), 2)
    faults_by_system = {system: run(fault_switches.put(config, system, faults))}
    as_json(faults_by_system) if as_json_too else show_faults(faults_by_system, out)
