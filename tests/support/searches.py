"""Searches in this process, over records in lists: what answers is that of a search process."""

from collections.abc import AsyncGenerator
from functools import partial

import pytest

from app.config import Config
from app.console.api import searches
from app.operations.search import search_process
from app.operations.search.process_pool import ProcessPool
from app.operations.search.question import Begun, Question, Refused
from app.operations.search.scan import NO_LIMIT
from app.operations.search.scan_events import Event


class LocalSearch:
    """Answers as a search process does, and cannot be ended."""

    usable = True

    def __init__(self, config: Config) -> None:
        self._config = config

    async def ask(self, question: Question) -> AsyncGenerator[Begun | Event]:
        async for answer in search_process.answers(self._config, question, NO_LIMIT):
            if isinstance(answer, Refused):
                raise answer.error()
            yield answer

    async def kill(self) -> None:
        self.usable = False


async def local(config: Config) -> LocalSearch:
    """Start nothing."""
    return LocalSearch(config)


def search_locally(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let consoles that are made from now on search in this process."""
    monkeypatch.setattr(searches, "ProcessPool", partial(ProcessPool, start=local))
