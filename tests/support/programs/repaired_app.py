"""The worker of `tally_app` with its bug fixed: it handles what it dead-lettered before."""

from typing import Any

import msgspec

from app.config import current
from app.delivery.agent_topics import consumed_topics, owned_topics
from app.worker.faust_app import channel_of, declare_table, make_app
from app.worker.runner import Runner
from tests.support.agents import ANSWERS, Tally
from workflows.payment.messages import PaymentFailed
from workflows.shared.message import Message


def decide(state: Tally, received: Any, _at_ms: int) -> tuple[Message, ...]:
    """Return the answer, whatever the reason."""
    return (PaymentFailed(transaction_id=received.order_id, reason=f"number {state.received + 1}"),)


REPAIRED = msgspec.structs.replace(ANSWERS, decide=decide)
config = current()
app = make_app(config)
app.owned_topics |= owned_topics(REPAIRED)
runner = Runner(app, REPAIRED, config, declare_table(app, REPAIRED, config))


async def tally(stream: Any) -> None:
    """Count cancellations."""
    await runner.run(stream)


app.agent(channel_of(app, consumed_topics(REPAIRED)), name="tally")(tally)
