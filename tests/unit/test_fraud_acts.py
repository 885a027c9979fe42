"""What operators do about fraud is told to the audit, and disturbs nobody who reads it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from app.cli import fraud as cli_fraud
from app.config import Config
from app.fraud.analysis.fraud_admin import ACTS, Act, as_act, outgoing
from app.operations.dead_letters.reader import _take_act as take_act
from app.wire import codecs, envelope, topics
from app.wire.records import Record
from app.wire.signing import sealed
from tests.unit.test_rulebook import rule
from workflows.audit.messages import (
    LetterDropped,
    ListChanged,
    PaymentLabelledByOperator,
    RuleChanged,
    RuleSnoozedByOperator,
)
from workflows.fraud.built_in_rules import BUILT_IN, FIELDS
from workflows.fraud.messages import PaymentLabelled
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed
from workflows.fraud.rulebook import Book, read_rule, with_list, with_rule
from workflows.shared.message import Message

AT_MS = 1_700_000_000_000
BEFORE = with_list(BUILT_IN, "blocked.card", frozenset({"k1", "k2"}))
BEFORE = with_rule(BEFORE, read_rule(rule(version=4, state="draft", approved_by=""), FIELDS))
ACT = Act(who="bob", why="too many", at_ms=AT_MS, before=BEFORE)
ACTIVE = rule(version=5)
SAID = {"who": "bob", "why": "too many"}


def told_id(word: Message) -> str:
    """Return the id of the event that the rooms hear."""
    return envelope.from_headers(outgoing(word, AT_MS).headers).id


@pytest.mark.parametrize(
    ("word", "kind", "parts"),
    [
        pytest.param(
            RulePut(rule_id="much", rule=ACTIVE),
            RuleChanged,
            {
                "about": "rule:much",
                "version_before": 4,
                "state_before": "draft",
                "version": 5,
                "state": "active",
                "rule": ACTIVE,
            },
            id="a rule that was there",
        ),
        pytest.param(
            RulePut(rule_id="new", rule=rule("new", version=1)),
            RuleChanged,
            {
                "about": "rule:new",
                "version_before": 0,
                "state_before": "",
                "version": 1,
                "state": "active",
                "rule": rule("new", version=1),
            },
            id="a new rule",
        ),
        pytest.param(
            ListPut(name="blocked.card", values=("k2", "k3"), by="bob"),
            ListChanged,
            {"about": "list:blocked.card", "added": ("k3",), "removed": ("k1",)},
            id="a list",
        ),
        pytest.param(
            RuleSnoozed(rule_id="much", entity="card:k1", until_ms=9, by="bob"),
            RuleSnoozedByOperator,
            {"about": "rule:much", "entity": "card:k1", "until_ms": 9},
            id="a snooze",
        ),
        pytest.param(
            PaymentLabelled(order_id="o1", fraud=True, source="chargeback", known_at_ms=AT_MS),
            PaymentLabelledByOperator,
            {"about": "o1", "fraud": True, "source": "chargeback"},
            id="a label",
        ),
    ],
)
def test_an_act_says_who_why_what_and_which_event(
    word: Message, kind: Any, parts: dict[str, Any]
) -> None:
    """It goes with the word itself, and both are read back as they were told."""
    act, said = as_act(word, ACT)

    assert kind(**SAID, **parts, event_id=told_id(word)) == act
    assert word == said
    for each in (act, said):
        record = outgoing(each, AT_MS)
        head = envelope.from_headers(record.headers)
        assert each == codecs.decode(record.value, head, record.key)
        assert AT_MS == head.time_ms
    assert "audit" == outgoing(act, AT_MS).topic


def test_the_same_act_has_the_same_id_and_another_has_another() -> None:
    """Told twice it is one event, of the act as of the word."""
    word = ListPut(name="blocked.card", values=("k3",), by="bob")
    one, same = (told_id(as_act(word, ACT)[0]) for _ in range(2))
    later = msgspec.structs.replace(ACT, at_ms=AT_MS + 1)

    assert one == same
    assert one != told_id(as_act(word, later)[0])


def test_everything_that_operators_say_has_an_act() -> None:
    """Rules and labels: what the console writes about fraud."""
    words = {*topics.fraud_rules.words, *topics.fraud_labels.words}

    assert words == set(ACTS)
    assert set(ACTS.values()) <= set(topics.audit.words)


@pytest.mark.parametrize(
    ("word", "who"),
    [
        pytest.param(RuleSnoozed(rule_id="much", entity="c", until_ms=9), "bob", id="the word"),
        pytest.param(RuleSnoozed(rule_id="much", entity="card:k1", until_ms=9), "", id="nobody"),
    ],
)
def test_what_keeps_no_limit_is_not_told(word: Message, who: str) -> None:
    """Neither the word nor the act: nobody could read it."""
    with pytest.raises(msgspec.ValidationError):
        as_act(word, msgspec.structs.replace(ACT, who=who))


def test_who_reads_letters_is_not_disturbed_by_other_acts() -> None:
    """Only what drops a letter drops one, whatever else is told on the topic."""
    config = Config(seal_key="secret")
    dropped: dict[str, str] = {}
    label = PaymentLabelled(order_id="o1", fraud=True, source="analyst", known_at_ms=AT_MS)
    acts = [
        as_act(label, ACT)[0],
        as_act(RulePut(rule_id="much", rule=ACTIVE), ACT)[0],
        LetterDropped(about="orders.payment.dead/0/1", who="bob", why="seen"),
    ]
    for act in acts:
        told = sealed(outgoing(act, AT_MS), config.seal_key)
        record = Record(
            topic=told.topic,
            partition=0,
            offset=0,
            key=told.key,
            value=told.value,
            headers=tuple(told.headers),
        )
        take_act(record, dropped, config)

    assert {"orders.payment.dead/0/1": "seen"} == dropped


COMMANDS = [
    pytest.param(["decide", "o1", "fraud"], PaymentLabelledByOperator, id="decide"),
    pytest.param(["chargeback", "o1"], PaymentLabelledByOperator, id="chargeback"),
    pytest.param(["rules", "put", "FILE"], RuleChanged, id="put"),
    pytest.param(["rules", "approve", "much"], RuleChanged, id="approve"),
    pytest.param(["rules", "pause", "much"], RuleChanged, id="pause"),
    pytest.param(["rules", "snooze", "much", "card:k1"], RuleSnoozedByOperator, id="snooze"),
    pytest.param(["rules", "list", "blocked.card", "k3"], ListChanged, id="list"),
]


@pytest.mark.parametrize(("command", "kind"), COMMANDS)
def test_every_command_tells_its_act_with_the_word_at_once(
    command: list[str], kind: type[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one call, by whom and why."""
    file = tmp_path / "rule.json"
    file.write_bytes(msgspec.json.encode(rule()))
    calls: list[list[Any]] = []

    async def tell(_config: Config, words: list[Any], _at_ms: int) -> None:
        calls.append(words)

    async def book_now(_config: Config) -> Book:
        return BEFORE

    monkeypatch.setattr(cli_fraud, "tell", tell)
    monkeypatch.setattr(cli_fraud, "book_now", book_now)
    monkeypatch.setattr(cli_fraud, "house", Config)
    named = [str(file) if part == "FILE" else part for part in command]
    result = CliRunner().invoke(cli_fraud.group, [*named, "--by", "bob", "--note", "too many"])

    assert 0 == result.exit_code, result.output
    ((act, word),) = calls
    assert (kind, "bob", "too many") == (type(act), act.who, act.why)
    assert kind is ACTS[type(word)]
