"""What is true of an order's stock whatever is received, in whatever order."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import inventory as example
from tests.support.workflow_runner import receive
from workflows.inventory import process as inventory
from workflows.inventory.messages import InventoryRejected, InventoryReleased, InventoryReserved
from workflows.inventory.stock_messages import (
    ReleaseStock,
    ReserveStock,
    ShipStock,
    StockReleased,
    UnshipStock,
)
from workflows.shared.message import Message

MESSAGES = [
    example.PLACED,
    example.MUG,
    example.TIN,
    example.refused("tin"),
    example.CANCELLED,
    example.CREATED,
    example.at(StockReleased, "mug"),
    example.at(StockReleased, "tin"),
    example.RETURN,
    example.RESTOCKED_MUG,
]

stories = st.lists(st.sampled_from(MESSAGES), max_size=20)


def publish(story: list[Any]) -> list[tuple[Any, Any, tuple[Message, ...]]]:
    """Return (state, received, emitted) after each message of `story`."""
    state, checkpoints = inventory.INITIAL, []
    for message in story:
        state, emitted = receive(inventory, state, message)
        checkpoints.append((state, message, emitted))
    return checkpoints


@given(stories)
def test_receiving_it_twice_emits_nothing_more(story: list[Any]) -> None:
    """A repetition under another id owes nothing and changes nothing."""
    for state, received, _ in publish(story):
        assert (state, ()) == receive(inventory, state, received)


@given(stories)
def test_each_shelf_is_asked_for_each_thing_once(story: list[Any]) -> None:
    """One reservation, one shipment and one release of each SKU, and one verdict."""
    emitted = [message for _, _, messages in publish(story) for message in messages]
    count_by_command = Counter(
        (type(message), message.sku)
        for message in emitted
        if isinstance(message, ReserveStock | ShipStock)
    )
    let_go = Counter(
        message.sku for message in emitted if isinstance(message, ReleaseStock | UnshipStock)
    )
    verdicts = [
        message for message in emitted if isinstance(message, InventoryReserved | InventoryRejected)
    ]

    assert max(count_by_command.values(), default=0) <= 1
    assert max(let_go.values(), default=0) <= 1
    assert len(verdicts) <= 1


@given(stories)
def test_what_is_let_go_is_emitted_when_all_of_it_is_free(story: list[Any]) -> None:
    """InventoryReleased follows InventoryReserved, once, with nothing left held."""
    for state, _, emitted in publish(story):
        if any(isinstance(message, InventoryReleased) for message in emitted):
            assert "reserved" == state.verdict
            assert {"free"} == {part.status for part in state.parts.values()}


@given(stories)
def test_a_closed_order_keeps_nothing(story: list[Any]) -> None:
    """Once nothing will be shipped, no part is held or gone."""
    for state, _, _ in publish(story):
        if state.closed and state.order_id:
            statuses = {part.status for part in state.parts.values()}
            assert not statuses & {"held", "shipped"}
