"""A worker with the test agent `tally`, as small as a real worker can be: see `test_delivery`."""

from typing import Any

from app.config import current
from app.delivery.agent_topics import consumed_topics, owned_topics
from app.worker.faust_app import channel_of, declare_table, make_app
from app.worker.runner import Runner
from tests.support.agents import ANSWERS

config = current()
app = make_app(config)
app.owned_topics |= owned_topics(ANSWERS)
runner = Runner(app, ANSWERS, config, declare_table(app, ANSWERS, config))


async def tally(stream: Any) -> None:
    """Count cancellations."""
    await runner.run(stream)


app.agent(channel_of(app, consumed_topics(ANSWERS)), name="tally")(tally)
