"""Looking at all payments in a process of its own, cases in order, figures in text, tags."""

import asyncio
from typing import Any

import msgspec
import pytest

from app.config import Config
from app.console.api import fraud_queries
from app.console.api.entities import Entities
from app.console.api.fraud_queries import Queries, process_in
from app.console.api.fraud_rules import drift_in
from app.console.api.problems import Problem
from app.fraud.analysis.cases import cases_of
from app.fraud.analysis.labels import label_of
from app.fraud.analysis.masking import names_people, without_people
from app.fraud.analysis.queries import READS, Answer, Hits, Question, answered, hits_of
from app.wire.envelope import Envelope
from tests.support.examples.fraud import NOON_MS, label, paid
from tests.support.examples.fraud_rules import RULE
from tests.support.fraud_site import BASIS, registered, verdict
from workflows.fraud import topics as fraud_topics
from workflows.fraud.built_in_rules import BUILT_IN, FIELDS
from workflows.fraud.entity_messages import Aggregate
from workflows.fraud.features import FEATURES
from workflows.fraud.messages import CaseClosed, FraudDetected
from workflows.shared.message import Message

TRIAL = Question(what="trial")


def emitted(*messages: Message) -> list[tuple[Envelope, Any]]:
    """Return messages as they are read, a millisecond apart."""
    envelope = {"type": "t", "source": "s", "subject": "s", "correlation_id": "c"}
    return [
        (Envelope(id=f"e{at}", time_ms=NOON_MS + at, **envelope), message)
        for at, message in enumerate(messages)
    ]


def test_a_back_test_is_answered_from_what_was_paid() -> None:
    """In the order of the payments, whatever the order they are read in."""
    story = emitted(label(), paid("last", 1_200_000, 9_000), paid("small", 0, 10))
    question = Question(what="backtest", rule=msgspec.to_builtins(RULE.rule))

    report = answered(question, story, BUILT_IN, {}).backtest

    assert report is not None
    assert (2, 1, 1, ("last",)) == (report.payments, report.hits, report.true_hits, report.examples)


def test_hits_are_counted_by_rule_once_an_order() -> None:
    """With what is known of them; verdicts before the beginning do not count."""
    blocked = FraudDetected(
        transaction_id="b", score=1.0, reasons=(), rules_version="r", basis=BASIS
    )
    messages = emitted(blocked, verdict("a"), verdict(), verdict(), label())

    assert {
        "amount.profile": Hits(hits=2, decided=2, labelled=1, frauds=1, precision=1.0)
    } == hits_of(messages, NOON_MS + 1)


def test_what_is_read_is_declared() -> None:
    """A question of each kind names its topics."""
    assert {"backtest", "trial"} == set(READS)
    assert fraud_topics.fraud_labels in READS["trial"]


def test_a_case_that_was_closed_may_open_again() -> None:
    """As another one; one whose beginning is not there any more was one all the same."""
    shut = CaseClosed(transaction_id="o", case="review", fraud=False)
    messages = emitted(
        registered("o", 5),
        shut,
        registered("o", 9),
        CaseClosed(transaction_id="x", case="late", fraud=True),
    )

    cases = [
        (case.registered.transaction_id, case.registered.opened_at_ms, case.closed is None)
        for case in cases_of(messages)
    ]

    assert [("o", 9, True), ("x", 0, False), ("o", 5, False)] == cases


def test_every_figure_has_a_text() -> None:
    """Every one that a model, a rule, or a window of a rule may name."""
    windows = [
        Aggregate(function="count", of="card", window_seconds=300),
        Aggregate(function="distinct", of="device", window_seconds=86_400, what="card"),
        Aggregate(function="declines", of="card", window_seconds=7_200, below_minor=1_000),
        Aggregate(function="distinct", of="card", window_seconds=61, what="device", below_minor=9),
    ]
    numbers = [name for name, field in FIELDS.items() if field.type == "number"]
    facts = {"amount_minor", "hour", "weekday"}

    for name in {*FEATURES, *numbers} - facts:
        assert name != label_of(name)
    assert [
        "payments of the card within 5 min",
        "different cards of the device within 1 days",
        "declined payments of the card within 2 h, below 1000",
        "different devices of the card within 61 s, below 9",
    ] == [label_of(window.name) for window in windows]


@pytest.mark.parametrize("name", ["", "odd", "count", "count|card", "count|card|x", "a|b|3"])
def test_a_figure_without_a_text_keeps_its_name(name: str) -> None:
    """Verdicts of another version may name anything."""
    assert name == label_of(name)


@pytest.mark.parametrize(
    ("when", "masked_when"),
    [
        pytest.param(
            {"all": [{"eq": [{"field": "card"}, "k1"]}, {"gt": [{"field": "amount"}, 1]}]},
            {"all": [{"eq": [{"field": "card"}, "?"]}, {"gt": [{"field": "amount"}, 1]}]},
            id="deep down",
        ),
        pytest.param(
            {"not": {"in": [{"field": "device"}, ["d1", "d2"]]}},
            {"not": {"in": [{"field": "device"}, ["?", "?"]]}},
            id="written out",
        ),
        pytest.param(
            {"ne": ["c1", {"field": "customer"}]}, {"ne": ["?", {"field": "customer"}]}, id="first"
        ),
    ],
)
def test_people_in_rules_are_masked(when: Any, masked_when: Any) -> None:
    """Wherever a condition writes them out."""
    assert masked_when == without_people(when, lambda _name: "?")
    assert names_people(when)


@pytest.mark.parametrize(
    "when",
    [
        {"in": [{"field": "card"}, {"list": "blocked.card"}]},
        {"in": [{"field": "terminal"}, ["fair-1"]]},
        {"eq": [{"field": "country"}, "France"]},
        {"ge": [{"count": {"of": "card", "window_seconds": 300}}, 5]},
    ],
)
def test_what_names_nobody_is_shown_as_it_is(when: Any) -> None:
    """Lists are named, shops are not people."""
    assert when == without_people(when, lambda _name: "?")
    assert not names_people(when)


def test_tags_distinguish_entities_and_name_nobody() -> None:
    """Of two processes they differ; a tag leads back to what is at hand alone."""
    entities = Entities()
    tag = entities.tag("c1")

    assert tag == entities.tag("c1") != entities.tag("c2")
    assert tag != Entities().tag("c1")
    assert f"customer:{tag}" == entities.masked_entity("customer:c1")
    assert ("c1", tag, "c3") == (
        entities.meant(tag, ["c2", "c1"]),
        entities.meant(tag, ["c2"]),
        entities.meant("c3", []),
    )


def test_drift_is_read_from_what_a_worker_shows() -> None:
    """The figure that moved most first; other metrics are none of it."""
    metrics_text = (
        "# TYPE payflow_fraud_psi gauge\n"
        'payflow_fraud_psi{figure="amount"} 0.05\n'
        'payflow_fraud_psi{figure="score"} 0.2\n'
        "# TYPE payflow_fraud_watched_verdicts gauge\n"
        "payflow_fraud_watched_verdicts 600.0\n"
        "# TYPE payflow_other gauge\n"
        "payflow_other 7\n"
    )

    drift = drift_in(metrics_text)

    assert (600, {}) == (drift["watched"], drift["alert_rate"])
    assert [("score", "moved"), ("amount", "steady")] == [
        (each["figure"], each["moved"]) for each in drift["psi"]
    ]
    assert {"watched": 0, "psi": [], "alert_rate": {}} == drift_in("")


async def test_each_has_one_look_at_a_time_and_its_answer_is_kept() -> None:
    """Callers without a name have one together, which keeps no operator out."""
    has_begun, goes_on = asyncio.Event(), asyncio.Event()
    questions: list[Question] = []

    async def ask(question: Question) -> Answer:
        questions.append(question)
        has_begun.set()
        await goes_on.wait()
        return Answer()

    queries = Queries(ask)
    first = asyncio.create_task(queries.answer(TRIAL, "this machine"))
    await has_begun.wait()
    others = [
        asyncio.create_task(queries.answer(Question(what="trial", from_ms=at), f"operator:{at}"))
        for at in (7, 8)
    ]
    await asyncio.sleep(0)
    for identity, status in (("203.0.113.7", 429), ("operator:7", 429), ("operator:9", 503)):
        with pytest.raises(Problem, match="ask again") as refused:
            await queries.answer(TRIAL, identity)
        assert status == refused.value.status
    goes_on.set()
    await asyncio.gather(*others)

    assert (await first)[0] is (await queries.answer(TRIAL, "this machine"))[0]
    assert queries.cached(TRIAL) is not None
    assert queries.cached(Question(what="trial", from_ms=1)) is None
    assert [0, 7, 8] == [each.from_ms for each in questions]
    await queries.answer(Question(what="trial", from_ms=2), "operator:7")


async def test_the_process_says_why_it_has_no_answer() -> None:
    """An instance without a broker, for one."""
    answer = await process_in(Config(broker_url="127.0.0.1:1"))(TRIAL)

    assert answer.trouble.startswith("Kafka does not answer")


async def test_the_process_is_ended_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever."""
    monkeypatch.setattr(fraud_queries, "QUERY_SECONDS_MAX", 0.01)

    answer = await process_in(Config(broker_url="127.0.0.1:1"))(TRIAL)

    assert "use a terminal" in answer.trouble
