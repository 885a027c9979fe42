"""What a request becomes."""

import msgspec

from workflows.shared.message import Message


class Emission(msgspec.Struct, frozen=True, kw_only=True):
    """One message that a request becomes."""

    message: Message
    event_id: str
    """Derived from the request, so that a repetition is the same event."""
    transaction_id: str
