"""What the watchdog concludes from what it sees: pure, times as data."""

import pytest

from app.worker.stall import AgentProgress, Signs, Stall

LIMIT = 10.0
PLACE = ("orders", 0)
MUCH = {PLACE: (0, 100)}
NOTHING = {PLACE: (0, 5)}
EXPIRED = {PLACE: (100, 100)}


def signs(
    at: float, checkpoints: int = 1, *, flows: bool = True, recovered_at: float | None = None
) -> Signs:
    """Return the signs of a worker with one agent, which has done five events."""
    agent = AgentProgress(name="tally", checkpoints=checkpoints, done={PLACE: 5})
    return Signs(noted_at=at, flows=flows, recovered_at=recovered_at, agents=(agent,))


def concluded(queries):
    """Return what is concluded of `looks`, one a second: signs and bounds by second."""
    stall = Stall(LIMIT)
    conclusions = [
        stall.conclude(float(at), *signs_at(float(at))) for at, signs_at in enumerate(queries)
    ]
    return next((text for text in conclusions if text), "")


@pytest.mark.parametrize(
    ("queries", "part"),
    [
        pytest.param(
            [lambda at: (signs(at), MUCH)] * 12, "agent tally", id="no checkpoint, much to do"
        ),
        pytest.param([lambda at: (signs(at), NOTHING)] * 60, "", id="nothing to do"),
        pytest.param([lambda at: (signs(at), EXPIRED)] * 60, "", id="what was to do has expired"),
        pytest.param(
            [lambda at: (signs(at, int(at)), MUCH)] * 60, "", id="a checkpoint every second"
        ),
        pytest.param(
            ([lambda at: (signs(at), MUCH)] * 9 + [lambda at: (signs(at), None)]) * 6,
            "",
            id="the broker falls silent now and then",
        ),
        pytest.param(
            [lambda at: (signs(at, flows=False), {})] * 12, "the sharing out", id="not yet ready"
        ),
        pytest.param(
            [lambda at: (signs(at, flows=False, recovered_at=at), {})] * 60, "", id="recovering"
        ),
        pytest.param(
            [lambda at: (signs(at, flows=False), None)] * 60, "", id="not ready, broker silent"
        ),
        pytest.param([lambda _at: (signs(0.0), None)] * 12, "the event loop", id="a blocked loop"),
        pytest.param(
            [lambda _at: (signs(0.0, flows=False), {})] * 12,
            "the event loop",
            id="a loop blocked in a recovery",
        ),
    ],
)
def test_a_stall_is(queries, part):
    """The part that got no further is named; nothing otherwise."""
    assert (bool(part), True) == (
        bool(conclusion := concluded(queries)),
        conclusion.startswith(part),
    )


def test_time_in_which_nobody_looked_is_no_stall():
    """A process frozen for an hour could not have moved."""
    stall = Stall(LIMIT)
    stall.conclude(0.0, signs(0.0), MUCH)

    assert "" == stall.conclude(3_600.0, signs(3_600.0), MUCH)
