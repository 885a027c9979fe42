"""Topics of the subject ledger."""

from workflows.ledger.messages import EntryPosted
from workflows.shared.topic import by, declare

ledger = declare(
    "ledger", EntryPosted, key=by("transaction_id"), writer="ledger", retention_ms=-1, traced=True
)
