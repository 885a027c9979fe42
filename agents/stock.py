"""The stock agent: one row a shelf, which holds, ships and takes back the units of one SKU.

Consumes   warehouse, stock.commands
Table      stock
Produces   stock, stock.answers
"""

from app.delivery.agent import register
from app.wire import topics
from tables.stock import shelves
from workflows.inventory import stock

stock_agent = register(
    name="stock",
    service="inventory",
    consumes=(topics.warehouse, topics.stock_commands),
    produces=(topics.stock, topics.stock_answers),
    table=shelves,
    decide=stock.decide,
    evolve=stock.evolve,
)
