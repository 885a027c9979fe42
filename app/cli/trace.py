"""`payflow trace`: one transaction in the terminal, with the same facts as its page."""

from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from app.cli.instance import as_json, ask, fail, out, run, running_instance
from app.cli.topic_output import plain
from app.config import Config
from app.console.pages.drawing import CHART_WIDTH, DRAWN_MAX, LABEL_WIDTH, Line, waterfall
from app.console.pages.filters import moment, span
from app.registry import load_workflows
from app.wire.clock import now_ms
from app.wire.json_output import json_bytes
from workflows.shared.journal import JournalEntry
from workflows.shared.money import money
from workflows.shared.timeline import Bar, timeline

COLUMNS = 36
"""Characters of the waterfall."""
TABLE_COLUMNS_MIN = 120
"""A narrower terminal has room for the events alone, without the waterfall."""
DEPTH_MAX = 8
"""The most steps by which a name is indented."""
LEGEND = "░ waited in Kafka  █ worked on  ▒ waited and worked  ↩ compensation  ↻ retry  ✗ failure"
MARKS = {"step": "", "compensation": "↩ ", "retry": "↻ ", "failure": "✗ "}


def trace(
    any_id: Annotated[str, typer.Argument(help="Of the order, payment intent, shipment, ...")],
    *,
    at: Annotated[int, typer.Option(min=0, help="Rows as of the event of this number.")] = 0,
    rows: Annotated[bool, typer.Option("--rows", help="What each service remembers, too.")] = False,
    as_json_too: Annotated[bool, typer.Option("--json", help="JSON, and nothing else.")] = False,
) -> None:
    """Show one transaction: its status, next steps, waiting and working times, and causes."""
    transaction = run(_fetch(running_instance(), any_id, at))
    if as_json_too:
        as_json(transaction)
        return
    show(transaction)
    if rows or at:
        for name, state in transaction["rows"].items():
            body = state if isinstance(state, str) else json_bytes(state).decode()
            out.print(Text(f"{name}: {plain(body)}"), soft_wrap=True)


def show(transaction: dict[str, Any]) -> None:
    """Print a transaction as the API answers it: its status, what is next, its events."""
    _show_transaction(transaction)
    _show_events(transaction)


async def _fetch(config: Config, any_id: str, at: int) -> Any:
    listed = await ask(config, f"/transactions?{urlencode({'q': any_id})}")
    ids = listed["ids"]
    if not ids:
        fail(f"no transaction is known by {plain(any_id)!r}: {listed['said']}")
    if len(ids) > 1:
        fail(f"{len(ids)} transactions are known by it; trace one of {', '.join(map(plain, ids))}")
    return await ask(config, f"/transactions/{quote(ids[0], safe='')}?at={at}")


def _show_transaction(transaction: dict[str, Any]) -> None:
    workflow = next(each for each in load_workflows().values() if each.name in transaction)
    facts, at_ms = transaction[workflow.name], now_ms()
    out.print(Text(f"transaction {plain(transaction['correlation_id'])}", style="bold"))
    if facts is None:
        out.print(
            f"accepted: the {workflow.name} is on its topic, and services take it up within "
            "a moment"
        )
        return
    beginning, began = workflow.view.began
    text = f"{facts['status']}: {workflow.view.headline(facts)}, {beginning} "
    text += f"{moment(facts[began])} ({span(at_ms - facts[began])} ago)"
    if facts.get("cause"):
        cause = facts["cause"].replace("_", " ")
        text += f"; cancelled because of {cause} {facts.get('detail', '')}"
    out.print(Text(plain(text).rstrip()), soft_wrap=True)
    for each in facts["pending_steps"]:
        left_ms = each["until_ms"] - at_ms
        until = f"in {span(left_ms)}" if left_ms > 0 else f"overdue by {span(-left_ms)}"
        _bullet(
            f"waits for {each['what']}, since {span(at_ms - each['since_ms'])}, until "
            f"{moment(each['until_ms'])} ({until}); otherwise {each['then']}"
            + (f"; link: {each['url']}" if each.get("url") else "")
        )
    for each in facts.get("returns", ()):
        why = each["reason"] or each["computation"]
        _bullet(
            f"return {each['return_id']} is {each['state']}: "
            f"{money(each['amount_minor'], facts['amounts']['currency'])}"
            f"{f' ({why})' if why else ''}"
        )
    for each in transaction["retried_calls"]:
        why = f" ({each['reason']})" if each["reason"] else ""
        again = f"; asked again {moment(each['next_ms'])}" if each["next_ms"] else ""
        vain = f"{each['tries']} times in vain{why}{again}"
        _bullet(f"retrying: {each['who']} is asked {each['what']}, {vain}")
    if facts["status"] in workflow.ends and not facts["pending_steps"]:
        _bullet("nothing more happens: it has ended")


def _bullet(text: str) -> None:
    out.print(Text(f"- {plain(text)}"), soft_wrap=True)


def _show_events(transaction: dict[str, Any]) -> None:
    bars = timeline([msgspec.convert(event, JournalEntry) for event in transaction["events"]])
    if not bars:
        out.print("the journal has no events yet")
        return
    table = Table("", "event", "by", "cause", "after", "waited", "worked", box=None)
    wide = out.width >= TABLE_COLUMNS_MIN
    if wide:
        table.add_column()
    lines = waterfall(bars[:DRAWN_MAX]).lines
    for number, bar in enumerate(bars, start=1):
        name = (
            ("  " if wide else " ") * min(bar.depth, DEPTH_MAX) + MARKS[bar.kind] + plain(bar.name)
        )
        name += f" ↻ try {bar.attempt + 1}" if bar.attempt else ""
        cause = "not kept" if bar.orphan else "-"
        picture = _picture(bar, lines[number - 1]) if number <= len(lines) else Text()
        table.add_row(
            str(number),
            Text(name, overflow="fold"),
            Text(plain(bar.service)),
            cause if bar.cause is None else str(bar.cause + 1),
            f"{bar.entry.time_ms - bars[0].entry.time_ms} ms",
            f"{bar.waited_ms} ms" if bar.split else "-",
            _worked(bar),
            *([picture] if wide else []),
        )
    out.print(table)
    if wide:
        out.print(LEGEND)
    if transaction["partial"]:
        out.print("some partitions of the journal do not answer now: events may be missing")


def _worked(bar: Bar) -> str:
    if bar.cause is None:
        return "-"
    return f"{bar.worked_ms} ms" + ("" if bar.split else " in all")


def _picture(bar: Bar, line: Line) -> Text:
    """Return the bar in characters, at least one."""
    scale = COLUMNS / CHART_WIDTH
    begin = min(round((line.waits_x - LABEL_WIDTH) * scale), COLUMNS - 1)
    waits = round(line.waits_width * scale) if bar.split else 0
    works = max(round(line.works_width * scale), 1)
    filled = "█" if bar.split or bar.cause is None else "▒"
    return Text(" " * begin + "░" * waits + filled * works)
