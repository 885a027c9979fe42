"""Searches in a process of their own: one that runs away is ended, and the answer says so."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from app.config import Config
from app.kafka.errors import InspectionError
from app.operations.search.process_pool import ProcessPool, SearchProcess
from app.operations.search.query import BadTerm
from app.operations.search.question import Begun, Question
from app.operations.search.scan_events import Done, Event, Found
from app.operations.search.starts import parse_cursor
from tests.support.programs.search_lists import LONG_AT, RECORDS, TOPIC

pytest.importorskip("cel")

PROGRAM = "tests.support.programs.search_lists"
SQUARE = "body.lines.all(x, body.lines.all(y, x.quantity + y.quantity >= 0))"
"""Of three thousand lines: nine million steps."""


class Started:
    """Starts search processes, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    async def start(self, config: Config) -> SearchProcess:
        self.count += 1
        return await SearchProcess.start(config, PROGRAM)


@pytest.fixture
async def started() -> Started:
    """Nothing yet."""
    return Started()


@pytest.fixture
async def pool(started: Started) -> AsyncIterator[ProcessPool]:
    """A pool of search processes over the list."""
    pool = ProcessPool(Config(), started.start)
    yield pool
    await pool.close()


async def search(pool: ProcessPool, **question: Any) -> list[Begun | Event]:
    return [each async for each in pool.search(Question(topic=TOPIC, **question))]


def offsets(answers: list[Begun | Event]) -> list[int]:
    return [each.record.offset for each in answers if isinstance(each, Found)]


async def test_a_search_that_runs_away_is_ended(pool: ProcessPool, started: Started) -> None:
    """What was found is kept, the answer says what happened, and one goes on behind the record.

    Until then one process answers all, also after a question that was wrong.
    """
    with pytest.raises(BadTerm, match="cel:"):
        await search(pool, cel="key ==")
    with pytest.raises(BadTerm, match="no partition 7"):
        await search(pool, start=parse_cursor("7/1"))
    whole = await search(pool)
    assert 1 == started.count
    answers = await search(pool, cel=SQUARE)
    done = answers[-1]
    assert isinstance(done, Done)
    following = await search(pool, cel=SQUARE, start=parse_cursor(done.cursor))

    assert isinstance(whole[0], Begun)
    assert list(range(RECORDS)) == offsets(whole)
    assert list(range(LONG_AT)) == offsets(answers)
    assert ("runaway", f"0/{LONG_AT + 1}", 1) == (done.why, done.cursor, done.errors)
    assert "takes more than 1 s" in done.error
    assert list(range(LONG_AT + 1, RECORDS)) == offsets(following)
    assert 2 == started.count


async def test_a_process_that_ends_by_itself_is_an_error() -> None:
    """It says nothing, so nothing is known."""
    pool = ProcessPool(Config(), partial(SearchProcess.start, program="keyword"))

    with pytest.raises(InspectionError, match="search again"):
        await search(pool)
    await pool.close()


class Endless:
    """Answers for ever."""

    usable = False

    def __init__(self) -> None:
        self.killed = False

    async def ask(self, _question: Question) -> AsyncIterator[Begun | Event]:
        while True:
            yield Begun()

    async def kill(self) -> None:
        self.killed = True


async def test_an_abandoned_search_ends_its_process() -> None:
    """And another is started, so that the next search does not wait."""
    processes: list[Any] = []

    async def start(_config: Config) -> Any:
        processes.append(Endless())
        return processes[-1]

    pool = ProcessPool(Config(), start)
    following = pool.search(Question(topic=TOPIC, follow=True))
    await anext(following)
    await following.aclose()
    assert [True] == [each.killed for each in processes]
    await pool.close()

    assert [True, True] == [each.killed for each in processes]
