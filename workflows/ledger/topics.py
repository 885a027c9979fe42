"""Topics of the subject ledger."""

from workflows.ledger.messages import EntryPosted
from workflows.shared.topic import by_order, declare

ledger = declare("ledger", EntryPosted, key=by_order, writer="ledger", retention_ms=-1, traced=True)
