"""What is true of an order's stock whatever is heard, in whatever order."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.telling import hear
from tests.unit import test_inventory as example
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

WORDS = [
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

stories = st.lists(st.sampled_from(WORDS), max_size=20)


def tell(story: list[Any]) -> list[tuple[Any, Any, tuple[Message, ...]]]:
    """Return (memory, heard, told) after each word of `story`."""
    memory, beats = inventory.INITIAL, []
    for word in story:
        memory, told = hear(inventory, memory, word)
        beats.append((memory, word, told))
    return beats


@given(stories)
def test_hearing_it_twice_tells_nothing_more(story: list[Any]) -> None:
    """A repetition under another id owes nothing and changes nothing."""
    for memory, heard, _ in tell(story):
        assert (memory, ()) == hear(inventory, memory, heard)


@given(stories)
def test_each_shelf_is_asked_for_each_thing_once(story: list[Any]) -> None:
    """One reservation, one shipment and one release of each SKU, and one verdict."""
    told = [word for _, _, words in tell(story) for word in words]
    asked = Counter(
        (type(word), word.sku) for word in told if isinstance(word, ReserveStock | ShipStock)
    )
    let_go = Counter(word.sku for word in told if isinstance(word, ReleaseStock | UnshipStock))
    verdicts = [word for word in told if isinstance(word, InventoryReserved | InventoryRejected)]

    assert max(asked.values(), default=0) <= 1
    assert max(let_go.values(), default=0) <= 1
    assert len(verdicts) <= 1


@given(stories)
def test_what_is_let_go_is_told_when_all_of_it_is_free(story: list[Any]) -> None:
    """InventoryReleased follows InventoryReserved, once, with nothing left held."""
    for memory, _, told in tell(story):
        if any(isinstance(word, InventoryReleased) for word in told):
            assert "reserved" == memory.verdict
            assert {"free"} == {part.status for part in memory.parts.values()}


@given(stories)
def test_a_closed_order_keeps_nothing(story: list[Any]) -> None:
    """Once nothing will be shipped, no part is held or gone."""
    for memory, _, _ in tell(story):
        if memory.closed and memory.order_id:
            statuses = {part.status for part in memory.parts.values()}
            assert not statuses & {"held", "shipped"}
