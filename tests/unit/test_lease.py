"""A lease holds as long as nobody else can own the partitions, and not a moment longer."""

import asyncio
import time

import pytest
from aiokafka.errors import NodeNotReadyError
from aiokafka.protocol.produce import ProduceRequest

from app.worker.lease import MARGIN_SECONDS, Lease, follow, write_under


@pytest.mark.parametrize(
    ("heartbeats_s", "now", "holds"),
    [
        pytest.param([], 0.0, False, id="nothing is held before the first heartbeat"),
        pytest.param([100.0], 100.0, True, id="an answered heartbeat begins it"),
        pytest.param([100.0], 112.0 - MARGIN_SECONDS - 0.1, True, id="it lasts nearly a session"),
        pytest.param([100.0], 112.0 - MARGIN_SECONDS, False, id="a write needs time to arrive"),
        pytest.param([100.0, 103.0], 112.0, True, id="every heartbeat renews it"),
        pytest.param([103.0, 100.0], 112.0, True, id="a late answer does not shorten it"),
    ],
)
def test_a_lease_lasts_a_session_from_the_asking(heartbeats_s, now, holds):
    """What counts is when the heartbeat was sent: the broker received it no earlier."""
    lease = Lease(12.0)
    for moment in heartbeats_s:
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


class Coordinator:
    """What of aiokafka's group coordinator a lease follows."""

    def __init__(self) -> None:
        self.known = True

    async def _do_heartbeat(self) -> bool:
        return self.known

    def _start_heartbeat_task(self) -> None: ...

    def reset_generation(self) -> None: ...


class Client:
    """What of aiokafka's client a producer writes through."""

    def __init__(self) -> None:
        self.sent: list[object] = []

    async def ready(self, _node_id: int) -> bool:
        return True

    async def send(self, _node_id: int, request: object) -> str:
        self.sent.append(request)
        return "sent"


def produces(topic: str) -> ProduceRequest:
    """Return a request that writes to `topic`."""
    request = ProduceRequest.__new__(ProduceRequest)
    request._topics = [(topic, [])]
    return request


async def test_nothing_owned_is_written_without_a_lease() -> None:
    """Another may own the partitions by now; what belongs to nobody may always be written."""
    client, lease = Client(), Lease(12.0)
    write_under(client, lease, {"payments"})

    with pytest.raises(NodeNotReadyError, match="nothing is written"):
        await client.send(1, produces("payments"))
    await client.send(1, produces("workers"))
    await client.send(1, "a heartbeat")
    lease.renew(time.monotonic())
    await client.send(1, produces("payments"))

    assert 3 == len(client.sent)


async def test_a_lease_follows_the_heartbeats_of_the_group() -> None:
    """An answered one renews it, one that is refused does not; a new generation ends it."""
    coordinator, lease, losses = Coordinator(), Lease(12.0), list[str]()
    follow(coordinator, lease, lambda: losses.append("lost"))

    coordinator.known = False
    await coordinator._do_heartbeat()
    refused = lease.holds(time.monotonic())
    coordinator.known = True
    await coordinator._do_heartbeat()
    renewed = lease.holds(time.monotonic())
    coordinator.reset_generation()

    assert (False, True) == (refused, renewed)
    assert (False, True, ["lost"]) == (lease.holds(time.monotonic()), lease.lost, losses)


async def test_the_first_heartbeat_comes_at_once() -> None:
    """Of its own, aiokafka's comes after an interval, and nobody may write until then."""
    coordinator, lease = Coordinator(), Lease(12.0)
    follow(coordinator, lease, lambda: None)

    coordinator._start_heartbeat_task()
    await asyncio.sleep(0)

    assert lease.holds(time.monotonic())
