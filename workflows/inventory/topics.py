"""Topics of the subject inventory."""

from operator import attrgetter

from workflows.inventory.messages import (
    InventoryMessage,
    InventoryRejected,
    InventoryReleased,
    InventoryReturned,
)
from workflows.inventory.stock_messages import (
    ReleaseStock,
    RestockStock,
    StockAnswer,
    StockCommand,
    StockFact,
    StockRefused,
    StockReleased,
    StockRestocked,
    UnshipStock,
    WarehouseMessage,
)
from workflows.shared.topic import Key, by, declare

by_sku: Key = attrgetter("sku")

inventory = declare(
    "inventory",
    InventoryMessage,
    key=by("order_id"),
    writer="inventory",
    retention_ms=-1,
    traced=True,
    kinds={
        "compensation": (InventoryReleased, InventoryReturned),
        "failure": (InventoryRejected,),
    },
)
warehouse = declare(
    "warehouse", WarehouseMessage, key=by_sku, writer="console", retention_ms=-1, open=True
)
stock = declare("stock", StockFact, key=by_sku, writer="inventory", retention_ms=-1)
stock_commands = declare(
    "stock.commands",
    StockCommand,
    key=by_sku,
    writer="inventory",
    kinds={"compensation": (ReleaseStock, UnshipStock, RestockStock)},
)
stock_answers = declare(
    "stock.answers",
    StockAnswer,
    key=by("order_id"),
    writer="inventory",
    kinds={"compensation": (StockReleased, StockRestocked), "failure": (StockRefused,)},
)
