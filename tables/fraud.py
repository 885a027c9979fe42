"""What is known of the judgment on each order's payment, by order id."""

from tables import declare
from workflows.fraud.process import INITIAL, PaymentCheck

verdicts = declare(
    "verdict",
    service="fraud",
    shape=PaymentCheck,
    initial=INITIAL,
    help="The judgment on each payment: its parties' answers, verdict, label, case, by order id.",
)
