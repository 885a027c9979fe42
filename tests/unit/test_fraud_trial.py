"""What is on trial beside what is in force: who found what, by labels, each payment once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from app.cli import fraud_trial
from app.cli.main import app
from app.config import Config
from app.fraud.analysis.trial import Found, ModelTrial, RuleTrial, Trial, tried
from app.wire.envelope import Envelope
from tests.support.examples.model import MODEL
from workflows.fraud.messages import FraudCleared, FraudDetected, PaymentLabelled, VerdictBasis
from workflows.shared.message import Message
from workflows.shared.topic import Topic

AT_MS = 1_700_000_000_000
ACTIVE = replace(MODEL, version="active-1")
"""Reviews scores from 0.5 on, stops those from 0.9 on."""
TRIAL = replace(MODEL, version="trial-1", review=0.25, block=0.75)
MODELS = {ACTIVE.version: ACTIVE, TRIAL.version: TRIAL}
EnvelopedMessages = list[tuple[Envelope, Message]]


def envelope(event_id: str, at_ms: int = AT_MS) -> Envelope:
    return Envelope(id=event_id, type="", source="", time_ms=at_ms, subject="", correlation_id="o1")


def verdict(
    order_id: str, active: float | None, trial: float | None, at_ms: int = AT_MS, **facts: Any
) -> tuple[Envelope, Message]:
    """Return a verdict as it was emitted, by the scores of both models."""
    basis = VerdictBasis(
        outcome="allow",
        model_score=active,
        model_version="" if active is None else ACTIVE.version,
        shadow_score=trial,
        shadow_version="" if trial is None else TRIAL.version,
    )
    basis = replace(basis, **facts)
    message = FraudDetected if basis.outcome == "block" else FraudCleared
    event = message(transaction_id=order_id, score=0, reasons=(), rules_version="", basis=basis)
    return envelope(f"verdict on {order_id}", at_ms), event


def label(order_id: str, *, is_fraud: bool, known_at_ms: int = AT_MS) -> tuple[Envelope, Message]:
    """Return what an analyst says."""
    message = PaymentLabelled(
        transaction_id=order_id, fraud=is_fraud, source="analyst", known_at_ms=known_at_ms
    )
    return envelope(f"label of {order_id} {known_at_ms}"), message


EMITTED: EnvelopedMessages = [
    verdict("both", 0.75, 0.875),
    verdict("active alone", 0.5, 0.125),
    verdict("trial alone", 0.25, 0.5),
    verdict("trial alone too", 0.25, 0.5),
    verdict("neither", 0.125, 0.125),
    verdict("wrong alarm", 0.25, 0.25),
    verdict("no review", 0.25, 0.75),
    verdict("no model in force", None, 0.5),
    verdict("no trial", 0.95, None),
    label("both", is_fraud=True),
    label("active alone", is_fraud=True),
    label("trial alone", is_fraud=True),
    label("trial alone too", is_fraud=True),
    label("neither", is_fraud=True),
    label("wrong alarm", is_fraud=False),
    label("no trial", is_fraud=True),
    label("of another day", is_fraud=True),
]


def test_a_model_on_trial_stands_beside_the_one_in_force() -> None:
    """Over the payments that it judged along; five of them are known as fraud, one as none."""
    assert (
        ModelTrial(
            version="trial-1",
            active_versions={"active-1": 7, "": 1},
            payments=8,
            not_at_hand=0,
            active_judged=7,
            # both and active alone: of two, two were fraud; of five frauds, two.
            active=Found(alerts=2, labelled=2, frauds=2, precision=1.0, recall=0.4),
            # both, trial alone twice, the wrong alarm, and two of which nothing is known.
            trial=Found(alerts=6, labelled=4, frauds=3, precision=0.75, recall=0.6),
            agreement={
                "allow": {"allow": 1, "block": 1, "review": 3},
                "nothing": {"review": 1},
                "review": {"allow": 1, "block": 1},
            },
            known_frauds=5,
            found_by_both=1,
            found_by_active_alone=1,
            found_by_trial_alone=2,
            # Apart by 0.125, -0.375, 0.25, 0.25, 0, 0, 0.5; the eighth has no other score.
            score_difference=0.75 / 7,
        ),
    ) == tried(EMITTED, MODELS).models


def test_emitted_twice_is_counted_once() -> None:
    """A redelivery has the same id; all that is reported stays as it was."""
    once = tried(EMITTED, MODELS)

    assert once == tried([*EMITTED, *EMITTED], MODELS)
    assert (9, 6) == (once.payments, once.known_frauds)


def test_without_labels_nothing_is_shared() -> None:
    """Counts are there, precision and recall are not."""
    (model_trial,) = tried(
        [each for each in EMITTED if each[0].id.startswith("verdict")], MODELS
    ).models

    assert Found(alerts=2, labelled=0, frauds=0, precision=None, recall=None) == model_trial.active
    assert (6, None, None) == (
        model_trial.trial.alerts,
        model_trial.trial.precision,
        model_trial.trial.recall,
    )


def test_the_newest_label_counts() -> None:
    """An analyst may think better of it."""
    later = label("both", is_fraud=False, known_at_ms=AT_MS + 1)
    (model_trial,) = tried([later, *EMITTED], MODELS).models

    assert (4, 0) == (model_trial.known_frauds, model_trial.found_by_both)
    assert 0.5 == model_trial.active.precision


def test_what_was_emitted_before_does_not_count() -> None:
    """Its label neither."""
    trial = tried([verdict("old", 0.9, 0.9, AT_MS - 1), label("old", is_fraud=True)], MODELS, AT_MS)

    assert Trial(payments=0, known_frauds=0, models=(), rules={}) == trial


@pytest.mark.parametrize("missing", ["active-1", "trial-1"])
def test_without_the_bands_of_a_model_its_payments_are_left_out(missing: str) -> None:
    """And counted: an alert less would be no merit."""
    models = {version: model for version, model in MODELS.items() if version != missing}
    model_trial = tried([verdict("o1", 0.9, 0.9), verdict("o2", None, 0.9)], models).models[0]

    assert (2 if missing == "trial-1" else 1) == model_trial.not_at_hand
    assert 2 - model_trial.not_at_hand == model_trial.payments == model_trial.trial.alerts
    assert model_trial.score_difference is None


def test_each_model_on_trial_is_reported_by_itself() -> None:
    """By version."""
    other = replace(TRIAL, version="trial-0", review=0.0)
    emitted = [verdict("o1", 0.1, 0.2), verdict("o2", 0.1, 0.2, shadow_version="trial-0")]
    model_trials = tried(emitted, MODELS | {"trial-0": other}).models

    assert [("trial-0", 1, 1), ("trial-1", 1, 0)] == [
        (each.version, each.payments, each.trial.alerts) for each in model_trials
    ]


def test_a_rule_on_trial_is_held_against_the_outcome() -> None:
    """Whoever decided it; of three known frauds it hit two, one of them stopped anyway."""
    emitted = [
        verdict("o1", None, None, outcome="block", shadow_rules=("new", "other")),
        verdict("o2", None, None, outcome="review", shadow_rules=("new",)),
        verdict("o3", None, None, shadow_rules=("new",)),
        verdict("o4", None, None, shadow_rules=("new",)),
        verdict("o5", None, None),
        label("o1", is_fraud=True),
        label("o2", is_fraud=False),
        label("o3", is_fraud=True),
        label("o5", is_fraud=True),
    ]
    two_thirds = pytest.approx(2 / 3)
    trial = tried([*emitted, emitted[0]], MODELS)

    assert ["new", "other"] == list(trial.rules)
    assert (1, 1) == (trial.rules["new"].blocked, trial.rules["new"].reviewed)
    assert (4, 3, 2) == (
        (new := trial.rules["new"].found).alerts, new.labelled, new.frauds,
    )  # fmt: skip
    assert (two_thirds, two_thirds) == (new.precision, new.recall)
    assert (
        RuleTrial(
            reviewed=0,
            blocked=1,
            found=Found(alerts=1, labelled=1, frauds=1, precision=1.0, recall=1 / 3),
        )
        == trial.rules["other"]
    )


def test_verdicts_of_the_first_version_are_left_out() -> None:
    """They say nothing of what they were made of."""
    message = FraudCleared(transaction_id="o1", score=0, rules_version="")

    assert 0 == tried([(envelope("e1"), message)], MODELS).payments


def run_command(
    emitted: EnvelopedMessages, options: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Result:
    """Return what the command prints with `emitted` on the topics and both models in a folder."""

    async def messages_of(_config: Config, topics: Sequence[Topic]) -> list[tuple[Envelope, Any]]:
        assert ["fraud", "fraud.labels", "payments"] == [topic.name for topic in topics]
        return emitted

    (folder / "active.json").write_bytes(msgspec.json.encode(ACTIVE))
    (folder / "trial.json").write_bytes(msgspec.json.encode(TRIAL))
    monkeypatch.setattr(fraud_trial, "messages_of", messages_of)
    monkeypatch.setattr(fraud_trial, "running_instance", lambda: Config(fraud_models=str(folder)))
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner().invoke(app, ["fraud", "trial", *options])


def test_the_command_says_the_same_as_json_and_for_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the bands of the models in the folder; rules are named as they are."""
    emitted = [*EMITTED, verdict("o9", 0.1, None, outcome="review", shadow_rules=("new.rule",))]
    json_run = run_command(emitted, ["--json"], tmp_path, monkeypatch)
    text_run = run_command(emitted, [], tmp_path, monkeypatch)

    assert 0 == json_run.exit_code, json_run.output
    assert tried(emitted, MODELS) == msgspec.json.decode(json_run.stdout, type=Trial)
    assert 0 == text_run.exit_code, text_run.output
    assert (
        "5 known frauds: 1 found by both, 1 by the active alone, 2 by the trial" in text_run.output
    )
    assert "75.0%" in text_run.output
    assert "new.rule" in text_run.output


def test_the_command_counts_from_a_time_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says when nothing was on trial."""
    result = run_command(EMITTED, ["--from", "2023-11-14T22:13:20.001Z"], tmp_path, monkeypatch)

    assert 0 == result.exit_code, result.output
    assert "no model and no rule was on trial" in result.output


def test_a_file_that_is_no_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    (tmp_path / "broken.json").write_text("{}")
    result = run_command([], [], tmp_path, monkeypatch)

    assert 1 == result.exit_code
    # A terminal of 80 columns wraps long paths.
    assert "broken.json" in result.output.replace("\n", "")
    assert "Traceback" not in result.output
