"""The provider's events: each is a webhook."""

import hashlib

from app.local.simulators.provider_shapes import event_shape
from app.local.simulators.sqlite_file import Books
from app.local.simulators.webhooks import Sender


class Notices:
    """Writes events. Call inside the transaction of the effect that they report."""

    def __init__(self, books: Books, sender: Sender) -> None:
        self._books = books
        self._sender = sender

    def emit(self, kind: str, about: str, shape: dict[str, object]) -> None:
        """Write the event `kind`; `about` is its own among all events of that object."""
        event_id = f"evt_{hashlib.sha256(about.encode()).hexdigest()[:24]}"
        self._sender.post(event_id, event_shape(event_id, kind, shape, self._books.now_ms()))
