"""The topics of one agent: those that it reads, and those that only it may write."""

from app.delivery.agent import Agent, due_of, retries
from app.wire.topics import changelog_topic, dead_topic, redrive_topic, retry_topics, timers_topic


def consumed_topics(agent: Agent) -> tuple[str, ...]:
    """Return every topic `agent` reads: what it consumes, its retries, its own deadlines."""
    names = [topic.name for topic in agent.consumes]
    if retries(agent):
        names += [retry for name in list(names) for retry in retry_topics(name, agent.service)]
    if due_of(agent) is not None:
        names.append(timers_topic(agent.name))
    names.append(redrive_topic(agent.name))
    return tuple(names)


def owned_topics(agent: Agent) -> set[str]:
    """Return the topics that only the owner of the partitions of `agent` may write."""
    owned = {topic.name for topic in agent.produces}
    for received in agent.consumes:
        owned |= {
            dead_topic(received.name, agent.service),
            *retry_topics(received.name, agent.service),
        }
    if agent.table is not None:
        owned.add(changelog_topic(agent.table))
    return owned
