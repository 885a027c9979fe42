"""What is known of the verdict on each order's payment, by order id."""

from tables import declare
from workflows.fraud.process import INITIAL, PaymentCheck

verdicts = declare(
    "verdict",
    service="fraud",
    shape=PaymentCheck,
    initial=INITIAL,
    help="The check of each payment: its entities' answers, verdict, label, case, by order id.",
)
