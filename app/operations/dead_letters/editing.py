"""A dead letter as somebody may edit it: personal parts masked, put back where they stay. Pure."""

import difflib

import msgspec

from app.host.logs import MASK
from app.operations.dead_letters.redrive import DeadLetterError
from app.operations.search.masked_record import masked, masked_text

DIFF_LINES_MAX = 400


def editable(value: bytes | None) -> str:
    """Return the JSON of `value` in lines, masked; the empty string where it is no JSON."""
    try:
        return _lines(masked(msgspec.json.decode(value or b"")))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def restored(value: bytes | None, edited: str) -> bytes:
    """Return `edited` with what was left masked put back from `value`. Raises LettersError."""
    if MASK not in edited:
        return edited.encode()
    try:
        before: object = msgspec.json.decode(value or b"")
        after: object = msgspec.json.decode(edited.encode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DeadLetterError(
            f"{MASK} stands for what is personal, and can only be put back into JSON: {error}. "
            "Operator: repair the JSON, or write the value in its place."
        ) from error
    back = _back(before, after, "")
    return edited.encode() if back == after else msgspec.json.encode(back)


def _back(before: object, after: object, path: str) -> object:
    if isinstance(after, dict):
        known = before if isinstance(before, dict) else {}
        return {name: _member(known, name, value, path) for name, value in after.items()}
    if isinstance(after, list):
        old = before if isinstance(before, list) else []
        return [
            _back(old[at] if at < len(old) else None, value, f"{path}[{at}]")
            for at, value in enumerate(after)
        ]
    if isinstance(after, str) and MASK in after:
        if isinstance(before, str) and masked_text(before) == after:
            return before
        raise DeadLetterError(f"{path or 'the body'} is {after!r}, and nothing was masked there")
    return after


def _member(before: dict[str, object], name: str, value: object, path: str) -> object:
    here = f"{path}.{name}" if path else name
    if value == MASK and name in before and masked({name: before[name]}) == {name: MASK}:
        return before[name]
    return _back(before.get(name), value, here)


def diff(value: bytes | None, body: bytes) -> list[str]:
    """Return how `body` differs from `value`, masked: lines that begin with -, + or a space."""
    one, other = (
        editable(each) or (each or b"").decode(errors="backslashreplace") for each in (value, body)
    )
    found = difflib.unified_diff(one.splitlines(), other.splitlines(), n=2, lineterm="")
    return [line for line in found if not line.startswith(("---", "+++"))][:DIFF_LINES_MAX]


def _lines(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
