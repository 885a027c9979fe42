"""What a stranger said of times and transactions, replaced before an edit signs it. Pure.

A record without our signature is believed about neither (`app.wire.signing`). The edit of one is
signed, and would be believed.
"""

from msgspec.structs import replace

from app.config import Config
from app.operations.dead_letters.dead_letter import DeadLetter, Edit
from app.wire import codecs, signing
from app.wire.envelope import time_text
from workflows.shared.message import Message
from workflows.shared.topic import topic_of


def unclaimed(dead_letter: DeadLetter, edit: Edit, message: Message, config: Config) -> Edit:
    """Return `edit`, which carries `message`, with our word for what the record could not say.

    It began when it was dead-lettered, and belongs to the transaction that its own body names.
    """
    if signing.is_signed(dead_letter.record, config):
        return edit
    topic, at_ms = topic_of(message), max(dead_letter.at_ms, 1)
    headers = {
        **edit.headers,
        "ce_time": time_text(at_ms),
        "ce_correlationid": topic.key(message),
    }
    field = topic.said_times.get(type(message), "")
    if not field:
        return replace(edit, headers=headers)
    body = codecs.encode(replace(message, **{field: at_ms}))
    return replace(edit, headers=headers, body=body)
