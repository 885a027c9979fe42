"""What each parcel remembers."""

from tables import declare
from workflows.shipping.process import INITIAL, Parcel

parcels = declare(
    "shipping",
    service="shipping",
    shape=Parcel,
    initial=INITIAL,
    help="The one parcel of each order, by order id.",
)
