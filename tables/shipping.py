"""What each parcel remembers."""

from tables import declare
from workflows.shipping.process import INITIAL, Shipment

parcels = declare(
    "shipping",
    service="shipping",
    shape=Shipment,
    initial=INITIAL,
    help="The one parcel of each order, by order id.",
)
