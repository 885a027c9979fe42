"""`payflow audit`: who did what, and whether it is still what was told."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from app.cli.fraud_rescore import moment
from app.cli.instance import EXIT_USAGE, as_json, fail, house, out, run
from app.fraud.analysis.fraud_admin import words_of
from app.operations.audit.chain import Head
from app.operations.audit.reader import Verdict
from app.operations.audit.reader import verify as prove
from app.wire import topics
from workflows.shared.message import type_name

group = typer.Typer(no_args_is_help=True, help="What operators did; whether somebody changed it.")

AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else.")]


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    partition: int
    head: Head


class _Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of an earlier `payflow audit verify --json`."""

    partitions: tuple[_Known, ...]


@group.command("ls")
def ls(
    since: Annotated[str, typer.Option(help="From this RFC 3339 time on.")] = "",
    *,
    as_json_too: AsJson = False,
) -> None:
    """List acts in the order of their time: who, why, on what."""
    from_ms = moment(since)
    told = run(words_of(house(), [topics.audit]))
    acts = [
        {
            "at_ms": head.time_ms,
            "act": type_name(type(word)),
            **{name: getattr(word, name, "") for name in ("about", "who", "why")},
            "id": head.id,
        }
        for head, word in sorted(told, key=lambda one: one[0].time_ms)
        if head.time_ms >= from_ms
    ]
    as_json(acts) if as_json_too else out.print(_table(acts))


def _table(acts: list[dict[str, Any]]) -> Table:
    table = Table("at", "act", "about", "who", "why")
    for act in acts:
        name = act["act"].removeprefix("payflow.audit.").rpartition(".")[0]
        # What people write is text: no markup of theirs is obeyed.
        said = (Text(str(act[part])) for part in ("about", "who", "why"))
        at = datetime.fromtimestamp(act["at_ms"] / 1_000, UTC)
        table.add_row(f"{at:%Y-%m-%dT%H:%M:%SZ}", name, *said)
    return table


@group.command("verify")
def verify(
    known: Annotated[
        Path | None, typer.Option(help="An earlier `verify --json`, kept elsewhere: holds it too?")
    ] = None,
    *,
    as_json_too: AsJson = False,
) -> None:
    """Check that no act was changed, removed or put in; exit code 1 and the place otherwise."""
    verdict = run(prove(house(), _heads(known)))
    as_json(verdict) if as_json_too else _show(verdict)
    if not verdict.audit_ok:
        raise typer.Exit(1)


def _heads(known: Path | None) -> dict[int, list[Head]]:
    if known is None:
        return {}
    try:
        earlier = msgspec.json.decode(known.read_bytes(), type=_Earlier)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        fail(f"{known}: {error}", EXIT_USAGE)
    return {each.partition: [each.head] for each in earlier.partitions if each.head.count}


def _show(verdict: Verdict) -> None:
    parts = len(verdict.partitions)
    out.print(
        f"{verdict.acts} acts on {parts} partitions, {verdict.checkpoints} checkpoints, "
        f"{verdict.unsealed} acts not sealed yet"
    )
    for breach in verdict.breaches:
        out.print(Text(f"BROKEN  {breach.place}: {breach.what}", style="red"))
    if verdict.audit_ok:
        out.print("every act is what was told, where it was told")
