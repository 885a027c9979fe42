"""Records of somebody who means harm are dead-lettered, or taken for what they are.

None stops us.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from agents.journal import journal_agent
from app.config import Config
from app.delivery import row
from app.delivery.processor import run_batch
from app.wire import records, signing
from app.wire.byte_limits import DEAD_LETTER_BYTES_MAX
from app.wire.envelope import derive_id
from app.wire.records import Outgoing, Record, header
from app.wire.signing import SIGNATURE, signed
from app.wire.topics import timers_topic
from tests.support.agents import ANSWERS, TALLY, Outside, as_record, calls, cancel, message
from tests.support.runtime import FakeRuntime, as_read
from workflows.shared.deadline import DeadlineReached
from workflows.shared.topic import Topic

LONG_DIGITS = b"9" * 5_000
"""More than Python makes an int of."""


class SigningRuntime(FakeRuntime):
    """A runtime with real signatures."""

    def is_authentic(self, record: Record, topic: Topic) -> bool:
        return signing.is_authentic(record, topic, Config())


def ours(record: Record) -> Record:
    """Return `record` as Payflow would have emitted it."""
    emitted = Outgoing(
        topic=record.topic, key=record.key, value=record.value, headers=list(record.headers)
    )
    read = as_read(signed(emitted, Config().signing_key), record.offset, record.partition)
    return replace(read, at_ms=record.at_ms)


def with_headers(record: Record, **changes: bytes) -> Record:
    """Return `record` with other headers; `__` in a name stands for `-`."""
    changed_headers = {name.replace("__", "-"): value for name, value in changes.items()}
    return replace(record, headers=tuple((dict(record.headers) | changed_headers).items()))


@pytest.mark.parametrize(
    ("record", "cause"),
    [
        pytest.param(
            with_headers(cancel(1), **{SIGNATURE.replace("-", "__"): b"\xff\xfe"}),
            "forged",
            id="a signature that is not ASCII",
        ),
        pytest.param(
            with_headers(cancel(1), ce_id=b"x" * 2_000_000),
            "bad_envelope",
            id="an id that no row can remember",
        ),
        pytest.param(
            with_headers(cancel(1), ce_correlationid=b"x" * 2_000),
            "bad_envelope",
            id="a transaction with an endless name",
        ),
        pytest.param(
            with_headers(cancel(1), baggage=b"a=" + b"x" * 9_000),
            "bad_envelope",
            id="baggage that every event after it would carry",
        ),
        pytest.param(
            with_headers(cancel(1), baggage=b"a=" + "é".encode() * 3_000),
            "bad_envelope",
            id="baggage that grows when it is passed on",
        ),
        pytest.param(
            with_headers(cancel(1), ce_time=b"0001-01-01T00:00:00+14:00"),
            "bad_envelope",
            id="a time before there were times",
        ),
        pytest.param(
            with_headers(cancel(1), ce_time=b"1970-01-01T00:00:00Z"),
            "bad_envelope",
            id="the time that stands for never",
        ),
        pytest.param(
            with_headers(cancel(1), ce_time=b"9999-12-31T23:59:59-14:00"),
            "bad_envelope",
            id="a time after which there is none",
        ),
        pytest.param(
            with_headers(cancel(1), ce_id=b"\xff"), "bad_envelope", id="an id that is not text"
        ),
        pytest.param(
            replace(cancel(1), headers=(*cancel(1).headers, ("ce_id", b"\xff"))),
            "bad_envelope",
            id="two ids",
        ),
        pytest.param(
            cancel(1, time_ms=1_400_001, at_ms=1_100_000),
            "from_the_future",
            id="a time that had not come when it was emitted",
        ),
        pytest.param(replace(cancel(1), key=None), "wrong_key", id="no key"),
        pytest.param(replace(cancel(1), value=None), "tombstone", id="no body"),
    ],
)
async def test_a_lie_is_dead_lettered_and_the_next_event_is_answered(
    record: Record, cause: str
) -> None:
    """With its bytes, under a name that says why; the batch goes on."""
    runtime = SigningRuntime()

    handled = await run_batch(ANSWERS, runtime, [record, cancel(2)])

    dead_letter = as_read(runtime.emitted[0], 0)
    assert [("orders", cause)] == handled.dead
    assert (record.key, record.value) == (dead_letter.key, dead_letter.value)
    assert [b"o1"] == [emitted.key for emitted in runtime.emitted[1:]]


@pytest.mark.parametrize("name", ["x-retry-due-ms", "x-retry-attempt"])
async def test_a_number_that_is_none_counts_as_none(name: str) -> None:
    """Thousands of digits would be an exception wherever a retry is read."""
    record = replace(message(1, "n1"), topic="notification.commands.test.retry-1s")
    record = replace(record, headers=(*record.headers, (name, LONG_DIGITS)))
    runtime = SigningRuntime()

    handled = await run_batch(calls(Outside()), runtime, [record])

    assert (0, 0) == (records.due_ms(record), records.attempts(record))
    assert ["forged"] == [cause for _, cause in handled.dead]


async def test_an_event_does_not_choose_where_it_was_read() -> None:
    """An origin is believed of retries: a dead letter elsewhere says where it really lay."""
    runtime = SigningRuntime()
    record = replace(
        cancel(7), value=b"{", headers=(*cancel(7).headers, ("x-origin", b"orders/0/1"))
    )

    await run_batch(ANSWERS, runtime, [record])

    assert "orders/0/7" == header(as_read(runtime.emitted[0], 0), "x-dead-origin")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"value": b"x" * 20_000_000}, id="a body"),
        pytest.param({"key": b"x" * 20_000_000}, id="a key"),
        pytest.param({"headers": (("x", b"x" * 20_000_000),)}, id="a header"),
        pytest.param({"headers": (("x", b""),) * 1_000_000}, id="headers"),
        pytest.param({"headers": (("x" * 9_000_000, None),)}, id="a name"),
    ],
)
async def test_what_was_sent_compressed_is_cut_to_what_a_dead_topic_takes(
    changes: dict[str, Any],
) -> None:
    """A broker takes 20 MB of the same byte in a few KB; its dead letter says what it was."""
    runtime = SigningRuntime()
    record = replace(cancel(1), **changes)

    await run_batch(ANSWERS, runtime, [record])

    dead_letter = as_read(runtime.emitted[0], 0)
    parts = [dead_letter.key, dead_letter.value, *(value for _, value in dead_letter.headers)]
    size = sum(len(part or b"") for part in parts) + sum(
        len(name) for name, _ in dead_letter.headers
    )
    assert size < DEAD_LETTER_BYTES_MAX
    assert "yes" == header(dead_letter, records.DEAD_TRUNCATED)
    assert records.digest(record) == records.digest_dead_lettered(dead_letter)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(cancel(1, time_ms=1_400_000, at_ms=1_100_000), id="a clock a little ahead"),
        pytest.param(cancel(1, time_ms=1_400_001), id="nobody knows when it was emitted"),
        pytest.param(ours(cancel(1, time_ms=1_400_001, at_ms=1_100_000)), id="our own clock"),
    ],
)
async def test_a_time_is_believed_unless_it_cannot_be(record: Record) -> None:
    """Clocks differ by a little; those of Payflow are its own affair."""
    handled = await run_batch(ANSWERS, SigningRuntime(), [record])

    assert ([], 1) == (handled.dead, len(handled.applied))


@pytest.mark.parametrize(
    ("agent", "dead"),
    [
        pytest.param("tally", [], id="its own"),
        pytest.param("payment", [("tally.timers", "wrong_topic")], id="of another room"),
    ],
)
async def test_a_deadline_is_received_by_its_agent_alone(agent: str, dead: list[Any]) -> None:
    """All deadlines are one message, and each signature is right."""
    received = DeadlineReached(key="o1", due_at_ms=5)
    record = as_record(received, 1, event_id=derive_id(agent, "o1", 5), topic=timers_topic("tally"))
    sleeper = replace(ANSWERS, decide=lambda *_: (), evolve=lambda state, _message, _at_ms: state)

    handled = await run_batch(sleeper, SigningRuntime(), [ours(record)])

    assert dead == handled.dead


async def test_others_cannot_take_an_id_of_ours() -> None:
    """Produced earlier under the same id, theirs would make us drop ours as a duplicate."""
    runtime = SigningRuntime()
    honest = ours(cancel(2, "honest", event_id="same"))
    lie = cancel(1, "a lie", event_id="same")

    await run_batch(ANSWERS, runtime, [lie, honest, replace(lie, offset=3)])

    tally = row.decode_row(TALLY, runtime.rows[("tally", 0, b"o1")])
    assert 2 == tally.state.received
    assert "same" == tally.processed_ids[-1]


OF_ANOTHER = {"ce_correlationid": b"victim"}


async def test_what_others_say_shows_in_no_transaction_but_its_own() -> None:
    """Whatever its header says: the journal keeps it where its body belongs."""
    runtime = SigningRuntime()
    await run_batch(journal_agent, runtime, [with_headers(cancel(1), **OF_ANOTHER)])

    (row_key,) = (key.decode() for _, _, key in runtime.rows)
    assert row_key.startswith("o1|")


@pytest.mark.parametrize(
    ("record", "transaction"),
    [
        pytest.param(with_headers(cancel(1), **OF_ANOTHER), "o1", id="of others"),
        pytest.param(ours(with_headers(cancel(1), **OF_ANOTHER)), "victim", id="of Payflow"),
    ],
)
async def test_what_follows_stays_in_that_transaction(record: Record, transaction: str) -> None:
    """What Payflow has signed says itself where it belongs."""
    runtime = SigningRuntime()
    await run_batch(ANSWERS, runtime, [record])

    (answer,) = runtime.emitted
    assert transaction == header(as_read(answer, 0), "ce_correlationid")
