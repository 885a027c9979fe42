"""`payflow audit`: the actions of operators, and whether every record is unchanged."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from app.cli.fraud_rescore import moment
from app.cli.instance import EXIT_USAGE, AsJson, as_json, fail, out, run, running_instance
from app.kafka.messages import messages_of
from app.operations.audit.chain import ChainHead
from app.operations.audit.reader import Verdict
from app.operations.audit.reader import verify as prove
from app.wire.personal import masked_text
from workflows.audit import topics as audit_topics
from workflows.shared.message import type_name


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    partition: int
    chain_head: ChainHead


class _Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """The needed part of an earlier `payflow audit verify --json`."""

    partitions: tuple[_Known, ...]


def ls(
    since: Annotated[str, typer.Option(help="From this RFC 3339 time on.")] = "",
    *,
    as_json_too: AsJson = False,
) -> None:
    """List actions in the order of their time: who, why, on what."""
    from_ms = moment(since)
    emitted = run(messages_of(running_instance(), [audit_topics.audit]))
    actions = [
        {
            "at_ms": chain_head.time_ms,
            "act": type_name(type(message)),
            **{name: masked_text(getattr(message, name, "")) for name in ("about", "who", "why")},
            "id": chain_head.id,
        }
        for chain_head, message in sorted(emitted, key=lambda one: one[0].time_ms)
        if chain_head.time_ms >= from_ms
    ]
    as_json(actions) if as_json_too else out.print(_table(actions))


def _table(actions: list[dict[str, Any]]) -> Table:
    table = Table("at", "act", "about", "who", "why")
    for action in actions:
        name = action["act"].removeprefix("payflow.audit.").rpartition(".")[0]
        # As Text, so that markup in what people write is not rendered.
        texts = (Text(str(action[part])) for part in ("about", "who", "why"))
        at = datetime.fromtimestamp(action["at_ms"] / 1_000, UTC)
        table.add_row(f"{at:%Y-%m-%dT%H:%M:%SZ}", name, *texts)
    return table


def verify(
    earlier_verdict: Annotated[
        Path | None,
        typer.Option("--known", help="An earlier `verify --json`, kept elsewhere: holds it too?"),
    ] = None,
    *,
    as_json_too: AsJson = False,
) -> None:
    """Check that no action was changed, removed or inserted; exit code 1 and place otherwise."""
    verdict = run(prove(running_instance(), _chain_heads(earlier_verdict)))
    as_json(verdict) if as_json_too else _show(verdict)
    if not verdict.audit_ok:
        raise typer.Exit(1)


def _chain_heads(file: Path | None) -> dict[int, list[ChainHead]]:
    if file is None:
        return {}
    try:
        earlier = msgspec.json.decode(file.read_bytes(), type=_Earlier)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        fail(f"{file}: {error}", EXIT_USAGE)
    return {
        each.partition: [each.chain_head] for each in earlier.partitions if each.chain_head.count
    }


def _show(verdict: Verdict) -> None:
    parts = len(verdict.partitions)
    out.print(
        f"{verdict.actions} actions on {parts} partitions, {verdict.checkpoints} checkpoints, "
        f"{verdict.unsealed} actions without a checkpoint yet"
    )
    for breach in verdict.breaches:
        out.print(Text(f"BROKEN  {breach.place}: {breach.what}", style="red"))
    if verdict.audit_ok:
        out.print("every action has its signature and its place in the chain")
