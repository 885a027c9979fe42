"""`payflow chaos`: inject faults into an instance of its own, and verify that nothing was lost."""

import asyncio
from pathlib import Path
from typing import Annotated

import stamina
import typer
from msgspec.structs import replace

from app.chaos.drill import DrillOptions, run_drill
from app.chaos.instance import DrillError
from app.chaos.plan import FAULTS, UnknownFault, plan
from app.chaos.report import markdown
from app.chaos.size import FULL
from app.cli.instance import as_json, configuration, end, err, fail, out, run, unless_stopped
from app.config import Config
from app.local.instance_folder import emptied
from app.registry import services
from app.wire.json_output import json_page

Seed = Annotated[int, typer.Option(help="The same seed, the same faults at the same workers.")]
Only = Annotated[str, typer.Option(help=f"One of: {', '.join(sorted(FAULTS))}.")]
RateOf = Annotated[
    float, typer.Option(min=0, help="Orders per second; 0: what this machine holds.")
]


def chaos(  # noqa: PLR0913  each is an option
    seed: Seed = 1,
    only: Only = "",
    rate: RateOf = 0.0,
    hostile_seconds: Annotated[
        float, typer.Option(min=1, help="How long the hostile producer writes.")
    ] = FULL.hostile_seconds,
    report: Annotated[Path | None, typer.Option(help="Where to write the report (JSON).")] = None,
    *,
    as_json_too: Annotated[bool, typer.Option("--json", help="The report on stdout.")] = False,
) -> None:
    """Place orders in a separate instance while faults are injected into every part of it."""
    try:
        plan(seed, services(), only)
    except UnknownFault as error:
        end(error)
    # Retries of the load are normal while faults are in force, so they are not logged.
    stamina.instrumentation.set_on_retry_hooks(())
    size = replace(FULL, hostile_seconds=hostile_seconds)
    options = DrillOptions(seed=seed, rate=rate, only=only, size=size)
    ended, drill_report = run(unless_stopped(_chaos(configuration(), options)))
    if not ended or drill_report is None:
        fail("stopped before its end; there is no report")
    body = json_page(drill_report)
    if report is not None:
        report.write_bytes(body + b"\n")
        report.with_suffix(".md").write_text(markdown(drill_report))
        err.print(f"report: {report} and {report.with_suffix('.md')}")
    if as_json_too:
        as_json(drill_report)
    else:
        out.print(markdown(drill_report), markup=False, soft_wrap=True)
    if drill_report["breaches"] or not drill_report["verify_ok"] or drill_report["unsettled"]:
        fail("Payflow did not hold; the report names what broke")


async def _chaos(config: Config, options: DrillOptions) -> dict[str, object]:
    own = await asyncio.to_thread(_fresh, config)
    try:
        return await run_drill(own, options, err.print)
    except DrillError as error:
        fail(f"the drill could not be carried out: {error}")


def _fresh(config: Config) -> Config:
    """Return `config` with an empty folder for the drill."""
    if config.broker_url:
        raise DrillError("a drill kills its own broker. Operator: unset PAYFLOW_BROKER_URL")
    own = replace(config, data_dir=str(config.data_path / "chaos"), broker_port=0)
    emptied(own.data_path, err.print)
    return own
