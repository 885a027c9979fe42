"""`payflow fraud trial`: what is on trial, beside what is in force."""

from typing import Annotated, get_args

import typer
from rich.table import Table
from rich.text import Text

from app.cli.fraud_rescore import moment
from app.cli.instance import as_json, end, out, run, running_instance
from app.config import Config
from app.fraud.analysis.queries import READS
from app.fraud.analysis.trial import Found, ModelTrial, RuleTrial, Trial, tried
from app.fraud.live.judge import at_hand
from app.kafka.messages import messages_of
from workflows.fraud.model import Model, ModelError
from workflows.fraud.verdict import ModelBand


def trial(
    *,
    since: Annotated[str, typer.Option("--from", help="Emitted since, RFC 3339; empty: all.")] = "",
    as_json_too: Annotated[bool, typer.Option("--json", help="JSON, and nothing else.")] = False,
) -> None:
    """Show what models and rules on trial would have done, beside those in force."""
    from_ms = moment(since)
    config = running_instance()
    try:
        models = at_hand(config)
    except ModelError as error:
        end(error)
    found: Trial = run(_tried(config, models, from_ms))
    if as_json_too:
        as_json(found)
    else:
        _show(found)


async def _tried(config: Config, models: dict[str, Model], from_ms: int) -> Trial:
    return tried(await messages_of(config, READS["trial"]), models, from_ms)


def _show(found: Trial) -> None:
    out.print(f"{found.payments} payments judged, {found.known_frauds} known as fraud")
    if not (found.models or found.rules):
        out.print("no model and no rule was on trial")
    for each in found.models:
        _show_model(each)
    if found.rules:
        out.print(_rules(found.rules))


def _show_model(found: ModelTrial) -> None:
    beside = ", ".join(f"{name or 'none'} ({n})" for name, n in found.active_versions.items())
    table = Table("", "active", "trial", title=Text(f"{found.version} on trial beside {beside}"))
    table.add_row("judged", str(found.active_judged), str(found.payments))
    for name in ("alerts", "labelled", "frauds", "precision", "recall"):
        table.add_row(name, *(_shown(getattr(side, name)) for side in (found.active, found.trial)))
    out.print(table)
    out.print(
        f"{found.known_frauds} known frauds: {found.found_by_both} found by both, "
        f"{found.found_by_active_alone} by the active alone, "
        f"{found.found_by_trial_alone} by the trial alone"
    )
    if found.score_difference is not None:
        out.print(f"the trial scores {found.score_difference:+.4f} on average against the active")
    if found.not_at_hand:
        out.print(f"left out: {found.not_at_hand} by a model that is not at hand")
    shown = {now for row in found.agreement.values() for now in row}
    columns = [now for now in get_args(ModelBand) if now in shown]
    matrix = Table("active", *(f"trial: {now}" for now in columns))
    for then in get_args(ModelBand):
        if row := found.agreement.get(then):
            matrix.add_row(then, *(str(row.get(now, 0)) for now in columns))
    out.print(matrix)


def _rules(found: dict[str, RuleTrial]) -> Table:
    columns = ("hits", "blocked anyway", "reviewed anyway", "labelled", "precision", "recall")
    table = Table("rule on trial", *columns)
    for rule_id, each in found.items():
        table.add_row(Text(rule_id), *_row(each, each.found))
    return table


def _row(rule: RuleTrial, found: Found) -> list[str]:
    counts = (found.alerts, rule.blocked, rule.reviewed, found.labelled)
    return [_shown(value) for value in (*counts, found.precision, found.recall)]


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if isinstance(value, float) else str(value)
