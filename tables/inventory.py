"""The stock that each order holds, by order id."""

from tables import declare
from workflows.inventory.process import INITIAL, Inventory

reservations = declare(
    "inventory",
    service="inventory",
    shape=Inventory,
    initial=INITIAL,
    help="What is held of each order and where it goes, by order id.",
)
