"""Redriven records: on a topic of the agent alone, applied once, whole when they fail."""

import asyncio

import msgspec
import pytest

from app.delivery.processor import run_batch
from app.delivery.row import decode_row
from app.operations.dead_letters.dead_letter import DeadLetter, sent_back
from app.wire import records
from app.wire.records import Record, header
from tests.support.agents import ANSWERS, TALLY, cancel
from tests.support.runtime import FakeRuntime, as_read


def dead_lettered(reason: str) -> DeadLetter:
    """Return the dead letter of a cancellation that the agent could not handle."""
    runtime = FakeRuntime()
    record = cancel(1, reason="explode")
    asyncio.run(run_batch(ANSWERS, runtime, [record]))
    dead_letter = DeadLetter(record=as_read(runtime.emitted[0], 0), at_ms=0)
    body = (dead_letter.record.value or b"").replace(b"explode", reason.encode())
    return msgspec.structs.replace(
        dead_letter, record=msgspec.structs.replace(dead_letter.record, value=body)
    )


def received(dead_letter: DeadLetter, runtime: FakeRuntime, offset: int = 0) -> Record:
    """Let the agent receive `dead_letter` again; return what it read."""
    record = as_read(sent_back(dead_letter, 0), offset)
    asyncio.run(run_batch(ANSWERS, runtime, [record]))
    return record


def test_a_dead_letter_sent_back_to_a_mended_agent_is_applied_once():
    """Redelivered or sent twice, it counts once."""
    runtime, dead_letter = FakeRuntime(), dead_lettered("mended")
    received(dead_letter, runtime)
    received(dead_letter, runtime)
    received(dead_letter, runtime, offset=1)

    assert 1 == decode_row(TALLY, runtime.rows[("tally", 0, b"o1")]).state.received
    assert 1 == len({dict(emitted.headers)["ce_id"] for emitted in runtime.emitted})


def test_a_dead_letter_that_fails_again_lies_beside_the_first_with_its_history():
    """In the dead topic of the topic it was first received on, not in one for the redrive topic."""
    runtime, dead_letter = FakeRuntime(), dead_lettered("explode")
    received(dead_letter, runtime)

    again = as_read(runtime.emitted[0], 1)
    assert "orders.test.dead" == again.topic
    assert "orders/0/1" == header(again, "x-dead-origin")
    assert [dead_letter.place] == [
        failed.place for failed in DeadLetter(record=again, at_ms=0).history
    ]
    assert header(again, records.REDRIVE_OF) == dead_letter.place


@pytest.mark.parametrize("topic", ["payments", "nobody-has-this-topic", ""])
def test_a_forged_way_home_leads_nowhere(topic: str):
    """A header may claim any topic: a dead letter still ends in a dead topic of this agent."""
    runtime, dead_letter = FakeRuntime(), dead_lettered("explode")
    record = as_read(sent_back(dead_letter, 0), 0)
    headers = dict(record.headers) | {records.REDRIVE_TOPIC: topic.encode()}
    forged = msgspec.structs.replace(record, headers=tuple(headers.items()))
    asyncio.run(run_batch(ANSWERS, runtime, [forged]))

    assert ["orders.test.dead"] == [emitted.topic for emitted in runtime.emitted]
