"""The composition root: joins the agents of one service to Faust."""

import importlib
from collections.abc import Sequence
from typing import Any

from app.config import Config
from app.delivery.agent import Agent, due_of
from app.delivery.agent_topics import consumed_topics, owned_topics
from app.registry import check_declarations, load_agents, services
from app.worker.faust_app import PayflowApp, channel_of, declare_table, make_app
from app.worker.metrics import declare_metrics
from app.worker.runner import Runner


def build(config: Config) -> tuple[PayflowApp, Sequence[Runner]]:
    """Return the Faust app of `config.service` with its agents open.

    Raises ValueError when no agent belongs to that service, DeclarationError when what is declared
    contradicts itself.
    """
    check_declarations()
    found_agents = [agent for agent in load_agents().values() if agent.service == config.service]
    if not found_agents:
        raise ValueError(
            f"no agent belongs to service {config.service!r}. "
            f"Operator: set PAYFLOW_SERVICE to one of {', '.join(services())}."
        )
    declare_metrics()
    app = make_app(config)
    runners = [_open(app, agent, config) for agent in found_agents]
    return app, runners


def _open(app: PayflowApp, agent: Agent, config: Config) -> Runner:
    store = declare_table(app, agent, config)
    runner = Runner(app, agent, config, store)
    app.owned_topics |= owned_topics(agent)
    channel = channel_of(app, consumed_topics(agent))

    async def work(stream: Any) -> None:
        await runner.run(stream)

    work.__name__ = agent.name
    work.__doc__ = (importlib.import_module(f"agents.{agent.name}").__doc__ or "").strip()
    app.agent(channel, name=agent.name)(work)
    if due_of(agent) is not None and agent.table is not None:
        app.tables[agent.table.name].on_recover(runner.rebuild)
        app.task(runner.wake)
    return runner
