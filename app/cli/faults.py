"""`payflow faults`: the faults of a running instance's external systems."""

from typing import Annotated

import typer

from app.cli.instance import AsJson, as_json, fail, out, run, running_instance
from app.cli.output import show_faults
from app.local import fault_switches


def show(*, as_json_too: AsJson = False) -> None:
    """Show the faults that are set now."""
    config = running_instance()
    found = {
        system: run(fault_switches.get(getattr(config, f"{system}_url")))
        for system in fault_switches.EXTERNAL_SYSTEMS
    }
    as_json(found) if as_json_too else show_faults(found, out)


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
        record = fault_switches.parse(",".join(f"{system}.{rate}" for rate in rates))[system]
    except fault_switches.FaultError as error:
        fail(str(error), 2)
    found = {system: run(fault_switches.put(getattr(config, f"{system}_url"), record))}
    as_json(found) if as_json_too else show_faults(found, out)
