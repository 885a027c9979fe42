"""The audit records what operators do about fraud, and its readers are not disturbed."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from app.cli import fraud
from app.cli.main import app
from app.config import Config
from app.fraud.analysis.fraud_admin import ACTIONS, Action, as_action
from app.kafka.messages import console_record
from app.operations.dead_letters.reader import Actions
from app.wire import codecs
from app.wire.envelope import from_headers
from app.wire.records import Record
from app.wire.signing import signed
from tests.support.examples.fraud_rules import rule
from workflows.audit import topics as audit_topics
from workflows.audit.dead_letter_actions import DeadLetterDiscarded
from workflows.audit.messages import (
    ListChanged,
    PaymentLabelledByOperator,
    RuleChanged,
    RuleSnoozedByOperator,
)
from workflows.fraud import topics as fraud_topics
from workflows.fraud.built_in_rules import BUILT_IN, FIELDS
from workflows.fraud.messages import PaymentLabelled
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed
from workflows.fraud.rulebook import RULES_MAX, Book, read_rule, with_list, with_rule
from workflows.shared.message import Message

AT_MS = 1_700_000_000_000
BEFORE = with_list(BUILT_IN, "blocked.card", frozenset({"k1", "k2"}))
BEFORE = with_rule(BEFORE, read_rule(rule(version=4, state="draft", approved_by=""), FIELDS))
ACTION = Action(who="bob", why="too many", at_ms=AT_MS, before=BEFORE)
ACTIVE = rule(version=5)
SAID = {"who": "bob", "why": "too many"}


def emitted_id(message: Message) -> str:
    """Return the id of the event that the agents receive."""
    return from_headers(console_record(message, AT_MS).headers).id


@pytest.mark.parametrize(
    ("message", "kind", "parts"),
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
            PaymentLabelled(
                transaction_id="o1", fraud=True, source="chargeback", known_at_ms=AT_MS
            ),
            PaymentLabelledByOperator,
            {"about": "o1", "fraud": True, "source": "chargeback"},
            id="a label",
        ),
    ],
)
def test_an_act_says_who_why_what_and_which_event(
    message: Message, kind: Any, parts: dict[str, Any]
) -> None:
    """It goes with the message itself, and both are read back as they were emitted."""
    action, same_message = as_action(message, ACTION)

    assert kind(**SAID, **parts, event_id=emitted_id(message)) == action
    assert message == same_message
    for each in (action, same_message):
        record = console_record(each, AT_MS)
        envelope = from_headers(record.headers)
        assert each == codecs.decode(record.value, envelope, record.key)
        assert AT_MS == envelope.time_ms
    assert "audit" == console_record(action, AT_MS).topic


def test_the_same_act_has_the_same_id_and_another_has_another() -> None:
    """Produced twice, the act and the message are each one event."""
    message = ListPut(name="blocked.card", values=("k3",), by="bob")
    one, same = (emitted_id(as_action(message, ACTION)[0]) for _ in range(2))
    later = msgspec.structs.replace(ACTION, at_ms=AT_MS + 1)

    assert one == same
    assert one != emitted_id(as_action(message, later)[0])


def test_everything_that_operators_say_has_an_act() -> None:
    """Rules and labels: what the console writes about fraud."""
    messages = {*fraud_topics.fraud_rules.messages, *fraud_topics.fraud_labels.messages}

    assert messages == set(ACTIONS)
    assert set(ACTIONS.values()) <= set(audit_topics.audit.messages)


@pytest.mark.parametrize(
    ("message", "who"),
    [
        pytest.param(RuleSnoozed(rule_id="much", entity="c", until_ms=9), "bob", id="the message"),
        pytest.param(RuleSnoozed(rule_id="much", entity="card:k1", until_ms=9), "", id="nobody"),
    ],
)
def test_what_keeps_no_limit_is_not_emitted(message: Message, who: str) -> None:
    """Neither the message nor the act: nobody could read it."""
    with pytest.raises(msgspec.ValidationError):
        as_action(message, msgspec.structs.replace(ACTION, who=who))


@pytest.mark.parametrize(
    ("rule", "before"),
    [
        pytest.param(
            ACTIVE | {"when": {"in": [{"field": "country"}, [f"{at:0200}" for at in range(999)]]}},
            BUILT_IN,
            id="a rule of too many bytes",
        ),
        pytest.param(
            ACTIVE,
            msgspec.structs.replace(
                BUILT_IN,
                rules={f"r{at}": BUILT_IN.rules["velocity.card"] for at in range(RULES_MAX)},
            ),
            id="one rule too many",
        ),
    ],
)
def test_rules_that_would_make_verdicts_too_long_are_not_emitted(
    rule: dict[str, Any], before: Book
) -> None:
    """A verdict names every rule that hits, and is one message."""
    action = msgspec.structs.replace(ACTION, before=before)

    with pytest.raises(msgspec.ValidationError, match=r"at most|as many as"):
        as_action(RulePut(rule_id="much", rule=rule), action)


def test_who_reads_dead_letters_is_not_disturbed_by_other_acts() -> None:
    """Only what drops a dead letter drops one, whatever else is emitted on the topic."""
    config = Config(signing_key="secret")
    dead_letter_actions = Actions()
    label = PaymentLabelled(transaction_id="o1", fraud=True, source="analyst", known_at_ms=AT_MS)
    actions = [
        as_action(label, ACTION)[0],
        as_action(RulePut(rule_id="much", rule=ACTIVE), ACTION)[0],
        DeadLetterDiscarded(about="orders.payment.dead/0/1", who="bob", why="seen"),
    ]
    for action in actions:
        emitted = signed(console_record(action, AT_MS), config.signing_key)
        record = Record(
            topic=emitted.topic,
            partition=0,
            offset=0,
            key=emitted.key,
            value=emitted.value,
            headers=tuple(emitted.headers),
        )
        dead_letter_actions.take(record, config)

    assert {"orders.payment.dead/0/1": "seen"} == dead_letter_actions.discarded


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
def test_every_command_produces_its_act_with_the_message_at_once(
    command: list[str], kind: type[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one call, by whom and why."""
    file = tmp_path / "rule.json"
    file.write_bytes(msgspec.json.encode(rule()))
    calls: list[list[Any]] = []

    async def publish(_config: Config, messages: list[Any], _at_ms: int) -> None:
        calls.append(messages)

    async def book_now(_config: Config) -> Book:
        return BEFORE

    monkeypatch.setattr(fraud, "publish", publish)
    monkeypatch.setattr(fraud, "book_now", book_now)
    monkeypatch.setattr(fraud, "running_instance", Config)
    arguments = [str(file) if part == "FILE" else part for part in command]
    result = CliRunner().invoke(app, ["fraud", *arguments, "--by", "bob", "--note", "too many"])

    assert 0 == result.exit_code, result.output
    ((action, message),) = calls
    assert (kind, "bob", "too many") == (type(action), action.who, action.why)
    assert kind is ACTIONS[type(message)]
