"""What holds no record is not work: for the watchdog, for a recovery, for what is committed."""

import itertools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from app.worker.consumer_thread import pass_recovered
from app.worker.stall import AgentProgress, has_records
from app.worker.transport import SafeConsumer
from app.worker.watermarks import Watermarks
from tests.support.consumer import FakeConsumer, FakeRecord

PLACE = ("t", 0)
TABLE = TP("changelog", 0)


@pytest.mark.parametrize(
    ("offsets", "done", "not_due", "then"),
    [
        pytest.param([0, 1, 2], 3, 0, False, id="a marker is the last offset"),
        pytest.param([], 0, 0, False, id="nothing but what was aborted"),
        pytest.param([0, 1, 5], 3, 0, True, id="a record lies behind a hole"),
        pytest.param([2, 3], 4, 2, False, id="records wait for their time"),
        pytest.param([2, 3, 4], 4, 2, True, id="one of three is due"),
    ],
)
async def test_an_agent_has_records_to_do(
    offsets: Sequence[int], done: int, not_due: int, then: bool
) -> None:
    """Only then is it stuck: the end of a topic proves nothing."""
    log = FakeConsumer({0: [FakeRecord("t", 0, at) for at in offsets]}, {0: 9}, itertools.repeat(1))
    agent = AgentProgress(name="tally", checkpoints=1, done={PLACE: done}, not_due={PLACE: not_due})

    assert then is await has_records(log, agent, {PLACE: (0, 9)})


@pytest.mark.parametrize(
    ("applied", "fetched", "position", "then"),
    [
        pytest.param(6, 7, 9, 8, id="read to the end, all is applied"),
        pytest.param(5, 7, 9, 5, id="a record fetched is not applied yet"),
        pytest.param(6, 7, 8, 6, id="not read to the end"),
        pytest.param(-1, 0, 9, 8, id="no record at all"),
    ],
)
def test_a_recovery_ends_where_the_changelog_has_no_more_records(
    applied: int, fetched: int, position: int, then: int
) -> None:
    """Faust would wait for a record at offset 8; what is on its way there is never dropped."""
    recovery = SimpleNamespace(
        in_recovery=True, active_offsets={TABLE: applied}, active_highwaters={TABLE: 8}
    )

    pass_recovered(
        SimpleNamespace(tables=SimpleNamespace(recovery=recovery)), TABLE, fetched, position
    )

    assert then == recovery.active_offsets[TABLE]


@pytest.mark.parametrize(
    ("through", "fetched", "then"),
    [
        pytest.param(7, 7, 9, id="all that was fetched is through"),
        pytest.param(6, 7, 6, id="a record fetched is not through"),
        pytest.param(7, 0, 9, id="nothing was fetched"),
    ],
)
def test_the_position_is_committed_once_all_that_was_fetched_is_through(
    through: int, fetched: int, then: int
) -> None:
    """Between the last record and the position lie markers and holes."""
    orders = TP("orders", 0)
    watermarks = Watermarks()
    watermarks.move(orders, through)
    thread = SimpleNamespace(reached={orders: 9}, fetched={orders: fetched} if fetched else {})
    consumer: Any = SimpleNamespace(
        _thread=thread,
        watermarks=watermarks,
        assignment=lambda: {orders},
        through=watermarks.next_offset.get,
        _is_changelog_tp=lambda _tp: False,
    )

    SafeConsumer._pass_gaps(consumer)

    assert then == watermarks.next_offset[orders]
