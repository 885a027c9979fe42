"""What counts once counts once for ever, whatever its producer calls the event, and when."""

import pytest
from msgspec.structs import replace

from agents.stock import stock_agent
from app.delivery.processor import run_batch
from app.delivery.row import decode_row, is_row
from app.wire import codecs
from app.wire.envelope import Envelope, to_headers
from app.wire.records import Record
from tables.stock import shelves
from tests.support.runtime import Crash, FakeRuntime
from workflows.inventory.shelf import REMEMBERED_MAX, Stock
from workflows.inventory.stock_messages import AdjustStock, ReceiveStock, RestockStock
from workflows.shared.message import Message, type_name
from workflows.shared.topic import topic_of

OTHERS = REMEMBERED_MAX + 4
RECEIVE = ReceiveStock(receipt_id="first", sku="mug", quantity=50)
ADJUST = AdjustStock(adjustment_id="first", sku="mug", delta=50)
RESTOCK = RestockStock(order_id="o1", return_id="b1", sku="mug", quantity=50)


def record(message: Message, number: int) -> Record:
    """Return `message` as event `number`: another id, a later time and place than those before."""
    envelope = Envelope(
        id=f"e{number}",
        type=type_name(type(message)),
        source="/x",
        time_ms=1_000 + number,
        subject="mug",
        correlation_id="mug",
    )
    return Record(
        topic=topic_of(message).name,
        partition=0,
        offset=number,
        key=b"mug",
        value=codecs.encode(message),
        headers=tuple(to_headers(envelope)),
        at_ms=1_000 + number,
    )


def others(count: int = OTHERS) -> list[Record]:
    """Return so many receipts that the shelf itself has forgotten what came before them."""
    receipts = (
        ReceiveStock(receipt_id=f"r{number}", sku="mug", quantity=1) for number in range(count)
    )
    return [record(each, number) for number, each in enumerate(receipts, start=1)]


def shelf(runtime: FakeRuntime) -> Stock:
    state = decode_row(shelves, runtime.rows[(shelves.name, 0, b"mug")]).state
    assert isinstance(state, Stock)
    return state


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(RECEIVE, id="a receipt"),
        pytest.param(ADJUST, id="a count"),
        pytest.param(RESTOCK, id="a return"),
    ],
)
async def test_what_the_shelf_has_forgotten_does_not_count_again(message: Message) -> None:
    """Another console repeats it, or another producer: another event id, and a time of its own."""
    runtime = FakeRuntime()
    await run_batch(stock_agent, runtime, [record(message, 0), *others()])
    runtime.rows = dict(runtime.changelog)
    runtime.done = {f"{topic}/0": OTHERS + 1 for topic in ("warehouse", "stock.commands")}
    before, emitted = shelf(runtime), len(runtime.emitted)

    handled = await run_batch(stock_agent, runtime, [record(message, 9_000)])
    assert (before, 1, emitted) == (shelf(runtime), handled.duplicates, len(runtime.emitted))
    assert 50 + OTHERS == before.on_hand
    assert REMEMBERED_MAX == len(before.counted)


async def test_it_counts_once_within_a_batch_and_for_each_shelf() -> None:
    """The same receipt of another SKU is another."""
    runtime = FakeRuntime()
    other = ReceiveStock(receipt_id="first", sku="cup", quantity=7)
    read = [record(RECEIVE, 0), *others(), record(RECEIVE, 8_000)]
    cup = Record(
        topic="warehouse",
        partition=0,
        offset=9_000,
        key=b"cup",
        value=codecs.encode(other),
        headers=record(other, 9_000).headers,
    )
    await run_batch(stock_agent, runtime, [*read, cup])

    assert 50 + OTHERS == shelf(runtime).on_hand
    assert b"cup" in {key for _, _, key in runtime.rows}


@pytest.mark.parametrize("crash_at", ["decided", "on disk", "stored", "produced"])
async def test_a_crash_neither_loses_it_nor_counts_it_twice(crash_at: str) -> None:
    """Read again, the row knows it or it does not: its mark lies in the same put."""
    runtime = FakeRuntime()
    runtime.crash_at = crash_at
    with pytest.raises(Crash):
        await run_batch(stock_agent, runtime, [record(RECEIVE, 0)])
    await run_batch(stock_agent, runtime, [record(RECEIVE, 0)])

    assert 50 == shelf(runtime).on_hand


async def test_a_mark_of_what_its_row_has_not_applied_is_not_believed() -> None:
    """A kill leaves both on disk; the changelog has an older row, which is read over the newer."""
    runtime = FakeRuntime()
    await run_batch(stock_agent, runtime, others(3))
    runtime.crash_at = "stored"
    with pytest.raises(Crash):
        await run_batch(stock_agent, runtime, [record(RESTOCK, 10)])
    row_key = (shelves.name, 0, b"mug")
    older = FakeRuntime()
    await run_batch(stock_agent, older, others(3))
    runtime.rows[row_key] = older.rows[row_key]
    assert 3 == shelf(runtime).on_hand

    again = await run_batch(stock_agent, runtime, [record(RESTOCK, 10), record(RESTOCK, 11)])
    assert (53, 1) == (shelf(runtime).on_hand, again.duplicates)


async def test_a_mark_is_put_again_with_its_row() -> None:
    """After a kill both may be on disk without their changelog records."""
    runtime = FakeRuntime()
    await run_batch(stock_agent, runtime, [record(RECEIVE, 0)])
    runtime.changelog.clear()
    await run_batch(stock_agent, runtime, [record(RECEIVE, 0)])

    assert runtime.rows == runtime.changelog


@pytest.mark.parametrize(
    ("before", "own"),
    [
        pytest.param(RECEIVE, "receipt_id", id="a receipt"),
        pytest.param(ADJUST, "adjustment_id", id="a count"),
    ],
)
@pytest.mark.parametrize("forgotten", [True, False], ids=["by its mark", "by its row"])
async def test_what_was_counted_when_names_were_of_nobody_is_not_counted_again(
    before: ReceiveStock | AdjustStock, own: str, forgotten: bool
) -> None:
    """The client who repeats it names it by an id of its own, with the name of before."""
    runtime = FakeRuntime()
    more = others() if forgotten else []
    await run_batch(stock_agent, runtime, [record(before, 0), *more])
    runtime.rows = dict(runtime.changelog)
    if not forgotten:
        runtime.rows = {key: row for key, row in runtime.rows.items() if is_row(key[2])}
    on_hand = shelf(runtime).on_hand

    again = replace(before, **{own: "tag-1"}, reference="first")
    await run_batch(stock_agent, runtime, [record(again, 9_000)])
    assert on_hand == shelf(runtime).on_hand

    other = replace(before, **{own: "tag-2"}, reference="other")
    await run_batch(stock_agent, runtime, [record(other, 9_001)])
    await run_batch(stock_agent, runtime, [record(other, 9_002)])
    assert on_hand + 50 == shelf(runtime).on_hand


async def test_names_of_two_clients_are_two_receipts() -> None:
    """Neither swallows that of the other, though both call it the same."""
    runtime = FakeRuntime()
    for number, own in enumerate(("tag1-x", "tag2-y")):
        one = ReceiveStock(receipt_id=own, sku="mug", quantity=50, reference="r1/mug")
        await run_batch(stock_agent, runtime, [record(one, number)])

    assert 100 == shelf(runtime).on_hand


async def test_marks_are_no_rows() -> None:
    """Who lists a table, verifies it or makes it again passes over them."""
    runtime = FakeRuntime()
    await run_batch(stock_agent, runtime, others(3))

    assert [b"mug"] == [key for _, _, key in runtime.rows if is_row(key)]
    assert 4 == len(runtime.rows)
