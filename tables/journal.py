"""Every event of every transaction, by order id, time and event id."""

from tables import declare
from workflows.shared.journal import INITIAL, JournalEntry

entries = declare(
    "journal",
    service="console",
    shape=JournalEntry,
    initial=INITIAL,
    help="Every event of every transaction, by order id, time and event id.",
    by_transaction=False,
)
