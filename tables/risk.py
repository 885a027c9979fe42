"""The latest payments of each entity, by `kind:id`."""

from tables import declare
from workflows.fraud.risk import INITIAL, Entity

entities = declare(
    "risk",
    service="fraud",
    shape=Entity,
    initial=INITIAL,
    help="What each customer, card, terminal, device and address did lately, by kind and id.",
    by_transaction=False,
)
