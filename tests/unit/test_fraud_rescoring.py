"""Verdicts scored again: the same bits, other bits, no model; and what another would have said."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from app.cli import fraud_rescore
from app.cli.main import app
from app.config import Config
from app.fraud.analysis.rescoring import DIFFERENCES_MAX, Difference, Other, newest, rescored
from app.fraud.live.judge import open_judge
from app.wire.envelope import Envelope
from tests.support.examples.model import MODEL, figures
from workflows.fraud.messages import FraudCleared, FraudVerdict, PaymentLabelled, VerdictBasis
from workflows.fraud.model import Model, score
from workflows.payment.dispute_messages import DisputeClosed
from workflows.shared.message import Message
from workflows.shared.topic import Topic

AT_MS = 1_700_000_000_000
ENVELOPE = Envelope(id="e", type="", source="", time_ms=AT_MS, subject="", correlation_id="o1")
MODELS = {MODEL.version: MODEL}
KNOWN = {"customer_known_days": 1.0, "terminal_known_days": 1.0}
SMALL, ODD, LARGE = figures(10) | KNOWN, figures(10, 1.0) | KNOWN, figures(1_000) | KNOWN
"""The model allows, reviews, and blocks them."""
STRICT = replace(MODEL, version="strict-2", review=0.01, block=0.4)
"""Reviews the small one, blocks the odd one."""


def verdict(
    order_id: str, snapshot: dict[str, float], model: Model | None = MODEL, **changes: Any
) -> FraudVerdict:
    """Return a verdict as it was emitted: by `model`, or by rules alone."""
    basis = VerdictBasis(outcome="allow", snapshot=snapshot)
    if model:
        basis = replace(basis, model_score=score(model, snapshot), model_version=model.version)
    emitted = FraudCleared(
        transaction_id=order_id, score=0, rules_version="", basis=replace(basis, **changes)
    )
    return msgspec.json.decode(msgspec.json.encode(emitted), type=FraudCleared)


def off_by_one_bit(order_id: str) -> FraudVerdict:
    """Return a verdict with the score next to the right one."""
    return verdict(order_id, SMALL, model_score=math.nextafter(score(MODEL, SMALL), 1))


def label(order_id: str, known_at_ms: int, *, is_fraud: bool) -> PaymentLabelled:
    """Return what an analyst says."""
    return PaymentLabelled(
        transaction_id=order_id, fraud=is_fraud, source="analyst", known_at_ms=known_at_ms
    )


def test_verdicts_are_counted_by_how_they_come_out() -> None:
    """The same, another by a single bit, by rules alone, by a model that is not at hand."""
    emitted = [
        verdict("o1", SMALL),
        verdict("o2", LARGE),
        off_by_one_bit("o3"),
        verdict("o4", SMALL, None),
        FraudCleared(transaction_id="o5", score=0, rules_version="first"),
        verdict("o6", SMALL, STRICT),
    ]
    rescoring = rescored(emitted, MODELS, {})

    assert (6, 2, 1, 2) == (
        rescoring.verdicts,
        rescoring.same,
        rescoring.different,
        rescoring.by_rules,
    )
    assert {"strict-2": 1} == rescoring.not_at_hand
    assert rescoring.other is None
    assert (
        Difference(
            order_id="o3",
            model_version="test-1",
            emitted=math.nextafter(score(MODEL, SMALL), 1),
            again=score(MODEL, SMALL),
        ),
    ) == rescoring.differences


def test_each_is_scored_by_the_model_that_it_names() -> None:
    """Not by the one of today."""
    emitted = [verdict("o1", SMALL), verdict("o2", SMALL, replace(STRICT, offset=0.0))]
    models = {"test-1": MODEL, "strict-2": replace(STRICT, offset=0.0)}

    assert 2 == rescored(emitted, models, {}).same
    assert 1 == rescored(emitted, models | {"strict-2": STRICT}, {}).different


def test_only_the_first_differences_are_listed() -> None:
    """All are counted."""
    rescoring = rescored([off_by_one_bit(f"o{at}") for at in range(12)], MODELS, {})

    assert 12 == rescoring.different
    assert [f"o{at}" for at in range(DIFFERENCES_MAX)] == [
        each.order_id for each in rescoring.differences
    ]


def test_another_model_says_what_it_would_have_said_and_of_which_payments() -> None:
    """By bands, then and now; apart for what is known as fraud and as none."""
    emitted = [
        verdict("o1", SMALL),
        verdict("o2", SMALL),
        verdict("o3", ODD),
        verdict("o4", LARGE),
        verdict("o5", SMALL, None),
        verdict("o6", figures(10), None),
        verdict("o7", LARGE, replace(MODEL, version="gone")),
        FraudCleared(transaction_id="o8", score=0, rules_version="first"),
    ]
    labels = {"o2": False, "o3": True, "o4": True, "o8": True}

    assert (
        Other(
            version="strict-2",
            every={
                "allow": {"review": 2},
                "block": {"block": 1},
                "nothing": {"nothing": 1, "review": 1},
                "review": {"block": 1},
                "unknown": {"block": 1},
            },
            frauds={"block": {"block": 1}, "review": {"block": 1}},
            legit={"allow": {"review": 1}},
        )
        == rescored(emitted, MODELS, labels, STRICT).other
    )


def test_the_newest_label_counts() -> None:
    """By when it says it was known; of one moment, the one emitted last."""
    emitted = [
        label("o1", 2, is_fraud=True),
        label("o1", 1, is_fraud=False),
        label("o2", 1, is_fraud=True),
        label("o2", 1, is_fraud=False),
    ]

    assert {"o1": True, "o2": False} == newest((ENVELOPE, each) for each in emitted)


def test_a_dispute_that_is_lost_as_fraud_is_a_label() -> None:
    """One that is lost for another reason, or won, is none."""
    lost = DisputeClosed(
        transaction_id="o1",
        payment_id="pi",
        dispute_id="du",
        outcome="lost",
        reason="fraudulent",
        amount_minor=5,
        currency="GBP",
    )
    late = replace(lost, transaction_id="o2", reason="product_not_received")
    won = replace(lost, transaction_id="o3", outcome="won")

    assert {"o1": True} == newest((ENVELOPE, each) for each in (lost, late, won))


def envelope(event_id: str, at_ms: int) -> Envelope:
    return Envelope(id=event_id, type="", source="", time_ms=at_ms, subject="", correlation_id="o1")


def run_command(
    emitted: list[tuple[Envelope, Message]],
    options: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Result:
    """Return what the command says when `emitted` lies on the topics, and MODEL in its folder."""

    async def messages_of(_config: Config, topics: Sequence[Topic]) -> list[tuple[Envelope, Any]]:
        assert ["fraud", "fraud.labels", "payments"] == [topic.name for topic in topics]
        return emitted

    (folder / "model.json").write_bytes(msgspec.json.encode(MODEL))
    monkeypatch.setattr(fraud_rescore, "messages_of", messages_of)
    monkeypatch.setattr(fraud_rescore, "running_instance", lambda: Config(fraud_models=str(folder)))
    return CliRunner().invoke(app, ["fraud", "rescore-all", *options])


def test_the_command_ends_well_when_all_bits_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By models of the folder, or that come along.

    One emitted twice counts once, none from before.
    """
    (shipped,) = open_judge(Config()).models
    emitted = [
        (envelope("e0", AT_MS), verdict("o0", LARGE, shipped)),
        (envelope("e1", AT_MS), verdict("o1", SMALL)),
        (envelope("e1", AT_MS), verdict("o1", SMALL)),
        (envelope("e2", AT_MS - 1), off_by_one_bit("o2")),
    ]
    result = run_command(
        emitted, ["--json", "--from", "2023-11-14T22:13:20Z"], tmp_path, monkeypatch
    )

    assert 0 == result.exit_code, result.output
    rescoring = msgspec.json.decode(result.stdout)
    assert (2, 2, 0) == (rescoring["verdicts"], rescoring["same"], rescoring["different"])


def test_the_command_fails_on_a_single_bit_and_names_both_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, for whoever runs it every night."""
    result = run_command([(envelope("e1", AT_MS), off_by_one_bit("o1"))], [], tmp_path, monkeypatch)

    assert 1 == result.exit_code
    assert repr(score(MODEL, SMALL)) in result.output
    assert repr(math.nextafter(score(MODEL, SMALL), 1)) in result.output


def test_the_command_compares_with_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a file; with what is known."""
    other = tmp_path / "elsewhere"
    other.write_bytes(msgspec.json.encode(STRICT))
    emitted = [
        (envelope("e1", AT_MS), verdict("o1", SMALL)),
        (envelope("e2", AT_MS), label("o1", AT_MS, is_fraud=True)),
    ]
    result = run_command(emitted, ["--model", str(other), "--json"], tmp_path, monkeypatch)
    text_run = run_command(emitted, ["--model", str(other)], tmp_path, monkeypatch)

    assert 0 == result.exit_code, result.output
    assert {"allow": {"review": 1}} == msgspec.json.decode(result.stdout)["other"]["frauds"]
    assert "known as fraud" in text_run.output
    assert "known to be none" not in text_run.output


@pytest.mark.parametrize(
    ("options", "code"),
    [
        pytest.param(["--model", "nowhere.json"], 1, id="no file"),
        pytest.param(["--from", "yesterday"], 2, id="no time"),
    ],
)
def test_what_cannot_be_read_is_named(
    options: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line."""
    result = run_command([], options, tmp_path, monkeypatch)

    assert code == result.exit_code
    assert options[1] in result.output
    assert "Traceback" not in result.output
