"""Topics of the subject inventory."""

from operator import attrgetter

from workflows.inventory.messages import InventoryMessage
from workflows.inventory.stock_messages import (
    StockAnswer,
    StockCommand,
    StockFact,
    WarehouseMessage,
)
from workflows.shared.topic import Key, by_order, declare

by_sku: Key = attrgetter("sku")

inventory = declare(
    "inventory", InventoryMessage, key=by_order, writer="inventory", retention_ms=-1
)
warehouse = declare(
    "warehouse", WarehouseMessage, key=by_sku, writer="console", retention_ms=-1, open=True
)
stock = declare("stock", StockFact, key=by_sku, writer="inventory", retention_ms=-1)
stock_commands = declare("stock.commands", StockCommand, key=by_sku, writer="inventory")
stock_answers = declare("stock.answers", StockAnswer, key=by_order, writer="inventory")
