"""A parked event whose copy is lost or refused stops no other of its key, and is named."""

from typing import Any

import msgspec
import pytest

from app.delivery import row
from app.delivery.lost_copies import LOST_MS, LOST_TIMES
from app.delivery.processor import run_batch
from app.wire.records import RETRY_OVERDUE, Record
from tests.support.agents import TALLY, Outside, calls, message
from tests.support.runtime import FakeRuntime, as_read

RETRY = "notification.commands.test.retry-1s"


async def parked(runtime: FakeRuntime, outside: Outside, many: int) -> tuple[Any, list[Record]]:
    """Return the agent of `outside` and copies of `many` events of one key that it has parked."""
    outside.out_of_reach = True
    agent = calls(outside)
    events = [message(number, f"n{number}") for number in range(1, many + 1)]
    await run_batch(agent, runtime, events)
    copies = [as_read(emitted, at) for at, emitted in enumerate(runtime.emitted)]
    runtime.emitted.clear()
    outside.asked.clear()
    outside.out_of_reach = False
    return agent, copies


async def circled(agent: Any, runtime: FakeRuntime, copy: Record, times: int) -> Record:
    """Return the copy that `copy` has become after it came back `times`, a second apart."""
    for at in range(times):
        await run_batch(agent, runtime, [copy])
        [again] = runtime.emitted
        assert RETRY == again.topic
        copy = as_read(again, at)
        runtime.emitted.clear()
        runtime.now += 1_000
    return copy


def waiting(runtime: FakeRuntime) -> tuple[str, ...]:
    """Return the ids that the row of the key parks."""
    return row.decode_row(TALLY, runtime.rows["tally", 0, b"o1"]).parked


def dead_letter(runtime: FakeRuntime) -> dict[str, bytes]:
    """Return the headers of the dead letter that was emitted first."""
    assert "notification.commands.test.dead" == runtime.emitted[0].topic
    return dict(runtime.emitted[0].headers)


async def test_a_follower_of_a_copy_that_is_lost_goes_on_and_names_it() -> None:
    """The first copy never comes; the second is lost too, the third is sent once both are named."""
    runtime, outside = FakeRuntime(), Outside()
    agent, [first, _lost, follower] = await parked(runtime, outside, 3)
    runtime.now += LOST_MS + 2_000
    follower = await circled(agent, runtime, follower, LOST_TIMES)
    assert [] == outside.asked

    handled = await run_batch(agent, runtime, [follower])

    assert ["n3"] == outside.asked
    assert [("notification.commands.test.retry-1s", "copy_lost")] * 2 == handled.dead
    headers = dead_letter(runtime)
    assert (b"event-1", b"notification.commands/0/event-1", b"none") == (
        headers["ce_id"],
        headers["x-dead-origin"],
        headers["x-dead-bytes"],
    )
    assert () == waiting(runtime)
    # It comes after all, and then once more.
    await run_batch(agent, runtime, [first])
    await run_batch(agent, runtime, [first])
    assert ["n3", "n1"] == outside.asked


async def test_after_a_time_away_a_first_copy_that_comes_later_keeps_its_place() -> None:
    """All is overdue then. What a retry topic holds is read before it counts as lost."""
    runtime, outside = FakeRuntime(), Outside()
    agent, [first, follower] = await parked(runtime, outside, 2)
    runtime.now += 24 * 3_600_000

    follower = await circled(agent, runtime, follower, LOST_TIMES)
    await run_batch(agent, runtime, [first, follower])

    assert ["n1", "n2"] == outside.asked


async def test_an_event_that_waits_its_time_is_not_lost_however_often_others_come() -> None:
    """A follower counts only while the first one is long overdue, and begins anew after that."""
    runtime, outside = FakeRuntime(), Outside()
    agent, [first, follower] = await parked(runtime, outside, 2)

    follower = await circled(agent, runtime, follower, LOST_TIMES + 5)

    assert RETRY_OVERDUE not in dict(follower.headers)
    runtime.now += LOST_MS
    follower = await circled(agent, runtime, follower, 2)
    assert b"2" == dict(follower.headers)[RETRY_OVERDUE]
    outside.out_of_reach = True
    await run_batch(agent, runtime, [first, follower])
    assert [RETRY_OVERDUE in dict(each.headers) for each in runtime.emitted] == [False, False]


async def test_who_claims_to_have_waited_is_not_believed_outside_of_a_retry_topic() -> None:
    """The header counts where the engine has written it."""
    runtime, outside = FakeRuntime(), Outside()
    agent, _ = await parked(runtime, outside, 1)
    runtime.now += LOST_MS + 2_000
    claims = message(9, "n9")
    claims = msgspec.structs.replace(claims, headers=(*claims.headers, (RETRY_OVERDUE, b"999")))

    await run_batch(agent, runtime, [claims])

    assert [] == outside.asked
    assert ("event-1", "event-9") == waiting(runtime)


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        pytest.param({"headers": (("forged", b"yes"),)}, "forged", id="signed with another key"),
        pytest.param({"value": b"not json"}, "not_json", id="no message"),
    ],
)
async def test_a_follower_goes_on_when_the_first_copy_is_refused(
    changed: dict[str, Any], cause: str
) -> None:
    """It is a dead letter: whether an operator sends or discards it, others do not wait for it."""
    runtime, outside = FakeRuntime(), Outside()
    agent, [first, follower] = await parked(runtime, outside, 2)
    headers = (*first.headers, *changed.pop("headers", ()))
    refused = msgspec.structs.replace(first, headers=headers, **changed)

    handled = await run_batch(agent, runtime, [refused])
    await run_batch(agent, runtime, [follower])

    assert [(RETRY, cause)] == handled.dead
    assert ["n2"] == outside.asked
    assert () == waiting(runtime)


async def test_an_older_copy_that_is_refused_leaves_the_latest_in_its_place() -> None:
    """The latest copy still comes, and its followers wait for it."""
    runtime, outside = FakeRuntime(), Outside()
    agent, [first, _] = await parked(runtime, outside, 2)
    outside.out_of_reach = True
    runtime.now += 1_000
    await run_batch(agent, runtime, [first])

    forged = msgspec.structs.replace(first, headers=(*first.headers, ("forged", b"yes")))
    await run_batch(agent, runtime, [forged])

    assert ("event-1", "event-2") == waiting(runtime)
