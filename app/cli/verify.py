"""`payflow verify`: compares events, rows and the records of the external systems."""

import typer

from app.cli.instance import AsJson, as_json, err, out, run, running_instance
from app.operations.verification import auditor


def verify(*, as_json_too: AsJson = False) -> None:
    """Check that every order has one end and that money, ledger and stock agree."""
    verdict = run(auditor.verify(running_instance(), None if as_json_too else err.print))
    if as_json_too:
        as_json(verdict.plain())
    else:
        auditor.show(verdict, out)
    if not verdict.verify_ok:
        raise typer.Exit(1)
