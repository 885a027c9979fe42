"""How far a partition is read, where offsets hold no records."""

from collections.abc import Sequence

import pytest

from app.kafka.positions import Answer, Reach, lag

ONE, OTHER = "one", "other"
Partition = tuple[int, int, int] | tuple[int, int, int, bool]
"""The position, when it was answered, the end in that answer, and whether it is paused."""


def observed(*fetches: tuple[dict[str, Partition], bool]) -> list[dict[str, int]]:
    """Return how far is read after each fetch: what is known then, and whether it gave records."""
    reach: Reach[str] = Reach()
    return [
        reach.observe(
            {
                place: Answer(position=position, answered_ms=at, end=end, is_paused=any(is_paused))
                for place, (position, at, end, *is_paused) in partitions.items()
            },
            gave,
        )
        for partitions, gave in fetches
    ]


@pytest.mark.parametrize(
    ("through", "end", "begin", "then"),
    [
        pytest.param(5, 9, 0, 4, id="four offsets are left"),
        pytest.param(9, 9, 0, 0, id="at the end"),
        pytest.param(12, 9, 0, 0, id="behind an end that moved back"),
        pytest.param(-1, 9, 0, 9, id="nothing was committed yet"),
        pytest.param(2, 9, 6, 3, id="what was deleted is not left"),
    ],
)
def test_a_lag_is(through: int, end: int, begin: int, then: int):
    """One function says it, for workers, console, drills and the watchdog."""
    assert then == lag(through, end, begin)


@pytest.mark.parametrize(
    ("fetches", "then"),
    [
        pytest.param(
            [({ONE: (5, 1, 9)}, False), ({ONE: (5, 2, 9)}, False), ({ONE: (5, 3, 9)}, False)],
            [5, 5, 9],
            id="a hole: answered at this position, and nothing came",
        ),
        pytest.param(
            [({ONE: (5, 1, 9)}, False)] * 4, [5, 5, 5, 5], id="the broker does not answer"
        ),
        pytest.param(
            [({ONE: (5, 1, 9)}, False), ({ONE: (5, 2, 9)}, False), ({ONE: (7, 3, 9)}, True)],
            [5, 5, 7],
            id="records came after all",
        ),
        pytest.param(
            [
                ({ONE: (5, 1, 9), OTHER: (0, 1, 99)}, False),
                ({ONE: (5, 2, 9), OTHER: (0, 2, 99)}, False),
                ({ONE: (5, 3, 9), OTHER: (40, 3, 99)}, False),
                ({ONE: (5, 4, 9), OTHER: (40, 4, 99)}, False),
            ],
            [5, 5, 5, 5],
            id="another partition may have filled the answers, with what was aborted",
        ),
        pytest.param(
            [
                ({ONE: (5, 1, 9)}, False),
                ({ONE: (5, 2, 9)}, False),
                ({ONE: (5, 2, 9)}, False),
                ({ONE: (5, 2, 9)}, False),
            ],
            [5, 5, 5, 5],
            id="a broker that is slow: later fetches have no answer",
        ),
        pytest.param(
            [
                ({ONE: (5, 1, 9), OTHER: (0, 1, 4)}, True),
                ({ONE: (5, 2, 9)}, False),
                ({ONE: (5, 3, 9)}, False),
                ({ONE: (5, 4, 9)}, False),
            ],
            [5, 5, 5, 9],
            id="another went, whose records may have filled the answer that was under way",
        ),
        pytest.param(
            [
                ({ONE: (5, 1, 9), OTHER: (0, 1, 99)}, False),
                ({ONE: (5, 2, 9), OTHER: (0, 2, 99, True)}, False),
                ({ONE: (5, 3, 9), OTHER: (0, 3, 99, True)}, False),
                ({ONE: (5, 4, 9), OTHER: (0, 3, 99, True)}, False),
                ({ONE: (5, 5, 9), OTHER: (0, 3, 99, True)}, False),
            ],
            [5, 5, 5, 5, 9],
            id="another is paused: what it had in an answer was dropped",
        ),
        pytest.param(
            [({ONE: (5, 9, 9)}, False), ({ONE: (5, 2, 9)}, False), ({ONE: (5, 3, 9)}, False)],
            [5, 5, 9],
            id="the clock was set back",
        ),
        pytest.param(
            [
                ({ONE: (5, 1, 9)}, False),
                ({ONE: (5, 2, 9)}, False),
                ({}, False),
                ({ONE: (5, 3, 9)}, False),
                ({ONE: (5, 3, 9)}, False),
            ],
            [5, 5, None, 5, 5],
            id="records waited in the client",
        ),
    ],
)
def test_a_partition_is_read(
    fetches: Sequence[tuple[dict[str, Partition], bool]], then: list[int | None]
):
    """To its position; to the end only when nothing is left that could be fetched."""
    assert then == [each.get(ONE) for each in observed(*fetches)]
