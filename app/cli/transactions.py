"""`payflow order show`, and the same for every workflow: the status of one transaction."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from app.cli.instance import AsJson, as_json, ask, fail, out, run, running_instance
from app.entrypoints.requests import entrypoint_of
from app.registry import load_workflows
from workflows.shared.workflow import Workflow


def show(context: typer.Context, transaction_id: str, *, as_json_too: AsJson = False) -> None:
    """Show its status: each step, and its deadlines."""
    # The group is named for the workflow: `payflow order show`.
    assert context.parent is not None, "a command of a group has a parent"
    workflow = load_workflows()[str(context.parent.info_name)]
    entrypoint = entrypoint_of(workflow.name)
    if entrypoint is None:
        fail(f"{workflow.name} has no requests of its own; see: payflow trace {transaction_id}")
    found = run(ask(running_instance(), f"{entrypoint.path}/{quote(transaction_id, safe='')}"))
    if as_json_too:
        as_json(found)
    else:
        show_transaction(workflow, found, out)


def show_transaction(workflow: Workflow, facts: dict[str, Any], console: Console) -> None:
    """Print a transaction: its state, its steps with their times, what is due."""
    cause = f" ({facts['cause']})" if facts.get("cause") else ""
    named = f"{workflow.name} {facts[workflow.key]}"
    console.print(f"{named}: {facts['state']}{cause}", markup=False)
    table = Table("step", "status", "at", "due", box=None)
    for name, step in facts.get("steps", {}).items():
        at, due = _moment(step["at_ms"]), _moment(step["due_at_ms"])
        table.add_row(name, step["status"], at, due)
    console.print(table)
    for back in facts.get("returns", ()):
        console.print(f"return {back['return_id']}: {back['state']} {back['reason']}", markup=False)


def _moment(at_ms: int | None) -> str:
    if not at_ms:
        return "-"
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%H:%M:%S.%f")[:-3]
