"""The open transactions: the steps for which they wait, and which are stuck.

They are read from the changelog of their workflow's table, so no worker is asked.
"""

from collections import Counter

from aiohttp import web

from app.config import Config
from app.console.api.followed_rows import follow_rows, state_in
from app.console.api.quotas import Holdings
from app.registry import live_figures
from workflows.shared.workflow import Holding, Workflow

OpenBySteps = dict[str, dict[str, int]]
"""The number of waiting transactions, by step and status."""


class OpenOrders:
    """The open transactions of one workflow, without their content."""

    def __init__(self, workflow: Workflow, holdings: Holdings) -> None:
        self._workflow = workflow
        self._holdings = holdings
        self._open: dict[str, object] = {}

    @property
    def workflow(self) -> str:
        """Return the name of the workflow."""
        return self._workflow.name

    async def run(self, config: Config) -> None:
        """Follow the table, for ever."""
        await follow_rows(config, self._workflow.table, self.receive)

    def receive(self, key: str, body: bytes | None) -> None:
        """Receive the latest row of one transaction; None: it was deleted."""
        state = state_in(self._workflow.table, key, body)
        self._holdings.put(key, Holding() if state is None else self._workflow.view.holding(state))
        if state is None or not self._workflow.view.waits(state, 0):
            self._open.pop(key, None)
        else:
            # Thousands may be open, so only the fields that determine the status are kept.
            self._open[key] = self._workflow.view.brief(state)

    def counts(self, at_ms: int) -> OpenBySteps:
        """Return the number of waiting transactions by step and status."""
        view = self._workflow.view
        counts = Counter(each for state in self._open.values() for each in view.waits(state, at_ms))
        return {
            step.name: {status: counts[step.name, status] for status in view.open_statuses}
            for step in self._workflow.steps
        }


OPEN_ORDERS: web.AppKey[tuple[OpenOrders, ...]] = web.AppKey("open_orders")


def open_by_workflow(
    app: web.Application, at_ms: int
) -> tuple[OpenBySteps, dict[str, OpenBySteps]]:
    """Return the waiting transactions of the first workflow with figures, and of the others.

    Steps of different workflows may have the same name.
    """
    counts = {each.workflow: each.counts(at_ms) for each in app[OPEN_ORDERS]}
    return counts.pop(next(iter(live_figures()))), counts
