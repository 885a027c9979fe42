"""What a workflow may ask of fraud; see `workflows.shared.reaction`."""

from typing import Literal

from workflows.shared.reaction import Instruction


class NoteDelivery(Instruction, frozen=True, kw_only=True):
    """What was paid for is delivered, or never will be: it decides what a late label can stop."""

    delivery: Literal["delivered", "stopped"]
