"""`payflow trial-balance`: every account of the ledger, by currency."""

from collections.abc import Mapping
from typing import cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.instance import AsJson, as_json, err, out, run, running_instance
from app.operations.verification import auditor
from app.operations.verification.verdict import Verdict
from app.registry import load_workflows
from workflows.shared.money import money

TrialBalance = Mapping[str, Mapping[str, int]]
"""Debits less credits in minor units, by currency and account."""


def trial_balance(*, as_json_too: AsJson = False) -> None:
    """Show the balance of every account of the ledger, by currency."""
    verdict: Verdict = run(auditor.verify(running_instance(), None if as_json_too else err.print))
    balance_by_workflow = trial_balances(verdict)
    if as_json_too:
        as_json(balance_by_workflow)
    else:
        for name, balance in balance_by_workflow.items():
            show(name, balance, out)
    if any(
        sum(accounts.values())
        for each in balance_by_workflow.values()
        for accounts in each.values()
    ):
        raise typer.Exit(1)


def trial_balances(verdict: Verdict) -> dict[str, TrialBalance]:
    """Return the trial balance of each workflow that keeps a ledger."""
    return {
        name: cast("TrialBalance", verdict.figures[each.invariants.trial_balance])
        for name, each in load_workflows().items()
        if each.invariants.trial_balance
    }


def show(name: str, balance: TrialBalance, console: Console) -> None:
    """Print the trial balance of the workflow `name` for people."""
    if not balance:
        console.print(f"{name}: nothing is posted yet")
    for currency, accounts in balance.items():
        table = Table("account", title=f"{name}, {currency}")
        for side in ("debit", "credit"):
            table.add_column(side, justify="right")
        for account, amount in accounts.items():
            sides = (money(abs(amount), currency), "")
            table.add_row(account, *(sides if amount >= 0 else reversed(sides)))
        off = sum(accounts.values())
        table.add_row(
            "adds up to", Text(money(off, currency), style="bold red" if off else "green"), ""
        )
        console.print(table)
