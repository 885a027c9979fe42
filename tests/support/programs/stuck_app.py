"""A worker whose agent gets stuck when an event says so: see `test_watchdog`."""

import asyncio
import ctypes
import time
from collections.abc import Sequence
from typing import Any

from app.config import current
from app.delivery.agent import Caller
from app.delivery.agent_topics import consumed_topics, owned_topics
from app.worker.faust_app import channel_of, declare_table, make_app
from app.worker.runner import Runner
from app.worker.watchdog import Watchdog
from tests.support.agents import TALLY
from workflows.order import topics as order_topics
from workflows.order.messages import OrderCancelRequested
from workflows.payment import topics as payment_topics
from workflows.payment.messages import PaymentFailed
from workflows.shared.message import Message

FOR_EVER_SECONDS = 3_600
SLOW_SECONDS = 0.5


async def call(received: Message) -> Sequence[Message]:
    """Do as the reason of the cancellation says, and answer."""
    assert isinstance(received, OrderCancelRequested)
    match received.reason:
        case "wait":
            await asyncio.Event().wait()
        case "block":
            time.sleep(FOR_EVER_SECONDS)  # noqa: ASYNC251  that is the fault
        case "seize":
            # A call in C that keeps the interpreter: no other thread runs either.
            ctypes.PyDLL(None).sleep(FOR_EVER_SECONDS)
        case "slow":
            await asyncio.sleep(SLOW_SECONDS)
    return (PaymentFailed(transaction_id=received.order_id, reason=received.reason),)


AGENT = Caller(
    name="tally",
    service="test",
    consumes=(order_topics.orders,),
    produces=(payment_topics.payments,),
    table=TALLY,
    call=call,
)
config = current()
app = make_app(config)
app.owned_topics |= owned_topics(AGENT)
runner = Runner(app, AGENT, config, declare_table(app, AGENT, config))
app.before_tables.append(Watchdog(app, [runner], config).start)


async def tally(stream: Any) -> None:
    """Work until stuck."""
    await runner.run(stream)


app.agent(channel_of(app, consumed_topics(AGENT)), name="tally")(tally)
