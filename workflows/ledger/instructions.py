"""What a workflow may ask of the ledger; see `workflows.shared.reaction`."""

from workflows.shared.reaction import Instruction


class RecognizeSale(Instruction, frozen=True, kw_only=True):
    """What was paid for is delivered, or on its way: the sale is posted."""

    transaction_id: str


class ReverseSale(Instruction, frozen=True, kw_only=True):
    """What was on its way is stopped: the sale is posted, and its reversal."""

    transaction_id: str
