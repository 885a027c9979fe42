"""The open cases of all transactions: what waits for the decision of an operator.

They are read from the changelogs of the tables that hold them, so no worker is asked.
"""

from collections.abc import Iterator
from typing import TypedDict

import msgspec
from aiohttp import web

from app.config import Config
from app.console.api.context import CONTEXT
from app.console.api.followed_rows import follow_rows, state_in
from app.console.api.problems import JsonResponse, json_response
from app.registry import load_workflows
from workflows.shared.cases import CaseView, OpenCase

SHOWN_MAX = 500
"""Cases in one answer; the first of them are the most urgent ones."""
NEVER_MS = 1 << 62


class ShownCase(OpenCase, frozen=True, kw_only=True):
    """A case, and whose it is."""

    transaction_id: str


class CasePage(TypedDict):
    """The most urgent cases, and how many there are."""

    cases: list[ShownCase]
    count: int
    at_ms: int


class OpenCases:
    """The open cases of one table."""

    def __init__(self, view: CaseView) -> None:
        self._view = view
        self._open: dict[str, tuple[OpenCase, ...]] = {}

    async def run(self, config: Config) -> None:
        """Follow the table, for ever."""
        await follow_rows(config, self._view.table, self.receive)

    def receive(self, key: str, body: bytes | None) -> None:
        """Receive the latest row of one transaction; None: it was deleted."""
        state = state_in(self._view.table, key, body)
        if state is not None and (cases := self._view.open(state)):
            self._open[key] = cases
        else:
            self._open.pop(key, None)

    def every(self) -> Iterator[ShownCase]:
        """Yield every case."""
        for key, cases in self._open.items():
            for case in cases:
                yield ShownCase(transaction_id=key, **msgspec.structs.asdict(case))


def case_views() -> tuple[CaseView, ...]:
    """Return where cases lie: workflows that share a participant share its table."""
    views = (each.view.cases for each in load_workflows().values())
    return tuple({view.table: view for view in views if view is not None}.values())


OPEN_CASES: web.AppKey[tuple[OpenCases, ...]] = web.AppKey("open_cases")


def every_case(app: web.Application) -> list[ShownCase]:
    """Return the open cases: those that end first, then the oldest."""
    shown_cases = (case for cases in app[OPEN_CASES] for case in cases.every())
    return sorted(
        shown_cases, key=lambda each: (each.until_ms or NEVER_MS, each.since_ms, each.key)
    )


async def show(request: web.Request) -> JsonResponse[CasePage]:
    """Return the open cases, SHOWN_MAX at most, and how many there are."""
    cases = every_case(request.app)
    at_ms = request.app[CONTEXT].now_ms()
    return json_response({"cases": cases[:SHOWN_MAX], "count": len(cases), "at_ms": at_ms})
