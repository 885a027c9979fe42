"""`payflow order ls|show`, and the same of every workflow: the latest, and the status of one."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.instance import AsJson, as_json, ask, fail, out, run, running_instance
from app.cli.topic_output import plain
from app.config import Config
from app.console.pages.filters import span
from app.entrypoints.requests import entrypoint_of
from app.registry import load_workflows
from app.wire.clock import now_ms
from workflows.shared.workflow import Workflow

STATUS_CHARS = 12
Facts = dict[str, Any]
"""What the API answers."""


def ls(
    context: typer.Context,
    status: Annotated[
        str, typer.Option(help="Such as stuck; a wrong one is answered with all there are.")
    ] = "",
    after: Annotated[str, typer.Option(help="What the list before this one ended with.")] = "",
    *,
    as_json_too: AsJson = False,
) -> None:
    """List the latest, or those of one status: what each is about, what it waits for."""
    page = run(fetch_page(running_instance(), _workflow_of(context), status, after))
    if as_json_too:
        as_json(page)
    else:
        show_listed(page["transactions"], page["next"], out)


async def fetch_page(config: Config, workflow: Workflow, status: str, after: str) -> Facts:
    """Return a page of `transactions` of one workflow, and the `after` of the next one, or None.

    Raises ApiError.
    """
    while True:
        query = {"older": after or "0"}
        if status:
            query = {"status": status, "after": f"{workflow.name}|{after}"}
        answer = await ask(config, f"/transactions?{urlencode(query)}")
        following = answer["next"]
        if status and following:
            # The API goes on with the next workflow that knows the status.
            name, _, key = following.partition("|")
            following = key if name == workflow.name else None
        own = [each for each in answer["orders"] if each["workflow"] == workflow.name]
        if own or following is None:
            return {"transactions": own, "next": following}
        after = following


def show_listed(lines: Sequence[Facts], following: str | None, console: Console) -> None:
    """Print a line a transaction, so that `grep` can choose among them."""
    at_ms = now_ms()
    for each in lines:
        text = f"{each['id']}  {each['status']:<{STATUS_CHARS}}{each['headline']}, "
        text += f"{each['began']} {span(at_ms - each['began_ms'])} ago"
        if each.get("cause"):
            text += f"; {each['cause'].replace('_', ' ')}"
        if each["pending_steps"]:
            step = each["pending_steps"]
            text += f"; waits for {step['what']} since {span(at_ms - step['since_ms'])}"
        console.print(Text(plain(text)), soft_wrap=True)
    if not lines:
        console.print("none")
    if following is not None:
        console.print(Text(plain(f"... more: --after {following}")), soft_wrap=True)


def show(
    context: typer.Context,
    transaction_id: Annotated[str, typer.Argument(help="Its id, as `ls` lists it.")],
    *,
    as_json_too: AsJson = False,
) -> None:
    """Show its status: each step, and its deadlines."""
    workflow = _workflow_of(context)
    entrypoint = entrypoint_of(workflow.name)
    if entrypoint is None:
        fail(f"{workflow.name} has no requests of its own; see: payflow trace {transaction_id}")
    transaction = run(
        ask(running_instance(), f"{entrypoint.path}/{quote(transaction_id, safe='')}")
    )
    if as_json_too:
        as_json(transaction)
    else:
        show_transaction(workflow, transaction, out)


def show_transaction(workflow: Workflow, facts: Facts, console: Console) -> None:
    """Print a transaction: its state, its steps with their times, what is due."""
    cause = f" ({facts['cause']})" if facts.get("cause") else ""
    title = f"{workflow.name} {facts[workflow.key]}"
    console.print(f"{title}: {facts['state']}{cause}", markup=False)
    if steps := facts.get("steps"):
        table = Table("step", "status", "at", "due", box=None)
        for name, step in steps.items():
            at, due = _moment(step["at_ms"]), _moment(step["due_at_ms"])
            table.add_row(name, step["status"], at, due)
        console.print(table)
    if partial := facts.get("partial"):
        console.print(partial["text"], markup=False)
    for back in facts.get("returns", ()):
        console.print(f"return {back['return_id']}: {back['state']} {back['reason']}", markup=False)


def _workflow_of(context: typer.Context) -> Workflow:
    # The group is named for the workflow: `payflow order show`.
    assert context.parent is not None, "a command of a group has a parent"
    return load_workflows()[str(context.parent.info_name)]


def _moment(at_ms: int | None) -> str:
    if not at_ms:
        return "-"
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%H:%M:%S.%f")[:-3]
