"""What payments are judged by: the model that comes along, and the book as it is changed."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.config import Config
from app.fraud.analysis.offline import Offline
from app.fraud.live.judge import MODELS, FollowedJudge, changed, next_version, open_judge
from app.kafka.messages import console_record
from app.wire.records import Record
from app.wire.signing import signed
from tests.support.examples.fraud import EVERYBODY, NOON_MS, paid
from tests.support.examples.fraud_rules import rule
from tests.support.workflow_runner import JUDGE, after, receive
from workflows.fraud import process as fraud
from workflows.fraud.built_in_rules import BUILT_IN
from workflows.fraud.condition import RuleError
from workflows.fraud.messages import FraudCleared, FraudDetected, VerdictBasis
from workflows.fraud.model import ModelError, contributions, score
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed
from workflows.fraud.topics import by_rule
from workflows.fraud.verdict import Judge
from workflows.payment.messages import PaymentCompleted
from workflows.payment.origin import Origin

KEY = Config().signing_key
SHOP = Origin(terminal_id="t1")


def basis(pounds: int, origin: Origin, folder: str = "") -> VerdictBasis:
    """Return the verdict on a first payment."""
    queries = Offline(open_judge(Config(fraud_models=folder)))
    emitted = queries.receive(paid("o1", 0, pounds, origin=origin), NOON_MS)
    (verdict,) = [
        message for message in emitted if isinstance(message, FraudDetected | FraudCleared)
    ]
    assert verdict.basis is not None
    return verdict.basis


def test_the_model_that_comes_along_knows_large_from_small() -> None:
    """At a terminal; it says why, and from which version it is."""
    large, small = basis(400, SHOP), basis(20, SHOP)

    assert large.model_score is not None
    assert small.model_score is not None
    assert large.model_score > 0.3
    assert small.model_score < 0.1
    assert ("model", "review") == (large.decided_by, large.outcome)
    assert "amount" in {each.figure for each in large.contributions}
    assert large.model_version == open_judge(Config()).models[0].version


def test_the_model_says_nothing_of_payments_that_it_does_not_know() -> None:
    """A web shop has no terminal."""
    assert ("allow", None, "") == (
        (verdict_basis := basis(400, Origin())).outcome, verdict_basis.model_score,
        verdict_basis.model_version,
    )  # fmt: skip


@pytest.mark.parametrize(
    "payment",
    [
        pytest.param(paid("o1"), id="a web shop"),
        pytest.param(paid("o1", guest=True), id="a guest of whom nothing is known"),
        pytest.param(paid("o1", origin=EVERYBODY), id="everybody is there"),
    ],
)
def test_no_rule_is_unknown_for_an_entity_that_the_payment_does_not_have(
    payment: PaymentCompleted,
) -> None:
    """Every rule that Payflow begins with is answered, or does not apply."""
    verdict = Offline(open_judge(Config())).receive(payment, NOON_MS)[-1]

    assert isinstance(verdict, FraudDetected | FraudCleared)
    assert verdict.basis is not None
    assert () == verdict.basis.unknown


def test_a_rule_put_between_question_and_verdict_is_unknown_where_it_applies() -> None:
    """The card was not asked for it; a terminal there is none."""
    book = BUILT_IN
    for of in ("card", "terminal"):
        when = {"ge": [{"max": {"of": of, "window_seconds": 7}}, 1]}
        book = changed(book, RulePut(rule_id=f"new.{of}", rule=rule(f"new.{of}", when=when)))
    origin = Origin(card_id="k1")
    state, questions = after(fraud, paid("o1", origin=origin))
    queries = Offline(JUDGE)
    emitted: tuple[Any, ...] = ()
    for question in questions:
        (answer,) = queries._answer(question, NOON_MS)
        state, emitted = receive(fraud, state, answer, Judge(book=book))

    (verdict,) = emitted
    assert isinstance(verdict, FraudCleared)
    assert verdict.basis is not None
    assert ("new.card",) == verdict.basis.unknown


def test_a_model_on_trial_judges_along_and_decides_nothing(tmp_path: Path) -> None:
    """It stands beside the active one, here beside none."""
    (tmp_path / "trial.json").write_bytes((MODELS / "default.json").read_bytes())
    verdict_basis = basis(400, SHOP, str(tmp_path))

    assert ("allow", None) == (verdict_basis.outcome, verdict_basis.model_score)
    assert verdict_basis.shadow_score is not None
    assert verdict_basis.shadow_score > 0.3


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    """Before anybody is judged by it."""
    (tmp_path / "broken.json").write_text("{}")

    with pytest.raises(ModelError, match=r"broken\.json"):
        open_judge(Config(fraud_models=str(tmp_path)))


def test_messages_of_the_topic_change_the_book() -> None:
    """A rule, a list, a snooze."""
    book = changed(BUILT_IN, RulePut(rule_id="much", rule=rule()))
    book = changed(book, ListPut(name="blocked.card", values=("k1",)))
    book = changed(book, RuleSnoozed(rule_id="much", entity="customer:c1", until_ms=9))

    assert "much" in book.rules
    assert frozenset({"k1"}) == book.lists["blocked.card"]
    assert ("much", "customer:c1") in book.snoozes


@pytest.mark.parametrize(
    ("message", "place"),
    [
        pytest.param(RulePut(rule_id="other", rule=rule()), "rule_id", id="another's name"),
        pytest.param(RulePut(rule_id="much", rule={}), "", id="nothing"),
        pytest.param(
            RuleSnoozed(rule_id="much", entity="nobody", until_ms=9), "entity", id="no entity"
        ),
    ],
)
def test_what_is_no_rule_is_refused(message: Any, place: str) -> None:
    """By its place; the book stays."""
    with pytest.raises(RuleError) as refused:
        changed(BUILT_IN, message)

    assert place == refused.value.place


def test_a_snapshot_scored_again_gives_the_same_bits() -> None:
    """After a way through JSON, as it is emitted."""
    verdict_basis = basis(400, SHOP)
    again = msgspec.json.decode(msgspec.json.encode(verdict_basis), type=VerdictBasis)
    (model,) = open_judge(Config()).models

    assert verdict_basis.model_score == score(model, again.snapshot)
    assert verdict_basis.contributions == contributions(model, again.snapshot)


OLD = ListPut(name="blocked.card", values=(), version=1)
NEW = ListPut(name="blocked.card", values=("k1",), version=2)
ASLEEP = RuleSnoozed(rule_id="much", entity="card:k1", until_ms=9_000, version=1)
AWAKE = RuleSnoozed(rule_id="much", entity="card:k1", until_ms=1, version=2)


def without_version(message: Any) -> Any:
    """Return `message` as it was written before messages had versions."""
    return msgspec.structs.replace(message, version=0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(OLD, NEW, id="a list"),
        pytest.param(ASLEEP, AWAKE, id="a snooze that was ended"),
        pytest.param(without_version(OLD), NEW, id="a list of before there were versions"),
        pytest.param(without_version(OLD), without_version(NEW), id="both of before"),
        pytest.param(
            RulePut(rule_id="much", rule=rule(version=3)),
            RulePut(rule_id="much", rule=rule(version=4, state="paused")),
            id="a rule",
        ),
        pytest.param(
            RulePut(rule_id="much", rule=rule(version=3)),
            RulePut(rule_id="much", rule=rule(version=3, state="paused")),
            id="a rule of the same version, put a moment before",
        ),
    ],
)
def test_an_old_message_that_somebody_repeats_changes_nothing(old: Any, new: Any) -> None:
    """Its signature is right: it is a record of ours. What is newer stands, and may come again."""
    book = changed(changed(BUILT_IN, old, 1_000), new, 2_000)

    assert book is changed(book, old, 1_000)
    assert book == changed(book, new, 2_000)
    assert book.revision != changed(BUILT_IN, old, 1_000).revision


def test_the_next_version_follows_the_latest_also_of_what_is_over() -> None:
    """A snooze that was ended is still known by its version."""
    book = changed(changed(BUILT_IN, ASLEEP), AWAKE)

    assert 3 == next_version(book, by_rule(ASLEEP))
    assert 1 == next_version(book, by_rule(NEW))


def test_the_judge_refuses_what_is_repeated_and_counts_it() -> None:
    """A card that is blocked stays blocked."""
    judge = FollowedJudge(Config())
    for at_ms, message in enumerate((OLD, NEW, OLD), start=1_000):
        # The same bytes again: with the time of their first production.
        sent = signed(console_record(message, min(at_ms, 1_001) - (message is OLD)), KEY)
        judge.receive(
            Record(
                topic=sent.topic,
                partition=0,
                offset=at_ms,
                key=sent.key,
                value=sent.value,
                headers=tuple(sent.headers),
            )
        )

    assert frozenset({"k1"}) == judge.current().book.lists["blocked.card"]
