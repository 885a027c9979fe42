"""`payflow reconcile`: the provider's file, the payments table and the ledger, line by line."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from app.cli.instance import as_json, err, fail, out, run, running_instance
from app.cli.reconcile_holds import show_holds
from app.cli.reconcile_settlement import show_settlement
from app.config import Config
from app.operations.reconciliation.compare import Movement, Reconciliation, reconcile
from app.operations.reconciliation.holds import compare_holds
from app.operations.reconciliation.reader import Books, read_books
from app.operations.reconciliation.settlement import compare
from app.operations.verification.auditor import CANNOT_READ
from app.wire.clock import now_ms
from app.wire.json_output import json_page
from workflows.shared.money import money

EXIT_DIFFERS = 1
EXIT_UNKNOWN = 2
"""The exit code when the books could not be read: nothing was compared."""
EXIT_SENT_BACK = 3
"""The exit code when all books agree, and a payout that failed waits for somebody."""
SHOWN_MAX = 50
"""Offending lines shown to people; JSON and the report have all of them."""

Day = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Only what happened on this day, in UTC."),
]


def reconcile_books(
    day: Day = None,
    report: Annotated[Path | None, typer.Option(help="Where to write it all (JSON).")] = None,
    *,
    as_json_too: Annotated[bool, typer.Option("--json", help="JSON on stdout alone.")] = False,
) -> None:
    """Compare the provider's charges, refunds, fees and payouts with payments and the ledger."""
    config = _app()
    at_ms = now_ms()
    books: Books = run(_read(config))
    reconciliation = reconcile(
        books.lines,
        at_ms,
        *_bounds(day),
        motion_ms=books.motion_ms,
        unreadable=books.unreadable,
    )
    settlement = compare(books.settlement, books.posted, at_ms)
    day_ms = _bounds(day)[1] if day else None
    holds = compare_holds(books.holds, at_ms, motion_ms=books.motion_ms["charge"], day_ms=day_ms)
    output = {
        **msgspec.to_builtins(reconciliation),
        "holds": msgspec.to_builtins(holds),
        "settlement": msgspec.to_builtins(settlement),
        "read": books.read,
    }
    if report is not None:
        _write(report, json_page(output) + b"\n")
    if as_json_too:
        as_json(output)
    else:
        show(reconciliation, books.read, out)
        show_holds(holds, out)
        show_settlement(settlement, out)
    agrees = reconciliation.reconciled and holds.reconciled and settlement.reconciled
    if code := _exit_code(agrees=agrees, sent_back=settlement.sent_back):
        raise typer.Exit(code)


def _exit_code(*, agrees: bool, sent_back: int) -> int:
    """Return the exit code: a difference comes before a payout that was sent back."""
    if not agrees:
        return EXIT_DIFFERS
    return EXIT_SENT_BACK if sent_back else 0


def show(reconciliation: Reconciliation, read: dict[str, str], console: Console) -> None:
    """Print `reconciliation` for people."""
    for one in reconciliation.offending[:SHOWN_MAX]:
        console.print(_line(one), soft_wrap=True)
    if len(reconciliation.offending) > SHOWN_MAX:
        console.print(f"... and {len(reconciliation.offending) - SHOWN_MAX} more; see --report")
    for place in reconciliation.unreadable[:SHOWN_MAX]:
        console.print(Text(f"unreadable: {place}. Operator: who writes there?"), soft_wrap=True)
    if len(reconciliation.unreadable) > SHOWN_MAX:
        console.print(
            f"... and {len(reconciliation.unreadable) - SHOWN_MAX} unreadable; see --report"
        )
    for currency, books in reconciliation.totals.items():
        moved = ", ".join(
            f"{book} {money(sums.charged_minor, currency)} - {money(sums.refunded_minor, currency)}"
            for book, sums in books.items()
        )
        line = Text(f"{currency}: {moved} (charged - refunded)")
        console.print(line, soft_wrap=True)
    for name, text in read.items():
        console.print(Text(f"{name}: {text}"), soft_wrap=True)
    day = f" on {reconciliation.day}" if reconciliation.day else ""
    console.print(
        f"{reconciliation.compared} compared{day}: {reconciliation.matched} matched, "
        f"{reconciliation.in_motion} in motion, "
        f"{len(reconciliation.offending)} differ, {len(reconciliation.unreadable)} unreadable"
    )


def _line(one: Movement) -> Text:
    """Return one difference as a line that can be read, and searched, at any width."""
    # Of several currencies no sum has one; the check says that they differ.
    currency = one.currencies[0] if len(one.currencies) == 1 else ""
    amounts = {
        "provider": one.provider_minor,
        "payments": one.payments_minor,
        "ledger": one.ledger_minor,
    }
    amounts_text = ", ".join(
        f"{book} {'-' if sum_minor is None else money(sum_minor, currency)}"
        for book, sum_minor in amounts.items()
    )
    what = f"{one.kind} {one.key}".strip()
    differs = ", ".join(name.replace("_", " ") for name in one.differences)
    # Ids come from outside: as Text, so that markup in them is not rendered.
    return Text(f"{one.order_id}  {what}: {differs}  ({amounts_text}; {' '.join(one.currencies)})")


def _app() -> Config:
    try:
        return running_instance()
    except typer.Exit:
        # The error is shown already; without an instance, its books cannot be compared.
        raise typer.Exit(EXIT_UNKNOWN) from None


async def _read(config: Config) -> Books:
    try:
        return await read_books(config)
    except CANNOT_READ as error:
        fail(f"cannot reconcile: {error}", EXIT_UNKNOWN)


def _bounds(day: datetime | None) -> tuple[str, int]:
    """Return `day` as it is written and its first moment in ms, UTC; nothing for no day."""
    if day is None:
        return "", 0
    first = day.replace(tzinfo=UTC)
    return first.date().isoformat(), round(first.timestamp() * 1_000)


def _write(report: Path, body: bytes) -> None:
    try:
        report.write_bytes(body)
    except OSError as error:
        fail(f"the report cannot be written: {error}", EXIT_UNKNOWN)
    err.print(f"report: {report}", markup=False)
