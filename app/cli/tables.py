"""`payflow tables`: rows of every service, and the workers that hold them."""

from typing import Annotated

import typer

from app.cli.instance import AsJson, as_json, ask, out, run, running_instance
from app.wire.json_output import json_bytes


def ls(*, as_json_too: AsJson = False) -> None:
    """List all tables and the workers that hold their partitions."""
    found = run(ask(running_instance(), "/tables"))["tables"]
    if as_json_too:
        as_json(found)
        return
    for table in found:
        held = ", ".join(f"{each['partitions']} by {each['pid']}" for each in table["held_by"])
        out.print(f"{table['name']:<14}{table['service']:<14}{held or 'nobody'}", markup=False)


def show(
    name: str,
    key: Annotated[str, typer.Argument()] = "",
    prefix: Annotated[str, typer.Option()] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 20,
    *,
    as_json_too: AsJson = False,
) -> None:
    """Show one row of table NAME, or a page of them."""
    path = f"/tables/{name}/{key}" if key else f"/tables/{name}?limit={limit}&prefix={prefix}"
    found = run(ask(running_instance(), path))
    if as_json_too or key:
        as_json(found)
        return
    for row in found["rows"]:
        state = json_bytes(row["state"]).decode()
        out.print(f"{row['key']}  {state[:200]}", markup=False)
    if found["next"]:
        out.print(f"... more after {found['next']}", markup=False)
