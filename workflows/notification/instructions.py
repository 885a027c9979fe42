"""What a workflow may ask of notification; see `workflows.shared.reaction`."""

from workflows.notification.messages import Channel
from workflows.shared.reaction import Instruction


class NotifyCustomer(Instruction, frozen=True, kw_only=True):
    """Send `text` once a `name` and transaction."""

    transaction_id: str
    name: str
    channel: Channel
    title: str
    text: str
    is_answer: bool = False
    """It answers what somebody asked, and may be caused as often as that: see `quota.py`."""
