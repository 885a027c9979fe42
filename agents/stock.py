"""The stock agent: one row for each SKU, which holds, ships and restocks its units.

Consumes   warehouse, stock.commands
Table      stock
Produces   stock, stock.answers
"""

from app.delivery.agent import Decider, register
from tables.stock import shelves
from workflows.inventory import stock
from workflows.inventory import topics as inventory_topics

stock_agent = register(
    Decider(
        name="stock",
        service="inventory",
        consumes=(inventory_topics.warehouse, inventory_topics.stock_commands),
        produces=(inventory_topics.stock, inventory_topics.stock_answers),
        table=shelves,
        decide=stock.decide,
        evolve=stock.evolve,
        once=stock.once,
    )
)
