"""The books of each order, by order id."""

from tables import declare
from workflows.ledger.process import INITIAL, Books

books = declare(
    "ledger",
    service="ledger",
    shape=Books,
    initial=INITIAL,
    help="The books of each order, by order id.",
)
