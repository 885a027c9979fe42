"""The state of each payment."""

from tables import declare
from workflows.payment.process import INITIAL, Payment

payments = declare(
    "payment",
    service="payment",
    shape=Payment,
    initial=INITIAL,
    help="The charge and the refunds of each order, by order id.",
)
