"""The state of each order as a whole."""

from tables import declare
from workflows.order.process import INITIAL, Order

orders = declare(
    "order",
    service="order",
    shape=Order,
    initial=INITIAL,
    help="How each order goes as a whole, step by step, by order id.",
)
