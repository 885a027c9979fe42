"""The stock of each SKU."""

from tables import declare
from workflows.inventory.stock import INITIAL, Stock

shelves = declare(
    "stock",
    service="inventory",
    shape=Stock,
    initial=INITIAL,
    help="The units of each SKU: on hand, held, shipped; by SKU.",
    by_transaction=False,
)
