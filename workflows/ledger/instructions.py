"""What a workflow may ask of the ledger; see `workflows.shared.reaction`."""

from workflows.shared.reaction import Instruction


class RecognizeSale(Instruction, frozen=True, kw_only=True):
    """What was paid for is delivered, or on its way: the sale is posted."""

    transaction_id: str
    items_minor: int | None = None
    """What of the items that were paid for is in it; None: all of them."""
    charges_minor: int = 0
    """What is charged beside these items."""


class ReverseSale(Instruction, frozen=True, kw_only=True):
    """What was on its way is stopped: the sale is posted, and its reversal."""

    transaction_id: str
