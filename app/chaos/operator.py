"""The operator of a drill, who decides each case that `verify` names."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from random import Random

from app.chaos.load import Load, Refused
from app.entrypoints.drill_load import LoadRequest
from app.entrypoints.requests import load_entrypoints
from app.local.instance_folder import approver
from workflows.shared.invariants import Check

NAME = "drill"
AT_ONCE = 8
"""Decisions under way: each waits for the console, and a fault may leave a hundred to decide."""


class Operator:
    """Decides by the seed. There is a person of that name once something is to be decided."""

    def __init__(self, folder: Path, seed: int, load: Load) -> None:
        self.decisions = 0
        self._folder = folder
        self._load = load
        self._random = Random(f"payflow operator {seed}")  # noqa: S311  a seed has to replay
        self._cases = {
            check: ask for each in load_entrypoints().loads for check, ask in each.cases.items()
        }
        self._headers: dict[str, str] = {}
        self.cases: set[tuple[str, str]] = set()
        """Those that were named until now: check and transaction."""

    async def decide(self, checks: Iterable[Check]) -> bool:
        """Decide the cases that `checks` name; return whether there were any."""
        offending = [
            (check.name, name)
            for check in checks
            if check.name in self._cases
            for name in check.offending
        ]
        self.cases.update(offending)
        waiting = [self._cases[check](name, self._random) for check, name in offending]
        if waiting and not self._headers:
            self._headers = {"Authorization": f"Bearer {approver(self._folder, NAME)}"}
        at_once = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._decide(request, at_once) for request in waiting))
        return bool(waiting)

    async def _decide(self, request: LoadRequest, at_once: asyncio.Semaphore) -> None:
        # Its row may have moved on since `verify` has read it.
        async with at_once:
            with suppress(Refused):
                await self._load.post(request, self._headers)
                self.decisions += 1
