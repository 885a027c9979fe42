"""`payflow fraud rescore-all`: every verdict emitted so far, scored again."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.table import Table
from rich.text import Text

from app.cli.instance import as_json, fail, out, run, running_instance
from app.config import Config
from app.fraud.analysis.queries import READS
from app.fraud.analysis.rescoring import Changes, Other, Rescoring, newest, rescored
from app.fraud.live.judge import at_hand
from app.kafka.messages import messages_of
from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.fraud.model import Model, ModelError, read_model
from workflows.fraud.verdict import ModelBand


def rescore_all(
    *,
    since: Annotated[str, typer.Option("--from", help="Emitted since, RFC 3339; empty: all.")] = "",
    file: Annotated[
        Path | None, typer.Option("--model", help="Another model: what it would have said.")
    ] = None,
    as_json_too: Annotated[bool, typer.Option("--json", help="JSON, and nothing else.")] = False,
) -> None:
    """Score all verdicts again by the models they name: the same bits, or exit code 1."""
    from_ms = moment(since)
    config = running_instance()
    try:
        other = read_model(file.read_bytes()) if file else None
        models = at_hand(config)
        if other is not None:
            models.setdefault(other.version, other)
    except (OSError, ModelError) as error:
        fail(str(error))
    rescoring: Rescoring = run(_rescored(config, models, other, from_ms))
    if as_json_too:
        as_json(rescoring)
    else:
        _show(rescoring)
    if rescoring.different:
        fail(f"{rescoring.different} scores are not what the same model says now")


async def _rescored(
    config: Config, models: dict[str, Model], other: Model | None, from_ms: int
) -> Rescoring:
    emitted = await messages_of(config, READS["trial"])
    # A repeated event has the same id, and counts once.
    verdicts = {
        envelope.id: message
        for envelope, message in emitted
        if isinstance(message, FraudDetected | FraudCleared) and envelope.time_ms >= from_ms
    }
    return rescored(verdicts.values(), models, newest(emitted), other)


def _show(rescoring: Rescoring) -> None:
    out.print(
        f"{rescoring.verdicts} verdicts: {rescoring.same} the same to the last bit, "
        f"{rescoring.different} different, {rescoring.by_rules} by rules alone, "
        f"{sum(rescoring.not_at_hand.values())} by a model that is not at hand"
    )
    for version, count in rescoring.not_at_hand.items():
        out.print(f"  {count} by {version}", markup=False)
    if rescoring.differences:
        table = Table("transaction", "model", "emitted", "now", title="different")
        for each in rescoring.differences:
            scores = (repr(each.emitted), repr(each.again))
            table.add_row(Text(each.order_id), Text(each.model_version), *scores)
        out.print(table)
    if rescoring.other:
        _show_other(rescoring.other)


def _show_other(other: Other) -> None:
    for title, changes in (
        ("all payments", other.every),
        ("known as fraud", other.frauds),
        ("known to be none", other.legit),
    ):
        if changes:
            out.print(f"{title}: said then, and by {other.version}", markup=False)
            out.print(_matrix(changes))


def _matrix(changes: Changes) -> Table:
    bands = get_args(ModelBand)
    columns = [now for now in bands if any(now in row for row in changes.values())]
    table = Table("then", *columns)
    for then in bands:
        if row := changes.get(then):
            table.add_row(then, *(str(row.get(now, 0)) for now in columns))
    return table


def moment(text: str) -> int:
    """Return the time that `text` says, in ms; 0 for none. Ends with usage when not a time."""
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1_000) if text else 0
    except ValueError:
        fail(f"{text[:80]!r} is not an RFC 3339 time like 2026-01-31T09:30:00Z", 2)
