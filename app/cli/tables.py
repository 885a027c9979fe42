"""`payflow tables`: rows of every service, and the workers that hold them."""

from collections.abc import Iterable, Mapping
from typing import Annotated
from urllib.parse import quote, urlencode

import typer

from app.cli.instance import AsJson, as_json, ask, out, run, running_instance
from app.wire.json_output import json_bytes


def ls(*, as_json_too: AsJson = False) -> None:
    """List all tables and the workers that hold their partitions."""
    tables = run(ask(running_instance(), "/tables"))["tables"]
    if as_json_too:
        as_json(tables)
        return
    for table in tables:
        held = ", ".join(f"{each['partitions']} by {each['pid']}" for each in table["held_by"])
        out.print(f"{table['name']:<14}{table['service']:<14}{held or 'nobody'}", markup=False)


def show(  # noqa: PLR0913  each is an option
    name: Annotated[str, typer.Argument(help="Of a table, as `ls` lists it.")],
    key: Annotated[str, typer.Argument(help="Of one row; without it, a page of rows.")] = "",
    prefix: Annotated[str, typer.Option(help="Rows whose keys begin so.")] = "",
    after: Annotated[str, typer.Option(help="The key with which the page before ended.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Rows of a page.")] = 20,
    *,
    as_json_too: AsJson = False,
) -> None:
    """Show one row of table NAME, or a page of them."""
    path = f"/tables/{quote(name, safe='')}"
    if key:
        path += f"/{quote(key, safe='')}"
    else:
        path += f"?{urlencode({'limit': limit, 'prefix': prefix, 'after': after})}"
    answer = run(ask(running_instance(), path))
    if as_json_too or key:
        as_json(answer)
        return
    show_page(answer["rows"], answer["next"])


def show_page(rows: Iterable[Mapping[str, object]], following: str | None) -> None:
    """Print a page of rows, each on a line."""
    for row in rows:
        state = json_bytes(row["state"]).decode()
        out.print(f"{row['key']}  {state[:200]}", markup=False)
    if following:
        out.print(f"... more: --after {following}", markup=False)
