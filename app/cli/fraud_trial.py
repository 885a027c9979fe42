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
    report: Trial = run(_tried(config, models, from_ms))
    if as_json_too:
        as_json(report)
    else:
        _show(report)


async def _tried(config: Config, models: dict[str, Model], from_ms: int) -> Trial:
    return tried(await messages_of(config, READS["trial"]), models, from_ms)


def _show(report: Trial) -> None:
    out.print(f"{report.payments} payments judged, {report.known_frauds} known as fraud")
    if not (report.models or report.rules):
        out.print("no model and no rule was on trial")
    for each in report.models:
        _show_model(each)
    if report.rules:
        out.print(_rules(report.rules))


def _show_model(model_trial: ModelTrial) -> None:
    beside = ", ".join(f"{name or 'none'} ({n})" for name, n in model_trial.active_versions.items())
    table = Table(
        "", "active", "trial", title=Text(f"{model_trial.version} on trial beside {beside}")
    )
    table.add_row("judged", str(model_trial.active_judged), str(model_trial.payments))
    for name in ("alerts", "labelled", "frauds", "precision", "recall"):
        table.add_row(
            name, *(_cell(getattr(side, name)) for side in (model_trial.active, model_trial.trial))
        )
    out.print(table)
    out.print(
        f"{model_trial.known_frauds} known frauds: {model_trial.found_by_both} found by both, "
        f"{model_trial.found_by_active_alone} by the active alone, "
        f"{model_trial.found_by_trial_alone} by the trial alone"
    )
    if model_trial.score_difference is not None:
        out.print(
            f"the trial scores {model_trial.score_difference:+.4f} on average against the active"
        )
    if model_trial.not_at_hand:
        out.print(f"left out: {model_trial.not_at_hand} by a model that is not at hand")
    bands = {now for row in model_trial.agreement.values() for now in row}
    columns = [now for now in get_args(ModelBand) if now in bands]
    matrix = Table("active", *(f"trial: {now}" for now in columns))
    for then in get_args(ModelBand):
        if row := model_trial.agreement.get(then):
            matrix.add_row(then, *(str(row.get(now, 0)) for now in columns))
    out.print(matrix)


def _rules(trial_by_rule_id: dict[str, RuleTrial]) -> Table:
    columns = ("hits", "blocked anyway", "reviewed anyway", "labelled", "precision", "recall")
    table = Table("rule on trial", *columns)
    for rule_id, each in trial_by_rule_id.items():
        table.add_row(Text(rule_id), *_row(each, each.found))
    return table


def _row(rule: RuleTrial, quality: Found) -> list[str]:
    counts = (quality.alerts, rule.blocked, rule.reviewed, quality.labelled)
    return [_cell(value) for value in (*counts, quality.precision, quality.recall)]


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if isinstance(value, float) else str(value)
