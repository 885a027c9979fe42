"""Tags in place of keys that name people or are long, by which this process finds them again."""

import hashlib
import hmac
import secrets

from aiohttp import web
from cachetools import LRUCache

from app.console.api.problems import Problem
from app.wire.personal import masked_text

STAND_IN = "~"
STAND_IN_CHARS_MAX = 8_000_000
"""Of all keys that have a tag, together."""
KEY_CHARS_SHOWN_MAX = 200


class StandIns:
    """The tags that replace keys which name people, or are long; the oldest are dropped."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._keys: LRUCache[str, str] = LRUCache(STAND_IN_CHARS_MAX, getsizeof=_size)

    def tag_or_key(self, key: str) -> str:
        """Return `key`, or its tag where it names a person, or is long."""
        is_person = masked_text(key) != key
        if not is_person and len(key) <= KEY_CHARS_SHOWN_MAX:
            return key
        digest = hmac.new(self._secret, key.encode(), hashlib.sha256).hexdigest()[:20]
        begin = key.partition(":")[0] if is_person else f"{key[:40]}… {len(key):,} characters"
        stand_in = f"{begin[:80]}:{STAND_IN}{digest}"
        self._keys[stand_in] = key
        return stand_in

    def meant(self, tag_or_key: str, field: str) -> str:
        """Return the key of a tag. Raises Problem for names of people and dropped tags."""
        if tag_or_key in self._keys:
            return self._keys[tag_or_key]
        if f":{STAND_IN}" in tag_or_key:
            detail = "this tag is no longer known; take the row from the list"
            raise Problem(404, "Not Found", detail, field=field)
        if masked_text(tag_or_key) != tag_or_key:
            detail = "people are masked before anything is searched; take a row from the list"
            raise Problem(400, "Bad Request", detail, field=field)
        return tag_or_key


def _size(key: str) -> int:
    """Return about how many bytes a tag and its key take."""
    return 300 + len(key)


STAND_INS: web.AppKey[StandIns] = web.AppKey("stand_ins")
