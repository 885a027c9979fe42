"""The stock room: one row a shelf, which holds, ships and takes back the units of one SKU.

Hears   warehouse, stock.commands
Keeps   stock
Tells   stock, stock.answers
"""

from app.delivery.agent import open_room
from app.wire import topics
from tables.stock import shelves
from workflows.inventory import stock

stock_room = open_room(
    name="stock",
    service="inventory",
    hears=(topics.warehouse, topics.stock_commands),
    tells=(topics.stock, topics.stock_answers),
    keeps=shelves,
    decide=stock.decide,
    evolve=stock.evolve,
)
