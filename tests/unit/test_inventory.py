"""Inventory, by example."""

import pytest
from msgspec.structs import replace

from tests.support.examples.inventory import (
    CANCELLED,
    CREATED,
    MUG,
    PLACED,
    RESTOCKED_MUG,
    RETURN,
    TIN,
    at,
    back,
    line,
    placed,
    refused,
)
from tests.support.workflow_runner import Received, after
from workflows.fraud.messages import FraudDetected
from workflows.inventory import process as inventory
from workflows.inventory.messages import (
    InventoryRejected,
    InventoryReleased,
    InventoryReserved,
    InventoryReturned,
)
from workflows.inventory.stock_messages import (
    ReleaseStock,
    ReserveStock,
    RestockStock,
    ShipStock,
    StockReleased,
    UnshipStock,
)
from workflows.payment.messages import PaymentFailed
from workflows.shared.message import Message
from workflows.shipping.messages import ShipmentCancelled, ShipmentFailed


def reserve(sku: str, quantity: int) -> ReserveStock:
    """Return the request for `quantity` units."""
    return ReserveStock(order_id="o1", sku=sku, quantity=quantity)


RESERVED = InventoryReserved(order_id="o1", units=3)
REJECTED = InventoryRejected(order_id="o1", reason="out_of_stock", skus=("tin",))
REJECTED_CANCELLED = InventoryRejected(order_id="o1", reason="cancelled")
RELEASED = InventoryReleased(order_id="o1")
STOPPED = ShipmentCancelled(order_id="o1", cause="cancelled_by_customer", shipment_id="s1")
HELD = [PLACED, MUG, TIN]
SHIPPED = [*HELD, CREATED]


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([], PLACED, (reserve("mug", 2), reserve("tin", 1)), id="each shelf is asked"),
        pytest.param(
            [], placed(("mug", 2), ("mug", 3)), (reserve("mug", 5),), id="equal SKUs are summed"
        ),
        pytest.param(
            [], placed(), (InventoryReserved(order_id="o1", units=0),), id="no items: reserved"
        ),
        pytest.param([PLACED], PLACED, (), id="the same order again asks nobody"),
        pytest.param([PLACED], MUG, (), id="some lines are not all"),
        pytest.param([PLACED, MUG], MUG, (), id="a line counts once"),
        pytest.param([PLACED, MUG], TIN, (RESERVED,), id="all lines are held"),
        pytest.param(HELD, TIN, (), id="it is reserved once"),
        pytest.param(
            [PLACED, MUG],
            refused("tin"),
            (REJECTED, at(ReleaseStock, "mug")),
            id="one refusal rejects and lets go",
        ),
        pytest.param(
            [PLACED, refused("tin")], MUG, (at(ReleaseStock, "mug"),), id="late lines are let go"
        ),
        pytest.param([PLACED, refused("tin")], refused("mug"), (), id="it is rejected once"),
        pytest.param(
            [PLACED, MUG],
            replace(refused("tin"), reason="too_many_open_orders"),
            (replace(REJECTED, reason="too_many_open_orders"), at(ReleaseStock, "mug")),
            id="a shelf with too many open orders rejects as well, and says so",
        ),
        pytest.param(
            [],
            placed(("mug", 1_000_000), ("mug", 1)),
            (InventoryRejected(order_id="o1", reason="out_of_stock", skus=("mug",)),),
            id="more than a shelf can be asked for is not to be had",
        ),
    ],
)
def test_gathering(earlier: list[Received], when: Received, then: tuple[Message, ...]) -> None:
    """Given what was received, when this is received, then this is emitted."""
    assert then == after(inventory, *earlier, when)[1]


@pytest.mark.parametrize(
    "closed",
    [
        pytest.param(CANCELLED, id="cancelled"),
        pytest.param(ShipmentFailed(order_id="o1", reason="x"), id="carrier"),
        pytest.param(PaymentFailed(transaction_id="o1", reason="x"), id="payment"),
        pytest.param(
            FraudDetected(transaction_id="o1", score=1, reasons=(), rules_version="1"), id="fraud"
        ),
    ],
)
@pytest.mark.parametrize(
    ("earlier", "then"),
    [
        pytest.param([], (), id="before the order: remembered"),
        pytest.param([PLACED], (REJECTED_CANCELLED,), id="nothing held yet"),
        pytest.param(
            [PLACED, MUG], (REJECTED_CANCELLED, at(ReleaseStock, "mug")), id="some lines held"
        ),
        pytest.param(HELD, (at(ReleaseStock, "mug"), at(ReleaseStock, "tin")), id="all lines held"),
        pytest.param([PLACED, refused("tin")], (), id="already rejected"),
    ],
)
def test_undoing(earlier: list[Received], then: tuple[Message, ...], closed: Message) -> None:
    """Given what was received, when nothing will be shipped, then all that is held is let go."""
    assert then == after(inventory, *earlier, closed)[1]


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([CANCELLED], PLACED, (REJECTED_CANCELLED,), id="closed first, nobody asked"),
        pytest.param(
            [PLACED, CANCELLED], MUG, (at(ReleaseStock, "mug"),), id="late lines are let go"
        ),
        pytest.param([PLACED, CANCELLED], refused("mug"), (), id="a late refusal needs nothing"),
        pytest.param([*HELD, CANCELLED], at(StockReleased, "mug"), (), id="not all are free"),
        pytest.param(
            [*HELD, CANCELLED, at(StockReleased, "mug")],
            at(StockReleased, "tin"),
            (RELEASED,),
            id="all are free",
        ),
        pytest.param(
            [placed()], CANCELLED, (RELEASED,), id="an order without items is free at once"
        ),
        pytest.param([*HELD, CANCELLED], CANCELLED, (), id="it is undone once"),
        pytest.param([*HELD, CANCELLED], MUG, (), id="an old answer holds nothing again"),
        pytest.param(
            HELD, CREATED, (at(ShipStock, "mug"), at(ShipStock, "tin")), id="it leaves Payflow"
        ),
        pytest.param(SHIPPED, CREATED, (), id="it leaves once"),
        pytest.param(
            SHIPPED,
            STOPPED,
            (
                UnshipStock(order_id="o1", sku="mug", quantity=2),
                UnshipStock(order_id="o1", sku="tin", quantity=1),
            ),
            id="a stopped shipment comes back",
        ),
        pytest.param(
            [*SHIPPED, STOPPED, at(StockReleased, "mug")],
            at(StockReleased, "tin"),
            (RELEASED,),
            id="and is free again",
        ),
    ],
)
def test_letting_go(earlier: list[Received], when: Received, then: tuple[Message, ...]) -> None:
    """Given what was received, when this is received, then this is emitted."""
    assert then == after(inventory, *earlier, when)[1]


RESTOCK_MUG = RestockStock(order_id="o1", return_id="r1", sku="mug", quantity=2)
RETURNED = InventoryReturned(order_id="o1", return_id="r1")


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([], RETURN, (RESTOCK_MUG,), id="items go back to their shelf, summed"),
        pytest.param([RETURN], RESTOCKED_MUG, (RETURNED,), id="all are back"),
        pytest.param([RETURN], RETURN, (), id="a return is restocked once"),
        pytest.param([RETURN, RESTOCKED_MUG], RESTOCKED_MUG, (), id="it is emitted once"),
        pytest.param(
            [], back("r1", line("POST", 1, is_item=False)), (RETURNED,), id="no items: back at once"
        ),
        pytest.param(
            [back("r1", line("mug", 1), line("tin", 1))], RESTOCKED_MUG, (), id="one is missing"
        ),
    ],
)
def test_returns(earlier: list[Received], when: Received, then: tuple[Message, ...]) -> None:
    """Given a shipped order and what was known it, when this is received, then this is emitted."""
    assert then == after(inventory, *SHIPPED, *earlier, when)[1]
