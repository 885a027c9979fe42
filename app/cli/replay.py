"""`payflow replay`: make a service's rows again from topics, and see whether they are the same."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.cli.instance import as_json, err, fail, out, run, running_instance
from app.operations.replay.run import ReplayOptions, ReplayResult
from app.operations.replay.run import replay as make_again
from app.wire.json_output import json_bytes


def replay(  # noqa: PLR0913  each is an option
    service: Annotated[str, typer.Argument(help="Whose rows to make again.")],
    into: Annotated[Path, typer.Option(help="A folder of its own, for the rows made.")],
    *,
    since: Annotated[str, typer.Option("--from", help="An RFC 3339 time, or beginning.")] = "",
    until: Annotated[str, typer.Option("--to", help="An RFC 3339 time, or now.")] = "",
    table: Annotated[str, typer.Option(help="Only this table.")] = "",
    as_json_too: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Rebuild the rows of SERVICE from topics, without effects; compare with the live ones."""
    options = ReplayOptions(
        service=service,
        sandbox=into.expanduser().absolute(),
        from_ms=_moment(since, "beginning"),
        to_ms=_moment(until, "now"),
        table=table,
    )
    report: ReplayResult = run(make_again(running_instance(), options, err.print))
    as_json(report) if as_json_too else _show(report)
    if not report.same:
        fail("rows differ: the code of today comes to something else, or a row was changed")


def _show(report: ReplayResult) -> None:
    for compared in report.tables:
        out.print(
            f"{compared.table}: {compared.equal} rows equal, {compared.different} differ, "
            f"{compared.not_comparable} not comparable",
            markup=False,
        )
        for each in compared.differences:
            live, replayed_text = (json_bytes(side).decode() for side in (each.live, each.replayed))
            out.print(f"  {each.partition}/{each.key} {each.part}", markup=False)
            out.print(f"    live      {live[:400]}", markup=False)
            out.print(f"    replayed  {replayed_text[:400]}", markup=False)
    if report.left_out:
        out.print(f"not replayed, they ask outside: {', '.join(report.left_out)}", markup=False)
    out.print(
        f"{report.events} events received, {report.emitted} answers not produced", markup=False
    )


def _moment(text: str, default: str) -> int:
    if text in {"", default}:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is neither {default} nor an RFC 3339 time like 2026-01-31T09:30:00Z", 2)
    if moment.tzinfo is None:
        fail(f"{text!r} has no zone; add Z or +01:00", 2)
    return round(moment.timestamp() * 1_000)
