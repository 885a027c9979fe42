"""Digests of secrets that are drawn: tokens, keys, ids of sessions.

They have 32 random bytes, which nobody can try through; a slow hash protects what people choose,
and would only let guesses keep the console busy.
"""

import hashlib


def digest_of(secret: str) -> str:
    """Return the SHA-256 digest of `secret`, whatever text it is, in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
