"""A worker whose room gets stuck when an event says so: see `test_watchdog`."""

import asyncio
import ctypes
import time
from collections.abc import Sequence
from typing import Any

from app.composition import owned_topics
from app.config import current
from app.delivery.agent import Room
from app.wire import topics
from app.worker.faust_app import channel_of, declare_table, heard_topics, make_app
from app.worker.runner import Runner
from app.worker.watchdog import Watchdog
from tests.shell.rooms import TALLY
from workflows.order.messages import OrderCancelRequested
from workflows.payment.messages import PaymentFailed
from workflows.shared.message import Message

FOR_EVER_SECONDS = 3_600
SLOW_SECONDS = 0.5


async def call(heard: Message) -> Sequence[Message]:
    """Do as the reason of the cancellation says, and answer."""
    assert isinstance(heard, OrderCancelRequested)
    match heard.reason:
        case "wait":
            await asyncio.Event().wait()
        case "block":
            time.sleep(FOR_EVER_SECONDS)  # noqa: ASYNC251  that is the fault
        case "seize":
            # A call in C that keeps the interpreter: no other thread runs either.
            ctypes.PyDLL(None).sleep(FOR_EVER_SECONDS)
        case "slow":
            await asyncio.sleep(SLOW_SECONDS)
    return (PaymentFailed(order_id=heard.order_id, reason=heard.reason),)


ROOM = Room(
    name="tally",
    service="test",
    hears=(topics.orders,),
    tells=(topics.payments,),
    keeps=TALLY,
    call=call,
)
config = current()
app = make_app(config)
app.owned_topics |= owned_topics(ROOM)
runner = Runner(app, ROOM, config, declare_table(app, ROOM, config))
app.before_tables.append(Watchdog(app, [runner], config).start)


async def tally(stream: Any) -> None:
    """Work until stuck."""
    await runner.run(stream)


app.agent(channel_of(app, heard_topics(ROOM)), name="tally")(tally)
