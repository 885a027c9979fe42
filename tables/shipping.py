"""The state of each shipment."""

from tables import declare
from workflows.shipping.process import INITIAL, Shipment

shipments = declare(
    "shipping",
    service="shipping",
    shape=Shipment,
    initial=INITIAL,
    help="The one shipment of each order, by order id.",
)
