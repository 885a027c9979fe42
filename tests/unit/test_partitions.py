"""How many partitions a topic has: computed by one function, and produced to where they are."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from app.config import Config
from app.fraud.analysis.fraud_admin import Action, as_action
from app.kafka.messages import console_record
from app.kafka.producer import partition_of
from app.registry import load_agents, wanted_topics
from app.wire.topics import partitions_of
from app.worker.local_producer import LocalProducer
from tests.support.examples.fraud_rules import rule
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed
from workflows.shared.message import Message

PARTITIONS = 7
CONFIG = Config(partitions=PARTITIONS)
ACTION = Action(who="ann", why="seen", at_ms=1)


class Producer:
    """An aiokafka producer that knows the topics of a real instance: there are no others."""

    def __init__(self, config: Config) -> None:
        self._partitions = {each.name: each.partitions for each in wanted_topics(config)}
        self.sent: list[tuple[str, int, bytes]] = []

    async def send(self, topic: str, key: bytes, partition: int, **_fields: Any) -> Any:
        assert partition < self._partitions[topic], f"{topic}/{partition} is not there"
        self.sent.append((topic, partition, key))
        future = asyncio.get_running_loop().create_future()
        future.set_result(SimpleNamespace(offset=len(self.sent)))
        return future


@pytest.mark.parametrize("partitions", [1, PARTITIONS])
def test_every_topic_is_made_with_the_partitions_it_is_said_to_have(partitions: int) -> None:
    """What is made and what is asked for are one number, whatever the kind of the topic."""
    config = Config(partitions=partitions)
    partitions_by_topic = {each.name: each.partitions for each in wanted_topics(config)}

    assert partitions_by_topic == {
        name: partitions_of(name, config) for name in partitions_by_topic
    }


@pytest.mark.parametrize(
    ("name", "then"),
    [
        pytest.param("orders", PARTITIONS, id="one that meets in a row"),
        pytest.param("fraud.rules", 1, id="one that says so itself"),
        pytest.param("orders.payment.dead", 1, id="dead letters"),
        pytest.param("workers", 1, id="the workers'"),
        pytest.param("notification.commands.notification.retry-1s", PARTITIONS, id="retries"),
        pytest.param("payment.redrive", PARTITIONS, id="dead letters sent back"),
        pytest.param("payment.timers", PARTITIONS, id="deadlines"),
        pytest.param("payflow-payment-payment-changelog", PARTITIONS, id="rows"),
    ],
)
def test_a_kind_of_topic_has_its_partitions(name: str, then: int) -> None:
    """By example; and each of them is there."""
    assert then == partitions_of(name, CONFIG)
    assert name in {each.name for each in wanted_topics(CONFIG)}


def rule_acts() -> list[Message]:
    """Return messages of an operator on rules, of many keys."""
    names = [f"r{number}" for number in range(20)]
    rules = [RulePut(rule_id=name, rule=rule(name)) for name in names]
    snooze = RuleSnoozed(rule_id="r1", entity="card:k1", until_ms=2)
    messages = [*rules, ListPut(name="blocked", values=("k1",)), snooze]
    return [each for message in messages for each in as_action(message, ACTION)]


async def test_the_console_produces_rules_where_there_is_a_partition() -> None:
    """The act goes by its key, the rule to the only partition there is."""
    load_agents()
    producer = Producer(CONFIG)
    app: Any = SimpleNamespace(producer=SimpleNamespace(_producer=producer))
    records = [console_record(message, ACTION.at_ms) for message in rule_acts()]

    await LocalProducer(app, CONFIG).send(records)

    sent = dict.fromkeys(producer.sent)
    assert {0} == {partition for topic, partition, _ in sent if topic == "fraud.rules"}
    assert 22 == sum(topic == "fraud.rules" for topic, _, _ in sent)
    actions = {(partition, key) for topic, partition, key in sent if topic == "audit"}
    assert {(partition_of(key, PARTITIONS), key) for _, key in actions} == actions
    assert len({partition for partition, _ in actions}) > 1
