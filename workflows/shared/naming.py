"""Ids made of other ids: the same wherever they are made, never longer than a name may be.

Two different pairs never have one id, though whoever chooses their parts may choose separators too.
"""

import hashlib
import re

from workflows.shared.limits import NAME_CHARS_MAX

DIGEST_BYTES = 32
"""Hex digits of the digest in a shortened id: enough that nobody finds two pairs with one
digest."""
_SHORTENED = re.compile(rf"~[0-9a-f]{{{2 * DIGEST_BYTES}}}\Z")


def joined(owner: str, name: str) -> str:
    """Return `owner/name`, or its beginning and a digest of both where that could be misread.

    It is misread when it is too long, when `owner` holds the separator, or when it ends like a
    digest; all others can be taken apart again, and so are different where their parts are.
    """
    plain = f"{owner}/{name}"
    if len(plain) <= NAME_CHARS_MAX and "/" not in owner and not _SHORTENED.search(plain):
        return plain
    parts = [part.encode() for part in (owner, name)]
    marked = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    rest = f"~{hashlib.blake2b(marked, digest_size=DIGEST_BYTES).hexdigest()}"
    return plain[: NAME_CHARS_MAX - len(rest)] + rest
