"""The carrier simulator: one shipment an order, deliveries that survive a restart, and faults."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from app.gateways.signature import verify
from app.local.simulators.carrier import make_app
from app.wire.signing import ROWS_PASS, read_headers
from tests.support.external_systems import Console, System, running, until

SECRET = "carrier_payflow_local"  # noqa: S105  the simulator's own
BOOKING = {"country": "United Kingdom", "units": 3}


async def book(system: System, order_id: str, body: Any = BOOKING) -> tuple[int, Any]:
    """Book a shipment."""
    return await system.ask("PUT", f"/shipments/{quote(order_id, safe='')}", json=body)


async def withdraw(system: System, order_id: str) -> tuple[int, Any]:
    """Withdraw a shipment."""
    return await system.ask("POST", f"/shipments/{order_id}/withdraw")


async def status(system: System, order_id: str) -> str:
    """Return where the shipment is."""
    return str((await system.ask("GET", f"/shipments/{order_id}"))[1]["status"])


@pytest.fixture
async def system(tmp_path: Path, console: Console) -> AsyncIterator[System]:
    """Run a carrier whose shipments travel for long."""
    async with running(make_app, tmp_path, console.url) as system:
        await system.set(deliver_seconds=60)
        yield system


async def test_booking_twice_finds_the_same_shipment(system: System) -> None:
    """201 and then 200, with one shipment id."""
    first, again = await book(system, "o1"), await book(system, "o1")

    assert (201, 200) == (first[0], again[0])
    assert first[1] == again[1]
    assert "in_transit" == first[1]["status"]
    assert 1 == (await system.state())["in_transit"]


async def test_booking_side_by_side_finds_the_same_shipment(system: System) -> None:
    """Five at once: one is first."""
    answers = await asyncio.gather(*(book(system, "o1") for _ in range(5)))

    assert [200, 200, 200, 200, 201] == sorted(emitted for emitted, _ in answers)
    assert 1 == len({shipment["shipment_id"] for _, shipment in answers})


async def test_a_withdrawn_shipment_cannot_be_booked_again(system: System) -> None:
    """Withdrawing is final, and can be repeated."""
    await book(system, "o1")

    first, again = await withdraw(system, "o1"), await withdraw(system, "o1")

    assert [200, 200] == [first[0], again[0]]
    assert "withdrawn" == await status(system, "o1")
    assert 409 == (await book(system, "o1"))[0]


async def test_withdrawing_bars_a_booking_that_comes_later(system: System) -> None:
    """What was never booked can be withdrawn first."""
    emitted, _ = await withdraw(system, "o1")

    assert (200, 409) == (emitted, (await book(system, "o1"))[0])


async def test_an_unknown_shipment_is_not_found(system: System) -> None:
    """A 404 with a reason."""
    assert (404, {"reason": "not booked"}) == await system.ask("GET", "/shipments/o1")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"units": 3}, id="no country"),
        pytest.param({"country": "United Kingdom", "units": "many"}, id="units are not a number"),
        pytest.param([], id="no object"),
    ],
)
async def test_a_bad_booking_is_refused(system: System, body: Any) -> None:
    """A 400, and nothing is booked."""
    emitted, _ = await book(system, "o1", body)

    assert (400, 0) == (emitted, (await system.state())["in_transit"])


async def test_odd_order_ids_are_kept_as_they_are(system: System) -> None:
    """A slash or a dead letter beyond ASCII is part of the id."""
    _, shipment = await book(system, "o/1 ü%2F")

    assert "o/1 ü%2F" == shipment["order_id"]


async def test_a_shipment_is_delivered_and_the_console_notified(
    system: System, console: Console
) -> None:
    """After its journey: status delivered, and one signed webhook."""
    await system.set(deliver_seconds=0.02)
    _, booked = await book(system, "o1")

    await until(lambda: len(console.received) == 1)

    verify(*console.received[0], SECRET, time.time())
    assert "delivered" == await status(system, "o1")
    assert {
        "notice_id": f"{booked['shipment_id']}/delivered",
        "order_id": "o1",
        "shipment_id": booked["shipment_id"],
        "status": "delivered",
    } == console.notices[0]


async def test_a_delivered_shipment_cannot_be_withdrawn(system: System, console: Console) -> None:
    """It is too late: 409, delivered; booking again still shows the shipment."""
    await system.set(deliver_seconds=0)
    await book(system, "o1")
    await until(lambda: len(console.received) == 1)

    emitted, shipment = await withdraw(system, "o1")

    assert (409, "delivered") == (emitted, shipment["status"])
    assert (200, "delivered") == ((await book(system, "o1"))[0], await status(system, "o1"))


async def test_a_withdrawn_shipment_is_not_delivered(system: System, console: Console) -> None:
    """Of two shipments only the one that was not stopped arrives."""
    await system.set(deliver_seconds=0.3)
    await book(system, "stopped")
    await book(system, "o1")
    await withdraw(system, "stopped")

    await until(lambda: len(console.received) == 1)

    assert "o1" == console.notices[0]["order_id"]
    assert "withdrawn" == await status(system, "stopped")


async def test_a_journey_goes_on_after_a_restart(tmp_path: Path, console: Console) -> None:
    """A shipment booked before a restart is delivered after it."""
    async with running(make_app, tmp_path, console.url) as system:
        await system.set(deliver_seconds=0.3)
        await book(system, "o1")

    async with running(make_app, tmp_path, console.url) as system:
        await until(lambda: len(console.received) == 1)

        assert "delivered" == await status(system, "o1")


async def test_a_refusal_is_the_same_for_an_order_always(system: System) -> None:
    """Some orders are refused; asked again, also when the fault is over, they receive the same."""
    await system.set(refuse=0.5)
    first = {f"o{n}": (await book(system, f"o{n}"))[0] for n in range(20)}
    await system.set(refuse=0.0)

    again = {order_id: (await book(system, order_id))[0] for order_id in first}

    assert {201, 422} == set(first.values())
    refused = {order_id for order_id, emitted in first.items() if emitted == 422}
    assert refused == {order_id for order_id, emitted in again.items() if emitted == 422}
    assert len(refused) == (await system.state())["refused"]


@pytest.mark.parametrize(
    ("fault", "booked"),
    [
        pytest.param("error_before", 0, id="500 before booking"),
        pytest.param("error_after", 1, id="500 after booking"),
    ],
)
async def test_an_error_may_come_before_or_after_the_effect(
    system: System, fault: str, booked: int
) -> None:
    """The answer is a 500 either way; asking again finds or makes the one booking."""
    await system.set(**{fault: 1.0})
    emitted, _ = await book(system, "o1")
    in_transit = (await system.state())["in_transit"]
    await system.set(**{fault: 0.0})

    again, _ = await book(system, "o1")

    assert (500, booked) == (emitted, in_transit)
    assert (200 if booked else 201) == again
    assert 1 == (await system.state())["in_transit"]


async def test_a_time_out_is_before_or_after_the_effect(system: System) -> None:
    """Held back until the pause is over; some were booked and some were not."""
    await system.set(timeout=1.0, timeout_seconds=0.05)
    answers = await asyncio.gather(
        *(system.client.put(f"{system.url}/shipments/o{n}", json=BOOKING) for n in range(12))
    )

    assert {504} == {answer.status for answer in answers}
    assert 0 < (await system.state())["in_transit"] < 12


async def test_a_slow_answer_is_an_answer(system: System) -> None:
    """Slow is late, not wrong."""
    await system.set(slow=1.0, slow_seconds=0.05)

    assert 201 == (await book(system, "o1"))[0]


async def test_webhooks_come_twice_or_never(system: System, console: Console) -> None:
    """A doubled notice has one id; a lost one is only in the books."""
    await system.set(deliver_seconds=0, webhook_lost=1.0)
    await book(system, "lost")

    async def lost() -> bool:
        return (await system.state()).get("webhooks_lost") == 1

    await until(lost)
    await system.set(webhook_lost=0.0, webhook_doubled=1.0)
    await book(system, "o1")

    await until(lambda: len(console.notices) == 2)

    assert 1 == len({each["notice_id"] for each in console.notices})
    assert {"o1"} == {each["order_id"] for each in console.notices}


async def test_bad_faults_name_the_field(system: System) -> None:
    """The carrier knows nothing of declines."""
    emitted, body = await system.ask("PUT", "/_faults", json={"decline": 0.5})

    assert (400, "decline") == (emitted, body["error"]["param"])


async def test_switches_are_for_the_instance_alone(system: System) -> None:
    """Whoever reaches the port, a page of another site for one, moves nothing and sees no sums."""
    calls = [(method, "/_faults") for method in ("GET", "PUT", "DELETE")]
    calls += [("GET", "/_clock"), ("PUT", "/_clock"), ("GET", "/_state")]
    headers: dict[str, str]
    for headers in ({ROWS_PASS: ""}, {ROWS_PASS: "guess"}, read_headers(system.config, "/tables")):
        for method, path in calls:
            answer = await system.ask(method, path, json={"by_seconds": 5}, headers=headers)
            assert 403 == answer[0], (method, path, headers)

    assert 200 == (await system.ask("GET", "/_faults"))[0]
    assert 200 == (await system.ask("GET", "/livez", headers={ROWS_PASS: ""}))[0]
