"""The watch over drift: what it counts, of how many, beside what; and that it stops nobody."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from app.config import Config
from app.delivery.agent import Agent
from app.delivery.runtime import BatchResult
from app.fraud.live import drift
from app.fraud.live.drift import WATCHED_MAX, WATCHED_MIN, Watch, Window
from app.fraud.live.judge import open_judge
from app.registry import load_agents
from app.worker import metrics
from app.worker.runner import Runner
from tests.support.examples.model import MODEL
from workflows.fraud.messages import (
    FraudCleared,
    FraudConfirmed,
    FraudDetected,
    FraudVerdict,
    VerdictBasis,
)
from workflows.fraud.model import Model, Spread
from workflows.fraud.verdict import Judge
from workflows.shared.message import Message

WATCHED = replace(
    MODEL,
    version="watched-1",
    spread={
        "amount": Spread(edges=(10.0, 20.0, 30.0), shares=(0.4, 0.3, 0.2, 0.1)),
        "night": Spread(edges=(0.0,), shares=(0.8, 0.2)),
        "weekend": Spread(edges=(0.0,), shares=(0.7, 0.3)),
        "score": Spread(edges=(0.25, 0.5), shares=(0.7, 0.2, 0.1)),
    },
)
"""Reviews scores from 0.5 on, stops those from 0.9 on; the weekend is none of its figures."""
LATER = replace(WATCHED, version="watched-2", valid_from_ms=1)
TRIAL = replace(MODEL, version="trial-1", review=0.3)
JUDGE = Judge(models=(WATCHED, LATER), trial=TRIAL)
HALF_BY_NIGHT = 0.41589
"""(0.5 - 0.8) ln(0.5 / 0.8) + (0.5 - 0.2) ln(0.5 / 0.2)"""


def basis(score: float | None = 0.1, model: Model = WATCHED, **facts: Any) -> VerdictBasis:
    """Return a verdict by `model` on a payment whose figures are `facts`, other fields aside."""
    fields = {
        name: facts.pop(name) for name in tuple(facts) if name in VerdictBasis.__struct_fields__
    }
    return VerdictBasis(
        **{"outcome": "allow"} | fields,
        model_score=score,
        model_version="" if score is None else model.version,
        snapshot={name: float(value) for name, value in facts.items()},
    )


def emitted(*bases: VerdictBasis) -> list[FraudVerdict]:
    """Return the verdicts that carry `judgments`."""
    return [
        FraudCleared(transaction_id=f"o{at}", score=0, rules_version="", basis=each)
        for at, each in enumerate(bases)
    ]


def window_of(*bases: VerdictBasis) -> Window:
    """Return the window of a model that judged so."""
    window = Window(WATCHED)
    for each in bases:
        window.add(each, "allow", "nothing")
    return window


def value(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


def as_trained() -> list[VerdictBasis]:
    """Return a thousand verdicts spread as in training, where they can on the edges."""
    amounts = [10] * 400 + [20] * 300 + [30] * 200 + [31] * 100
    scores = [0.25] * 700 + [0.5] * 200 + [0.6] * 100
    return [basis(scores[at], amount=amounts[at], night=int(at % 5 == 0)) for at in range(1_000)]


def test_payments_spread_as_in_training_have_not_moved() -> None:
    """What lies on an edge belongs below it, as in training; `score` is one of the figures."""
    assert {"amount": 0.0, "night": 0.0, "score": 0.0} == pytest.approx(
        window_of(*as_trained()).drift()
    )


def test_payments_spread_otherwise_have_moved() -> None:
    """Half by night, where a fifth was; all of them large; what is missing is zero."""
    moved = window_of(*[basis(0.25, amount=500, night=at % 2) for at in range(1_000)]).drift()
    unknown = window_of(*[basis(0.25)] * 1_000).drift()

    assert pytest.approx(HALF_BY_NIGHT, abs=1e-5) == moved["night"]
    assert moved["amount"] > 0.25
    assert moved["score"] > 0.25
    # (1 - 0.8) ln(1 / 0.8) + (0.0005 - 0.2) ln(0.0005 / 0.2)
    assert pytest.approx(1.23993, abs=1e-5) == unknown["night"]


def test_the_window_slides() -> None:
    """Beyond its size the oldest go: first half of them, then all."""
    window = window_of(*[basis(night=0)] * WATCHED_MAX)
    by_day = window.drift()["night"]
    for _ in range(WATCHED_MAX // 2):
        window.add(basis(night=1), "block", "nothing")
    half = window.drift()["night"], window.alert_rates()["active"]
    for _ in range(WATCHED_MAX // 2):
        window.add(basis(night=1), "block", "nothing")

    # (1 - 0.8) ln(1 / 0.8) + (0.0001 - 0.2) ln(0.0001 / 0.2)
    assert pytest.approx(1.56405, abs=1e-5) == by_day
    assert (pytest.approx(HALF_BY_NIGHT, abs=1e-5), 0.5) == half
    # (0.0001 - 0.8) ln(0.0001 / 0.8) + (1 - 0.2) ln(1 / 0.2)
    assert pytest.approx(8.47641, abs=1e-5) == window.drift()["night"]
    assert {"active": 1.0} == window.alert_rates()
    assert WATCHED_MAX == len(window)


def test_of_few_nothing_is_shown() -> None:
    """Then it is, and reckoned anew every hundred."""
    keeper = Watch()
    keeper.receive(emitted(*[basis(night=0)] * (WATCHED_MIN - 1)), JUDGE)
    few = value("payflow_fraud_psi", figure="night"), value("payflow_fraud_alert_rate", by="active")
    keeper.receive(emitted(basis(night=0)), JUDGE)
    enough = value("payflow_fraud_psi", figure="night")
    keeper.receive(emitted(*[basis(0.95, night=1)] * 99), JUDGE)
    not_yet = value("payflow_fraud_psi", figure="night")
    keeper.receive(emitted(basis(0.95, night=1)), JUDGE)

    assert (None, None) == few
    assert enough is not None
    assert enough == not_yet != value("payflow_fraud_psi", figure="night")
    assert 600 == value("payflow_fraud_watched_verdicts")
    assert pytest.approx(100 / 600) == value("payflow_fraud_alert_rate", by="active")
    assert value("payflow_fraud_psi", figure="score") is not None
    assert value("payflow_fraud_psi", figure="weekend") is None


def test_a_model_that_comes_into_force_begins_anew() -> None:
    """What was shown of the one before is shown no longer; its last payments do not count."""
    keeper = Watch()
    keeper.receive(emitted(*[basis(night=1)] * WATCHED_MIN), JUDGE)
    before = value("payflow_fraud_psi", figure="night")
    keeper.receive(emitted(basis(model=LATER), basis(model=WATCHED), basis(model=LATER)), JUDGE)

    assert before is not None
    assert value("payflow_fraud_psi", figure="night") is None
    assert value("payflow_fraud_alert_rate", by="active") is None
    assert 2 == value("payflow_fraud_watched_verdicts")


def test_what_no_model_judged_is_not_watched() -> None:
    """It is counted as a verdict; what is none, or of the first version, not even that."""
    keeper = Watch()
    keeper.receive(emitted(basis()), JUDGE)
    before = value("payflow_fraud_verdicts_total", outcome="allow", decided_by="none") or 0
    first = FraudDetected(transaction_id="o1", score=1, reasons=(), rules_version="")
    confirmation = FraudConfirmed(transaction_id="o1", source="analyst")
    keeper.receive([*emitted(basis(None)), first, confirmation], JUDGE)

    assert 1 == value("payflow_fraud_watched_verdicts")
    after = value("payflow_fraud_verdicts_total", outcome="allow", decided_by="none")
    assert before + 1 == after
    assert value("payflow_fraud_trial_total", active="nothing", trial="nothing") is None


@pytest.mark.parametrize(
    ("decided_by", "label"),
    [
        pytest.param("", "none", id="nobody"),
        pytest.param("model", "model", id="the model"),
        pytest.param("rule.nobody.else.has", "rule", id="a rule, whichever"),
    ],
)
def test_a_verdict_is_counted_by_outcome_and_who_decided(decided_by: str, label: str) -> None:
    """No rule is named: there may be thousands."""
    before = value("payflow_fraud_verdicts_total", outcome="review", decided_by=label) or 0
    Watch().receive(emitted(basis(outcome="review", decided_by=decided_by)), JUDGE)

    assert before + 1 == value("payflow_fraud_verdicts_total", outcome="review", decided_by=label)
    assert "nobody.else" not in generate_latest(metrics.REGISTRY).decode()


@pytest.mark.parametrize(
    ("active_score", "trial_score", "active", "trial"),
    [
        pytest.param(0.4, 0.4, "allow", "review", id="the trial is stricter"),
        pytest.param(0.95, 0.1, "block", "allow", id="the trial lets through"),
        pytest.param(None, 0.9, "nothing", "block", id="beside no model"),
    ],
)
def test_what_two_models_say_is_counted_in_pairs(
    active_score: float | None, trial_score: float, active: str, trial: str
) -> None:
    """Each by its own bands; the outcome does not matter."""
    before = value("payflow_fraud_trial_total", active=active, trial=trial) or 0
    along = {"shadow_score": trial_score, "shadow_version": TRIAL.version, "outcome": "block"}
    Watch().receive(emitted(basis(active_score, **along)), JUDGE)

    assert before + 1 == value("payflow_fraud_trial_total", active=active, trial=trial)


def test_the_alert_rate_of_a_trial_is_of_what_it_judged() -> None:
    """Of a thousand it judged six hundred, and would have reviewed a third of them."""
    along = {"shadow_version": TRIAL.version}
    messages = [
        *[basis(0.6, shadow_score=0.3, **along)] * 200,
        *[basis(shadow_score=0.2, **along)] * 400,
        *[basis()] * 400,
    ]
    Watch().receive(emitted(*messages), JUDGE)

    assert pytest.approx(1 / 3) == value("payflow_fraud_alert_rate", by="trial")
    assert pytest.approx(0.2) == value("payflow_fraud_alert_rate", by="active")


def test_a_trial_that_judged_few_shows_no_rate() -> None:
    """The active one does."""
    few = basis(shadow_score=0.9, shadow_version=TRIAL.version)
    Watch().receive(emitted(*[few] * 499, *[basis()] * 501), JUDGE)

    assert value("payflow_fraud_alert_rate", by="trial") is None
    assert 0.0 == value("payflow_fraud_alert_rate", by="active")


def test_the_fraud_agent_is_watched_by_the_models_of_this_process() -> None:
    """The one that comes along has spreads of all its figures, and of its score."""
    (model,) = open_judge(Config()).models
    edges = {name: model.spread[name].edges[0] for name in model.figures}
    agent = load_agents()["fraud"]
    assert agent.observe is drift.count

    report(agent, emitted(*[basis(0.001, model, **edges)] * WATCHED_MIN))

    measured_figures = {
        name for name in model.spread if value("payflow_fraud_psi", figure=name) is not None
    }
    assert {*model.figures, "score"} == measured_figures


class Fixed:
    """The knowledge of a process that follows nothing."""

    def current(self) -> Judge:
        return open_judge(Config())


def report(agent: Agent, messages: Sequence[Message]) -> None:
    """Let a runner of `agent` report a batch that emitted `messages`."""
    runner = object.__new__(Runner)
    runner.agent = agent
    runner.followed = Fixed()
    runner._report([], BatchResult(emitted=list(messages)), 0.0)


def test_who_counts_stops_nobody() -> None:
    """An error while counting is logged, by agent; the batch is through."""

    def broken(_messages: Sequence[Message], _judge: object) -> None:
        raise RuntimeError("no more fingers")

    with capture_logs() as logged:
        report(replace(load_agents()["fraud"], name="counted", observe=broken), [])

    assert [("observe failed", "counted")] == [(line["event"], line["agent"]) for line in logged]
