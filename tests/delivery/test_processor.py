"""The engine keeps its promises: at least once, with effects once, nothing lost."""

from typing import Any

import msgspec
import pytest

from app.delivery import row
from app.delivery.dead_letters import to_retry
from app.delivery.outbox import Adopted, left_behind
from app.delivery.processor import run_batch
from app.operations.dead_letters.dead_letter import DeadLetter, sent_back
from app.wire import codecs
from app.wire.codecs import Poison
from app.wire.envelope import Envelope, derive_id, from_headers, to_headers
from app.wire.records import Outgoing, Record, UnreadableBatch, due_ms
from app.wire.signing import SIGNATURE
from app.wire.topics import timers_topic
from tests.support.agents import (
    ANSWERS,
    COUNTS,
    TALLY,
    Outside,
    Tally,
    calls,
    cancel,
    message,
)
from tests.support.runtime import Crash, FakeRuntime, as_read
from workflows.notification.messages import NotificationSent
from workflows.payment.messages import PaymentFailed
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import type_name

UNREADABLE_BATCH = UnreadableBatch(b"bytes", first=0, last=1, reason="its checksum is wrong")


def tally(runtime: FakeRuntime, key: bytes = b"o1") -> row.Row:
    return row.decode_row(TALLY, runtime.rows[("tally", 0, key)])


def reason(emitted: Outgoing) -> str:
    envelope = from_headers(emitted.headers)
    return codecs.decode(emitted.value, envelope, emitted.key).reason


def ids(runtime: FakeRuntime) -> list[str]:
    return [dict(emitted.headers)["ce_id"].decode() for emitted in runtime.emitted]


async def test_an_event_is_answered_and_remembered() -> None:
    """One event: one answer emitted, one row with its applied offsets."""
    runtime = FakeRuntime()

    await run_batch(ANSWERS, runtime, [cancel(7)])

    assert [b"o1"] == [emitted.key for emitted in runtime.emitted]
    assert (1, {"orders/0": 7}) == (tally(runtime).state.received, tally(runtime).applied_offsets)


async def test_a_batch_writes_one_row_a_key() -> None:
    """Three events of one key are decided one by one and stored in one put."""
    runtime = FakeRuntime()

    await run_batch(ANSWERS, runtime, [cancel(1), cancel(2), cancel(3)])

    assert 3 == len(runtime.emitted)
    assert 3 == tally(runtime).state.received


async def test_a_redelivered_event_changes_nothing_but_is_put_again() -> None:
    """The applied offsets drop it.

    The row is put again, since its changelog record may have died.
    """
    runtime = FakeRuntime()
    await run_batch(ANSWERS, runtime, [cancel(7)])
    runtime.changelog.clear()

    handled = await run_batch(ANSWERS, runtime, [cancel(7)])

    assert (1, 1, 1) == (handled.duplicates, len(set(ids(runtime))), tally(runtime).state.received)
    assert runtime.rows == runtime.changelog


async def test_an_event_repeated_at_a_new_offset_is_dropped_by_its_id() -> None:
    """A producer that repeats itself after a crash is recognised by the derived id."""
    runtime = FakeRuntime()
    await run_batch(ANSWERS, runtime, [cancel(7, event_id="same")])

    handled = await run_batch(ANSWERS, runtime, [cancel(8, event_id="same")])

    assert (1, 1, 8) == (
        handled.duplicates,
        tally(runtime).state.received,
        tally(runtime).applied_offsets["orders/0"],
    )


@pytest.mark.parametrize(
    "checkpoint", ["read", "decided", "set aside", "on disk", "stored", "produced"]
)
async def test_a_crash_at_any_checkpoint_loses_nothing_and_doubles_nothing(checkpoint: str) -> None:
    """After a crash the same records come again: same ids, same row, one answer each by id."""
    runtime, calm = FakeRuntime(), FakeRuntime()
    batch = [cancel(1), cancel(2)]
    await run_batch(ANSWERS, calm, batch)
    runtime.crash_at = checkpoint

    with pytest.raises(Crash):
        await run_batch(ANSWERS, runtime, batch)
    await run_batch(ANSWERS, runtime, batch)

    assert calm.rows == runtime.rows
    assert calm.changelog == runtime.changelog
    assert set(ids(calm)) == set(ids(runtime))


async def test_what_could_not_be_emitted_is_emitted_when_the_event_comes_again() -> None:
    """The row keeps what was decided: the redelivery decides nothing, it produces just that."""
    runtime = FakeRuntime()
    runtime.refuses_to_produce = True
    with pytest.raises(ConnectionError):
        await run_batch(ANSWERS, runtime, [cancel(1)])
    runtime.refuses_to_produce = False

    await run_batch(ANSWERS, runtime, [cancel(1)])

    assert 1 == tally(runtime).state.received
    assert ["number 1"] == [reason(emitted) for emitted in runtime.emitted]


async def test_an_unproduced_decision_is_produced_before_anything_new_of_its_key() -> None:
    """After a crash another topic may come first: the old answer still goes ahead of the new."""
    runtime = FakeRuntime()
    runtime.crash_at = "stored"
    with pytest.raises(Crash):
        await run_batch(ANSWERS, runtime, [cancel(1)])

    await run_batch(ANSWERS, runtime, [cancel(5)])

    assert ["number 1", "number 2"] == [reason(emitted) for emitted in runtime.emitted]


async def test_a_decision_is_not_taken_again_after_a_crash() -> None:
    """Killed after producing: events come in another order, and the answers stay the same."""
    runtime = FakeRuntime()
    runtime.crash_at = "produced"
    first, second = cancel(1, event_id="a"), cancel(9, event_id="b", topic="orders", partition=0)
    with pytest.raises(Crash):
        await run_batch(ANSWERS, runtime, [first, second])

    await run_batch(ANSWERS, runtime, [second, first])

    by_id: dict[bytes, set[str]] = {}
    for emitted in runtime.emitted:
        by_id.setdefault(dict(emitted.headers)["ce_id"], set()).add(reason(emitted))
    assert [1, 1] == [len(answers) for answers in by_id.values()]


async def test_what_is_committed_is_not_emitted_again() -> None:
    """Once the offset is through, the row's outbox was produced."""
    runtime = FakeRuntime()
    await run_batch(ANSWERS, runtime, [cancel(1)])
    runtime.done["orders/0"] = 2
    runtime.emitted.clear()

    await run_batch(ANSWERS, runtime, [cancel(2)])

    assert ["number 2"] == [reason(emitted) for emitted in runtime.emitted]


async def test_what_is_emitted_carries_its_cause_and_its_transaction() -> None:
    """Correlation, causation, trace and baggage travel in the headers."""
    runtime = FakeRuntime()
    record = cancel(3, event_id="cause")

    await run_batch(
        ANSWERS,
        runtime,
        [msgspec.structs.replace(record, headers=(*record.headers, (SIGNATURE, b"of Payflow")))],
    )

    envelope = from_headers(runtime.emitted[0].headers)
    assert ("o1", "cause", {"country": "France"}, "/payflow/test") == (
        envelope.correlation_id,
        envelope.causation_id,
        envelope.baggage,
        envelope.source,
    )
    assert envelope.traceparent.startswith("00-")


DEEP = b'{"order_id":"o1","reason":"","more":' + b"[" * 400_000 + b"]" * 400_000 + b"}"


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        pytest.param({"value": b"not json"}, "not_json", id="no JSON"),
        pytest.param({"value": b'{"order_id":NaN}'}, "not_json", id="NaN"),
        pytest.param({"value": b'{"order_id":5}'}, "wrong_shape", id="a wrong shape"),
        pytest.param({"value": b"{}"}, "wrong_shape", id="a missing field"),
        pytest.param({"value": DEEP}, "too_deep", id="nested 400,000 deep"),
        pytest.param({"value": b"x" * 2_000_000}, "too_large", id="2 MB"),
        pytest.param({"value": None}, "tombstone", id="no body"),
        pytest.param({"value": b"\xff\xfe"}, "not_json", id="no UTF-8"),
        pytest.param({"key": b"another"}, "wrong_key", id="a wrong key"),
        pytest.param({"key": None}, "wrong_key", id="no key"),
        pytest.param({"headers": ()}, "bad_envelope", id="no headers"),
        pytest.param({"headers": (("ce_id", b"\xff"),)}, "bad_envelope", id="a header in no UTF-8"),
        pytest.param({"topic": "payments"}, "wrong_topic", id="a message on the wrong topic"),
        pytest.param({"value": UNREADABLE_BATCH}, "unreadable", id="a batch nobody can read"),
    ],
)
async def test_poison_is_dead_lettered_and_the_next_message_is_processed(
    changed: dict[str, Any], cause: str
) -> None:
    """The dead letter has the very bytes and headers, and says why."""
    runtime = FakeRuntime()
    poison = cancel(1, **changed)

    handled = await run_batch(ANSWERS, runtime, [poison, cancel(2)])

    dead_letter = runtime.emitted[0]
    assert [(poison.topic, cause)] == handled.dead
    assert (f"{poison.topic}.test.dead", poison.value, poison.key) == (
        dead_letter.topic,
        dead_letter.value,
        dead_letter.key,
    )
    assert set(poison.headers) <= set(dead_letter.headers)
    assert cause.encode() == dict(dead_letter.headers)["x-dead-cause"]
    assert [cause] == [line["cause"] for line in handled.dead_letters]
    assert 1 == tally(runtime).state.received


async def test_an_unknown_type_is_dead_lettered() -> None:
    """A type that nobody declared is named in the dead letter."""
    runtime = FakeRuntime()
    headers = tuple(
        (name, b"payflow.order.exploded.v9" if name == "ce_type" else value)
        for name, value in cancel(1).headers
    )

    handled = await run_batch(ANSWERS, runtime, [cancel(1, headers=headers)])

    assert [("orders", "unknown_type")] == handled.dead
    assert b"payflow.order.exploded.v9" in dict(runtime.emitted[0].headers)["x-dead-detail"]


async def test_a_bug_in_an_agent_dead_letters_the_event_and_leaves_the_row() -> None:
    """No exception leaves an agent; the fingerprint names where it came from."""
    runtime = FakeRuntime()

    handled = await run_batch(ANSWERS, runtime, [cancel(1), cancel(2, "explode"), cancel(3)])

    assert [("orders", "ZeroDivisionError")] == handled.dead
    assert (2, 3) == (tally(runtime).state.received, tally(runtime).applied_offsets["orders/0"])


async def test_in_an_adopted_log_what_is_new_is_applied_and_the_outbox_produced_once_more() -> None:
    """Its offsets are lower; what was decided in the log that is gone is not produced for ever."""
    runtime = FakeRuntime()
    await run_batch(ANSWERS, runtime, [cancel(900, event_id="old")])
    [before] = runtime.emitted
    runtime.done = {"orders/0": -1}

    again = cancel(2, event_id="old", epoch=7)
    handled = await run_batch(ANSWERS, runtime, [cancel(1, event_id="new", epoch=7), again])
    assert (1, 1) == (len(handled.applied), handled.duplicates)
    assert 2 == tally(runtime).state.received
    assert [before, before] == runtime.emitted[:2]

    runtime.done["orders/0~7"] = 3
    await run_batch(ANSWERS, runtime, [cancel(3, event_id="last", epoch=7)])
    assert 4 == len(runtime.emitted)
    assert {"orders/0~7": 3} == tally(runtime).applied_offsets


async def test_what_adopting_a_log_passes_by_is_produced_as_it_would_have_been() -> None:
    """Of the log before alone, from the offset on that was committed there, with the same ids."""
    runtime = FakeRuntime()
    await run_batch(ANSWERS, runtime, [cancel(9)])
    [row] = runtime.rows.values()

    def left(produced: int, before: int = 0, topic: str = "orders") -> list[Outgoing]:
        adopted = {(topic, 0): Adopted(before=before, produced=produced)}
        return left_behind(ANSWERS, row, adopted)

    assert runtime.emitted == left(9) == left(0)
    assert [[], [], []] == [left(10), left(9, before=7), left(9, topic="payments")]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(b'{"m":{"received":"many"}}', id="of another shape"),
        pytest.param(b'{"m":{"other":' + b"[" * 9_000, id="nested too deeply"),
        pytest.param(b'{"f":{"\xff":1}}', id="no text"),
    ],
)
async def test_an_unreadable_row_dead_letters_the_event_and_stays_as_it_is(row: bytes) -> None:
    """It is not overwritten."""
    runtime = FakeRuntime()
    runtime.rows[("tally", 0, b"o1")] = row

    handled = await run_batch(ANSWERS, runtime, [cancel(1)])

    assert [("orders", "row_unreadable")] == handled.dead
    assert row == runtime.rows[("tally", 0, b"o1")]


async def test_a_row_with_a_message_that_is_no_longer_declared_ends_the_worker() -> None:
    """Passed by, its outbox would count as produced; a later version produces it."""
    runtime = FakeRuntime()
    runtime.crash_at = "stored"
    with pytest.raises(Crash):
        await run_batch(ANSWERS, runtime, [cancel(1)])
    place = ("tally", 0, b"o1")
    runtime.rows[place] = runtime.rows[place].replace(b'"type":"', b'"type":"later.')
    newer = runtime.rows[place]

    with pytest.raises(Poison):
        await run_batch(ANSWERS, runtime, [cancel(1)])

    assert newer == runtime.rows[place]
    runtime.rows[place] = newer.replace(b'"type":"later.', b'"type":"')
    await run_batch(ANSWERS, runtime, [cancel(1)])
    assert 1 == len(runtime.emitted)


async def test_an_agent_may_only_produce_on_its_own_topics() -> None:
    """Producing elsewhere is a bug of the agent: the event is dead-lettered."""
    runtime = FakeRuntime()
    silent = msgspec.structs.replace(ANSWERS, produces=())

    handled = await run_batch(silent, runtime, [cancel(1)])

    assert [("orders", "AssertionError")] == handled.dead


async def test_counting_is_exact_under_redelivery_and_emitted_once_a_batch() -> None:
    """A counting row has applied offsets and processed ids.

    Its rollup is emitted once, not per event.
    """
    runtime = FakeRuntime()
    await run_batch(COUNTS, runtime, [cancel(1), cancel(2)])

    await run_batch(COUNTS, runtime, [cancel(2), cancel(3, event_id="event-1"), cancel(4)])

    assert 3 == tally(runtime, b"France").state.received
    assert [2, 3] == [
        codecs.decode(emitted.value, from_headers(emitted.headers), emitted.key).counts["received"]
        for emitted in runtime.emitted
    ]


async def test_a_call_is_made_once_and_its_answer_emitted() -> None:
    """Redelivery of a call that is remembered does not call again."""
    runtime, outside = FakeRuntime(), Outside()
    agent = calls(outside)
    await run_batch(agent, runtime, [message(1, "n1")])
    runtime.done["notification.commands/0"] = 2

    await run_batch(agent, runtime, [message(1, "n1")])

    assert ["n1"] == outside.asked
    assert ["notifications"] == [emitted.topic for emitted in runtime.emitted]


@pytest.mark.parametrize(
    "checkpoint", ["read", "decided", "set aside", "on disk", "stored", "produced"]
)
async def test_an_answer_from_outside_has_one_time_whenever_the_process_dies(
    checkpoint: str,
) -> None:
    """Analytics counts it by its minute: with its id, its time is the same after a crash."""
    runtime, agent = FakeRuntime(), calls(Outside())
    runtime.crash_at = checkpoint
    with pytest.raises(Crash):
        await run_batch(agent, runtime, [message(1, "n1")])
    runtime.now += 60_000

    await run_batch(agent, runtime, [message(1, "n1")])

    answers = {tuple(emitted.headers) for emitted in runtime.emitted}
    assert 1 == len(answers)


async def test_an_answer_that_is_given_up_again_after_a_crash_has_its_first_time() -> None:
    """The last try left no answer and one event that says so: asked again, it says that again."""
    runtime, outside = FakeRuntime(), Outside()
    outside.out_of_reach = True
    agent, record = calls(outside), message(1, "n1")
    for at in range(3):
        await run_batch(agent, runtime, [record])
        record = as_read(runtime.emitted[-1], at)
    runtime.emitted.clear()
    runtime.crash_at = "produced"
    with pytest.raises(Crash):
        await run_batch(agent, runtime, [record])
    runtime.now += 60_000

    await run_batch(agent, runtime, [record])

    failed = [each for each in runtime.emitted if each.topic == "notifications"]
    assert (2, 1) == (len(failed), len({tuple(each.headers) for each in failed}))


async def test_what_was_given_up_is_tried_again_by_a_redrive_alone() -> None:
    """A copy of an earlier try that is read again after a crash begins no new round of tries."""
    runtime, outside = FakeRuntime(), Outside()
    outside.out_of_reach = True
    agent, copies = calls(outside), [message(1, "n1")]
    for at in range(4):
        await run_batch(agent, runtime, copies[-1:])
        copies.append(as_read(runtime.emitted[-1], at))
    dead_letter = as_read(runtime.emitted[-2], 0)
    calls_before = len(outside.asked)
    outside.out_of_reach = False

    again = await run_batch(agent, runtime, copies[1:4])
    redriven = as_read(sent_back(DeadLetter(record=dead_letter, at_ms=1), 0), 0)
    await run_batch(agent, runtime, [redriven, redriven])

    assert (3, calls_before + 1) == (again.duplicates, len(outside.asked))
    assert (type_name(NotificationSent), msgspec.UNSET) == (
        from_headers(runtime.emitted[-1].headers).type,
        tally(runtime).due_ms,
    )


async def test_a_failed_call_waits_in_a_retry_topic_with_its_key_behind_it() -> None:
    """The event and its followers go to the retry topic in order; another key is not held up."""
    runtime, outside = FakeRuntime(), Outside()
    outside.out_of_reach = True
    agent = calls(outside)

    await run_batch(agent, runtime, [message(1, "n1"), message(2, "n2")])

    assert ["n1"] == outside.asked
    assert ["notification.commands.test.retry-1s"] * 2 == [
        emitted.topic for emitted in runtime.emitted
    ]
    assert ("event-1", "event-2") == tally(runtime).parked


async def parked_pair(runtime: FakeRuntime, outside: Outside) -> tuple[Any, Record, Record]:
    """Return the agent of `outside`, out of reach, and two events of one key that wait for it."""
    outside.out_of_reach = True
    agent = calls(outside)
    await run_batch(agent, runtime, [message(1, "n1"), message(2, "n2")])
    first, follower = (as_read(emitted, at) for at, emitted in enumerate(runtime.emitted))
    runtime.emitted.clear()
    return agent, first, follower


async def test_parked_events_go_through_in_their_order_when_the_outside_is_back() -> None:
    """A follower that comes first waits again; after the head it goes through."""
    runtime, outside = FakeRuntime(), Outside()
    agent, first, follower = await parked_pair(runtime, outside)
    outside.out_of_reach = False
    outside.asked.clear()

    await run_batch(agent, runtime, [follower])
    again = as_read(runtime.emitted[0], 5)
    await run_batch(agent, runtime, [first, again])

    assert ["n1", "n2"] == outside.asked
    assert () == tally(runtime).parked


async def test_of_a_parked_event_only_the_latest_copy_waits_on() -> None:
    """A copy that was produced twice, or again after a crash, does not become two that circle."""
    runtime, outside = FakeRuntime(), Outside()
    agent, first, follower = await parked_pair(runtime, outside)
    runtime.now += 1_000

    await run_batch(agent, runtime, [follower, follower, first, first])
    handled = await run_batch(agent, runtime, [follower, first])

    assert 2 == len(runtime.emitted)
    assert 2 == handled.duplicates
    assert ["n1", "n1"] == outside.asked
    outside.out_of_reach = False
    copies = {emitted.topic: as_read(emitted, 9) for emitted in runtime.emitted}
    await run_batch(agent, runtime, [copies["notification.commands.test.retry-10s"]])
    await run_batch(agent, runtime, [copies["notification.commands.test.retry-1s"]])
    assert ["n1", "n1", "n1", "n2"] == outside.asked
    assert () == tally(runtime).parked
    assert msgspec.UNSET is tally(runtime).due_ms


async def test_an_exhausted_event_is_dead_lettered_and_its_followers_go_on() -> None:
    """Three new tries, then the dead topic and the agent's last message; the key is free again."""
    runtime, outside = FakeRuntime(), Outside()
    outside.out_of_reach = True
    agent = calls(outside)
    record = message(1, "n1")
    topics = []
    for at in range(4):
        await run_batch(agent, runtime, [record])
        topics.append(runtime.emitted[-1].topic)
        record = as_read(runtime.emitted[-1], at)

    name = "notification.commands.test"
    assert [f"{name}.retry-1s", f"{name}.retry-10s", f"{name}.retry-60s"] == topics[:3]
    assert "notifications" == topics[3]
    dead_letter = dict(runtime.emitted[-2].headers)
    assert (b"exhausted", b"notification.commands/0/1", b"3") == (
        dead_letter["x-dead-cause"],
        dead_letter["x-dead-origin"],
        dead_letter["x-dead-attempts"],
    )
    assert () == tally(runtime).parked


def test_a_retry_is_due_after_the_wait_of_its_level() -> None:
    """The due time is in the headers, so that it survives a restart."""
    emitted = to_retry(cancel(1), "test", 2, 5_000, "why")

    assert 15_000 == due_ms(as_read(emitted, 0))


async def test_the_applied_offsets_drop_what_the_processed_ids_have_forgotten() -> None:
    """Ids are remembered for a while, offsets for ever: an old record that comes again is known."""
    runtime = FakeRuntime()
    records = [cancel(at) for at in range(row.PROCESSED_IDS_MAX + 10)]
    await run_batch(ANSWERS, runtime, records)

    handled = await run_batch(ANSWERS, runtime, [records[0]])

    assert (1, len(records)) == (handled.duplicates, tally(runtime).state.received)


async def test_an_old_record_that_comes_again_moves_no_applied_offset_back() -> None:
    """Those between it and the newest would be applied a second time: their ids are forgotten."""
    runtime = FakeRuntime()
    records = [cancel(at) for at in range(row.PROCESSED_IDS_MAX + 10)]
    await run_batch(ANSWERS, runtime, records)

    await run_batch(ANSWERS, runtime, [records[0]])
    handled = await run_batch(ANSWERS, runtime, [records[1]])

    assert (1, len(records)) == (handled.duplicates, tally(runtime).state.received)


async def test_a_row_that_counts_remembers_more_ids_than_a_batch_repeats() -> None:
    """A producer that says everything again, at new offsets, adds nothing to the figures."""
    runtime = FakeRuntime()
    count = 4 * row.PROCESSED_IDS_MAX
    await run_batch(COUNTS, runtime, [cancel(at) for at in range(count)])

    again = [cancel(count + at, event_id=f"event-{at}") for at in range(count)]
    handled = await run_batch(COUNTS, runtime, again)

    assert (count, count) == (handled.duplicates, tally(runtime, b"France").state.received)


async def test_a_row_that_counts_knows_ids_that_it_once_remembered_whole() -> None:
    """Older rows hold ids of 36 characters; a repetition of those is dropped as well."""
    runtime = FakeRuntime()
    await run_batch(ANSWERS, runtime, [cancel(1), cancel(2), cancel(3)])
    *whole, new = tally(runtime).processed_ids
    old = row.Row(state=Tally(received=2), processed_ids=tuple(whole))
    runtime.rows["tally", 0, b"France"] = row.encode_row(old)

    handled = await run_batch(
        COUNTS, runtime, [cancel(7, event_id="event-1"), cancel(8, event_id="event-3")]
    )

    after = tally(runtime, b"France")
    assert (1, 3) == (handled.duplicates, after.state.received)
    assert (*whole, row.digest_of(new)) == after.processed_ids
    digests = tuple(map(row.digest_of, (*whole, new)))
    assert digests == row.with_digests(after).processed_ids


async def test_what_a_deadline_causes_travels_with_its_transaction() -> None:
    """A deadline carries no baggage of its own: that of the row goes on, with its ids."""
    agent = msgspec.structs.replace(
        ANSWERS,
        decide=lambda _state, _received, _at_ms: (
            PaymentFailed(transaction_id="o1", reason="late"),
        ),
    )
    runtime = FakeRuntime()
    await run_batch(agent, runtime, [cancel(1)])
    envelope = Envelope(
        id=derive_id(agent.name, "o1", 5),
        type=type_name(DeadlineReached),
        source="/payflow/test",
        time_ms=1_000_000,
        subject="o1",
        correlation_id="the row's key",
    )
    due = cancel(
        2,
        topic=timers_topic(agent.name),
        value=codecs.encode(DeadlineReached(key="o1", due_at_ms=5)),
        headers=tuple(to_headers(envelope)),
    )

    await run_batch(agent, runtime, [due])

    woken = from_headers(runtime.emitted[-1].headers)
    assert envelope.id == woken.causation_id
    assert ({"country": "France"}, "o1") == (woken.baggage, woken.correlation_id)
