"""A lease holds as long as nobody else can own the partitions, and not a moment longer."""

import pytest

from app.worker.lease import MARGIN_SECONDS, Lease


@pytest.mark.parametrize(
    ("asked", "now", "holds"),
    [
        pytest.param([], 0.0, False, id="nothing is held before the first heartbeat"),
        pytest.param([100.0], 100.0, True, id="an answered heartbeat begins it"),
        pytest.param([100.0], 112.0 - MARGIN_SECONDS - 0.1, True, id="it lasts nearly a session"),
        pytest.param([100.0], 112.0 - MARGIN_SECONDS, False, id="a write needs time to arrive"),
        pytest.param([100.0, 103.0], 112.0, True, id="every heartbeat renews it"),
        pytest.param([103.0, 100.0], 112.0, True, id="a late answer does not shorten it"),
    ],
)
def test_a_lease_lasts_a_session_from_the_asking(asked, now, holds):
    """What counts is when the heartbeat was sent: the broker received it no earlier."""
    lease = Lease(12.0)
    for moment in asked:
        lease.renew(moment)

    assert holds == lease.holds(now)


def test_a_lost_lease_is_lost_at_once_until_the_group_knows_us_again():
    """The group has gone on: what was granted before counts no more."""
    lease = Lease(12.0)
    lease.renew(100.0)
    lease.lose()

    assert (True, False) == (lease.lost, lease.holds(100.1))

    lease.renew(101.0)

    assert (False, True) == (lease.lost, lease.holds(101.1))
