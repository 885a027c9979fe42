"""Signatures of webhooks, in Stripe's scheme: `t=<seconds>,v1=<HMAC-SHA256 of "t.body">`."""

import hashlib
import hmac

from workflows.shared.errors import PayflowError

TOLERANCE_SECONDS = 300
"""How far the time of a signature may be off, against replays of old webhooks."""
HEADER_CHARS_MAX = 1_000
DIGITS_MAX = 12


class BadSignature(PayflowError, ValueError):
    """The header is missing, malformed, too old, or made with another secret or body."""


def sign(body: bytes, secret: str, now_seconds: int) -> str:
    """Return the header for `body` sent at `now_seconds`."""
    return f"t={now_seconds},v1={_digest(body, secret, now_seconds)}"


def verify(header: str, body: bytes, secret: str, now_seconds: float) -> None:
    """Return when `header` was made for exactly these bytes, with `secret`, and lately.

    Raises BadSignature saying which of these does not hold.
    """
    made_at, signatures = _parse(header)
    due = _digest(body, secret, made_at).encode()
    # Every signature is compared, in constant time: its duration reveals nothing.
    matches = [hmac.compare_digest(due, each.encode(errors="replace")) for each in signatures]
    if not any(matches):
        raise BadSignature("the signature does not match the body")
    if abs(now_seconds - made_at) > TOLERANCE_SECONDS:
        raise BadSignature(f"the signature is more than {TOLERANCE_SECONDS} s off")


def _parse(header: str) -> tuple[int, list[str]]:
    if not header or len(header) > HEADER_CHARS_MAX:
        raise BadSignature("the signature header is missing or too long")
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not signatures:
        raise BadSignature("the signature header is not of the form t=...,v1=...")
    if not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= DIGITS_MAX):
        raise BadSignature("the time of the signature is not a number")
    return int(times[0]), signatures


def _digest(body: bytes, secret: str, at_seconds: int) -> str:
    signed = str(at_seconds).encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
