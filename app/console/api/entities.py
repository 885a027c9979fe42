"""Entities of payments for display: masked, and still distinct.

A customer, a card, a device or an address names a person. A tag replaces its id, an HMAC with a
secret of this process: the same entity has the same tag, which cannot be reversed.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable

TAG = "~"
TAG_DIGITS = 10


class Entities:
    """Makes tags, and finds the id of a tag among known ids."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def tag(self, name: str) -> str:
        """Return the tag of the entity or the id `name`."""
        digest = hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()
        return TAG + digest[:TAG_DIGITS]

    def masked_entity(self, entity: str) -> str:
        """Return an entity, `kind:id`, with its id masked."""
        kind, _, name = entity.partition(":")
        return f"{kind}:{self.tag(name)}"

    def meant(self, tag_or_id: str, ids: Iterable[str]) -> str:
        """Return the one of `ids` with the tag `tag_or_id`; that itself when it is not a tag."""
        if not tag_or_id.startswith(TAG):
            return tag_or_id
        return next((name for name in ids if self.tag(name) == tag_or_id), tag_or_id)
