"""`payflow fraud train` and `payflow fraud evaluate`: models, made and measured."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.table import Table

from app.cli.instance import as_json, err, fail, out
from workflows.fraud.model import contributions, read_model, score
from workflows.shared.errors import PayflowError

File = Annotated[Path, typer.Argument(help="Payments, CSV or Parquet.")]
Epoch = Annotated[str, typer.Option(help="The first day of the file, UTC.")]
TrainDays = Annotated[int, typer.Option(min=1, help="Days of training before the delay.")]
EPOCH = "2018-04-01"
WEEK = 7


def train(  # noqa: PLR0913  each is an option
    file: File,
    out_file: Annotated[Path, typer.Option("--out", help="Where the model goes.")],
    *,
    start_day: Annotated[int, typer.Option("--from-day", help="-1: the last week that fits.")] = -1,
    end_day: Annotated[int, typer.Option("--to-day", help="Not itself; -1: a week later.")] = -1,
    valid_from: Annotated[str, typer.Option(help="A day, UTC: in force from then on.")] = "",
    epoch: Epoch = EPOCH,
) -> None:
    """Train a model on days of FILE, and calibrate it on the second week after them."""
    evaluation, data = _needed()
    try:
        payments = data.read_payments(file, err.print)
        first = start_day if start_day >= 0 else evaluation.starts_of(payments, 1)[0][0]
        end = end_day if end_day >= 0 else first + WEEK
        if end <= first:
            fail(f"--to-day {end} is not after --from-day {first}", 2)
        figures = evaluation.matrix(payments, _ms(epoch), err.print)
        model = evaluation.calibrated_model(payments, figures, end - WEEK, end - first)
    except ValueError as error:
        fail(str(error))
    model = msgspec.structs.replace(model, valid_from_ms=_ms(valid_from) if valid_from else 0)
    body = msgspec.json.encode(model)
    read_model(body)
    out_file.write_bytes(body)
    out.print(f"{out_file}: {model.version}, {len(model.trees)} trees", markup=False)


def evaluate(  # noqa: PLR0913  each is an option
    file: File,
    *,
    folds: Annotated[int, typer.Option(min=1, max=26)] = 4,
    json_file: Annotated[Path | None, typer.Option("--json", help="Results as JSON.")] = None,
    features_out: Annotated[
        Path | None, typer.Option(help="The handbook's figures, CSV or Parquet.")
    ] = None,
    epoch: Epoch = EPOCH,
    train_days: TrainDays = WEEK,
    through: Annotated[
        Literal["", "kafka"], typer.Option(help="`kafka`: judged by the service on a real broker.")
    ] = "",
    workers: Annotated[int, typer.Option(min=1, max=16, help="Of the service.")] = 2,
) -> None:
    """Train and test week by week on FILE, as the Fraud Detection Handbook does."""
    evaluation, data = _needed()
    plan = evaluation.Plan(folds=folds, train_days=train_days, epoch_ms=_ms(epoch))
    try:
        payments = data.read_payments(file, err.print)
        way = _broker(plan.epoch_ms, workers) if through else None
        figures, report = evaluation.with_figures(payments, plan, err.print, way)
    except (PayflowError, ValueError) as error:
        fail(str(error))
    if features_out:
        _write(features_out, payments, figures)
    if json_file:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    table = Table("from day", *report.mean, title=f"{file.name}, {len(report.folds)} folds")
    for fold in report.folds:
        measured = [getattr(fold, name) for name in report.mean]
        table.add_row(str(fold.start_day), *(f"{value:.3f}" for value in measured))
    table.add_row("mean", *(f"{value:.3f}" for value in report.mean.values()))
    out.print(table)
    if report.through:
        out.print(", ".join(f"{name} {value}" for name, value in report.through.items()))


def rescore(
    file: Annotated[Path, typer.Argument(help="A model.")],
    snapshot: Annotated[Path, typer.Argument(help="The snapshot of a verdict, JSON.")],
) -> None:
    """Score a snapshot again with the model in FILE: the same bits as when it was emitted."""
    try:
        model = read_model(file.read_bytes())
        figures = msgspec.json.decode(snapshot.read_bytes(), type=dict[str, float])
    except (OSError, ValueError) as error:
        fail(str(error))
    strongest = contributions(model, figures)
    as_json({"version": model.version, "score": score(model, figures), "contributions": strongest})


def _needed() -> tuple[Any, Any]:
    try:
        from app.fraud.training import data, evaluation  # noqa: PLC0415  an optional extra
    except ImportError as error:
        fail(f"{error.name or error} is missing. Operator: pip install 'payflow[fraud]'")
    return evaluation, data


def _broker(epoch_ms: int, workers: int) -> Any:
    """Return the function that evaluates through a separate instance."""
    from app.fraud.training.broker_instance import through_broker  # noqa: PLC0415  an optional extra

    return partial(through_broker, epoch_ms=epoch_ms, workers=workers, say=err.print)


def _write(path: Path, payments: Any, figures: Any) -> None:
    from app.fraud.training.features import write_handbook  # noqa: PLC0415  an optional extra

    write_handbook(path, payments, figures)


def _ms(day: str) -> int:
    try:
        moment = datetime.fromisoformat(day)
    except ValueError:
        fail(f"{day!r} is not a day like 2018-04-01", 2)
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1_000)
