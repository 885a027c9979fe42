"""What each top-up remembers."""

from workflows.giftcard.process import INITIAL, TopUp

from tables import declare

top_ups = declare(
    "giftcard",
    service="giftcard",
    shape=TopUp,
    initial=INITIAL,
    help="How each top-up goes, by its id.",
)
