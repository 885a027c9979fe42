"""Every fault of the drill once, small: one instance for all of them, one test a fault.

`make chaos` is the same drill at its full size.
"""

import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import stamina

from app.chaos.drill import Drill, DrillOptions, open_drill
from app.chaos.plan import FAULTS, plan
from app.chaos.report import build, final_breaches, markdown
from app.chaos.size import SMALL
from app.chaos.worker_faults import obstacle
from app.registry import services
from tests.support.broker import local_config

WANTED = DrillOptions(seed=42_072, rate=4.0, size=SMALL)
"""Of this seed, services whose rows have an outbox are killed, frozen, and crash once stored."""
DECIDED = ("captures_declined", "holds_expire")
"""Faults that leave items unpaid, until an operator decides."""
STEPS = {step.fault: step for step in plan(WANTED.seed, services(), size=WANTED.size)}

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(420)]


def say(line: str) -> None:
    """Show progress; pytest prints it of a test that failed."""
    sys.stderr.write(f"{line}\n")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drill(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Drill]:
    """A drill on an instance of its own, broker and ports included, under a small load."""
    ports = {"provider_port": 0, "carrier_port": 0}
    config = local_config(tmp_path_factory.mktemp("faults"), **ports)
    # Customers ask again all the time while faults are in force: that is not news.
    hooks = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks(())
    async with open_drill(config, WANTED, say) as drill:
        yield drill
    stamina.instrumentation.set_on_retry_hooks(hooks)


@pytest.mark.parametrize("fault", FAULTS)
async def test_payflow_holds(drill: Drill, fault: str) -> None:
    """Every service concerned goes on, and the books agree."""
    if reason := obstacle(fault):
        pytest.skip(reason)

    outcome = await drill.run_step(STEPS[fault])

    assert not outcome.breaches, outcome.cause
    if fault in DECIDED:
        assert outcome.written["decisions of an operator"]


async def test_afterwards_every_order_ends_and_every_row_is_that_of_its_changelog(
    drill: Drill,
) -> None:
    """No order was lost in any fault, and stopped workers leave the tables that they should."""
    drilled = await drill.finish()

    assert () == final_breaches(drilled), "\n".join(final_breaches(drilled))
    assert () == drilled.lost
    report = build(drilled)
    assert drilled.verdict.figures["orders_completed"]
    # No fault here is as long as a deadline of an order: one that missed it has lost a message.
    assert "overdue" not in drilled.verdict.figures["orders_cancelled"], markdown(report)
