"""What each customer did lately, and the verdicts on it, by customer."""

from tables import declare
from workflows.fraud import INITIAL, Customer

customers = declare(
    "fraud",
    service="fraud",
    shape=Customer,
    initial=INITIAL,
    help="What each customer did lately, and the verdicts on it, by customer.",
)
