"""With more than one replica, no record is lost with one broker; with one, nothing is asked."""

from typing import Any, Self

import pytest

import tables
from app.config import Config
from app.kafka import durability
from app.kafka.durability import SYNCED, UNCLEAN, check_durable, forgetful_topics
from app.kafka.errors import TopicError
from app.registry import wanted_topics
from app.wire.topics import changelog_topic
from workflows.shared.topic import DAY_MS

DURABLE = {SYNCED: "2", UNCLEAN: "false"}


class Cluster:
    """A cluster that says what it was given of each topic."""

    def __init__(self, replicas: int, settings: dict[str, dict[str, str]]) -> None:
        self.replicas = replicas
        self.settings = settings

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "topic": name,
                "error_code": 0 if name in self.settings else 3,
                "partitions": [{"replicas": list(range(self.replicas))}],
            }
            for name in names
        ]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    own = Cluster(3, {})

    async def settings(_: object, names: list[str], __: object) -> dict[str, dict[str, str]]:
        return {name: own.settings[name] for name in names if name in own.settings}

    monkeypatch.setattr(durability, "admin_client", lambda _: own)
    monkeypatch.setattr(durability, "topic_settings", settings)
    return own


@pytest.mark.parametrize(
    ("replicas", "settings", "objection"),
    [
        pytest.param(3, {**DURABLE, SYNCED: "1"}, "orders has min.insync.replicas=1", id="alone"),
        pytest.param(3, {UNCLEAN: "false"}, "min.insync.replicas=1, 2 are needed", id="default"),
        pytest.param(3, {**DURABLE, UNCLEAN: "true"}, "may lead", id="unclean"),
        pytest.param(1, DURABLE, "orders has 1 replica", id="one-replica"),
    ],
)
async def test_a_topic_that_may_lose_what_it_acknowledged_is_refused(
    cluster: Cluster, replicas: int, settings: dict[str, str], objection: str
) -> None:
    """The refusal names the topic, what it has and the command that mends it."""
    cluster.replicas = replicas
    cluster.settings["orders"] = settings

    with pytest.raises(TopicError, match=objection) as refused:
        await check_durable(Config(replication=3), ["orders", "not-made-yet"])

    assert "kafka-configs.sh" in str(refused.value)


async def test_many_topics_are_counted_and_not_listed(cluster: Cluster) -> None:
    """An operator reads one line."""
    cluster.settings |= {f"topic-{number}": {} for number in range(9)}

    with pytest.raises(TopicError, match="and 6 more"):
        await check_durable(Config(replication=3), cluster.settings)


async def test_durable_topics_and_a_single_replica_pass(cluster: Cluster) -> None:
    """One replica is the choice of a single broker: nothing is asked of it."""
    cluster.settings["orders"] = DURABLE
    await check_durable(Config(replication=3), ["orders"])

    cluster.settings["orders"] = {}
    await check_durable(Config(replication=1), ["orders"])

    assert Config().replication == 1


def test_every_topic_is_made_durable_where_there_are_replicas() -> None:
    """Also those of workers, dead letters, timers and changelogs."""
    specs = wanted_topics(Config(replication=3))

    assert [] == [spec.name for spec in specs if spec.config.items() < DURABLE.items()]
    assert all(DURABLE.items() <= spec.config.items() for spec in specs)
    assert not any(SYNCED in spec.config for spec in wanted_topics(Config(replication=1)))


def test_what_a_service_reads_outlives_its_absence_of_eight_days() -> None:
    """`workers` says who runs now; nobody reads it later."""
    short = {
        spec.name
        for spec in wanted_topics(Config())
        if spec.cleanup == "delete" and 0 <= spec.retention_ms < 31 * DAY_MS
    }

    assert {"workers"} == short


def test_no_message_of_a_workflow_is_lost_to_a_repeated_old_one() -> None:
    """Compaction keeps what came last: of rows the latest, of repeated records an old one."""
    compacted = {spec.name for spec in wanted_topics(Config()) if spec.cleanup == "compact"}

    changelogs = {changelog_topic(table) for table in tables.declared.values()}
    assert {*changelogs, "figures"} == compacted


async def test_topics_of_an_earlier_version_are_named(cluster: Cluster) -> None:
    """They keep their seven days: nobody alters a topic of somebody's cluster by himself."""
    specs = wanted_topics(Config())
    cluster.settings |= {spec.name: {"retention.ms": str(spec.retention_ms)} for spec in specs}
    assert [] == await forgetful_topics(Config(), specs)

    cluster.settings["orders"] = {"retention.ms": str(90 * DAY_MS)}
    cluster.settings["stock.commands"] = {"retention.ms": str(7 * DAY_MS)}
    cluster.settings["fraud.rules"] = {"retention.ms": "-1", "cleanup.policy": "compact"}

    assert ["fraud.rules", "orders", "stock.commands"] == await forgetful_topics(Config(), specs)
