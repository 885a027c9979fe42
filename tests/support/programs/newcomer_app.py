"""A worker whose agent keeps no rows, beside one that keeps some: see `test_log_identity`."""

import sys
from collections.abc import Sequence
from typing import Any

import structlog

from app.config import current
from app.delivery.agent import Agent, Caller, Decider
from app.delivery.agent_topics import consumed_topics, owned_topics
from app.worker.faust_app import channel_of, declare_table, make_app
from app.worker.runner import Runner
from tests.support.agents import TALLY
from workflows.notification import topics as notification_topics
from workflows.order import topics as order_topics
from workflows.order.messages import OrderCancelRequested
from workflows.payment import topics as payment_topics
from workflows.payment.messages import PaymentFailed
from workflows.shared.message import Message


async def call(received: Message) -> Sequence[Message]:
    """Answer each cancellation."""
    assert isinstance(received, OrderCancelRequested)
    return (PaymentFailed(transaction_id=received.order_id, reason="cancelled"),)


AGENTS: tuple[Agent, ...] = (
    Caller(
        name="asks",
        service="test",
        consumes=(order_topics.orders,),
        produces=(payment_topics.payments,),
        call=call,
    ),
    Decider(
        name="tally",
        service="test",
        consumes=(notification_topics.notifications,),
        produces=(),
        table=TALLY,
        decide=lambda _state, _received, _at_ms: (),
        evolve=lambda state, _received, _at_ms: state,
    ),
)
config = current()
# Faust replaces the streams, and is started with the level of errors.
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
app = make_app(config)


def _open(agent: Agent) -> None:
    runner = Runner(app, agent, config, declare_table(app, agent, config))
    app.owned_topics |= owned_topics(agent)

    async def work(stream: Any) -> None:
        await runner.run(stream)

    app.agent(channel_of(app, consumed_topics(agent)), name=agent.name)(work)


for each in AGENTS:
    _open(each)
