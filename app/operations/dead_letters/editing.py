"""A dead letter for editing: personal parts are masked, and restored where the mask stays. Pure."""

import msgspec

from app.operations.dead_letters.redrive import DeadLetterError
from app.operations.search.line_diff import differing
from app.operations.search.masked_record import JSON_BYTES_MAX
from app.operations.search.record_view import is_flat
from app.wire.json_output import json_bytes, json_page
from app.wire.personal import MASK, is_typed, masked_body, masked_bytes, personal_names


def editable(value: bytes | None, type_name: str) -> str:
    """Return the JSON of `value` in lines, masked; empty where it is none of a declared type.

    `type_name` is the type in its envelope. What is longer than any message is not read as JSON.
    """
    if len(value or b"") > JSON_BYTES_MAX:
        return ""
    try:
        body = msgspec.json.decode(value or b"")
        return _lines(masked_body(body, type_name)) if is_typed(body, type_name) else ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def restored(value: bytes | None, edited: str, type_name: str) -> bytes:
    """Return `edited` with its masks replaced by the values in `value`. Raises DeadLetterError."""
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
    back = _back(before, masked_body(before, type_name), after, "")
    return edited.encode() if back == after else msgspec.json.encode(back)


def _back(before: object, view: object, after: object, path: str) -> object:
    """Return `after` with each mask replaced that stands in `view` where `before` had a value."""
    if view == after and view != before:
        return before
    if isinstance(after, dict):
        old, old_view = (each if isinstance(each, dict) else {} for each in (before, view))
        if old.get("type") != after.get("type"):
            # Under another type, only names that are personal everywhere stay masked.
            old_view = {name: value for name, value in old_view.items() if name in personal_names()}
        return {
            name: _back(
                old.get(name), old_view.get(name), value, f"{path}.{name}" if path else name
            )
            for name, value in after.items()
        }
    if isinstance(after, list):
        old, old_view = (each if isinstance(each, list) else [] for each in (before, view))
        return [
            _back(_at(old, place), _at(old_view, place), value, f"{path}[{place}]")
            for place, value in enumerate(after)
        ]
    if isinstance(after, str) and MASK in after:
        raise DeadLetterError(f"{path or 'the body'} is {after!r}, and nothing was masked there")
    return after


def _at(values: list[object], place: int) -> object:
    return values[place] if place < len(values) else None


def diff(value: bytes | None, edited: bytes, type_name: str) -> list[str]:
    """Return how `edited` differs from `value`, masked: lines that begin with -, + or a space.

    `edited` still has its masks: a value that `restored` puts back may have a new type, which does
    not mask it.
    """
    one, other = (
        (editable(each, type_name) or masked_bytes(each)).splitlines()
        for each in (value or b"", edited)
    )
    return differing(one, other, around=2)


def _lines(value: object) -> str:
    # In lines each member is indented by its depth: deep lists would grow to the square.
    return (json_page if is_flat(value) else json_bytes)(value).decode()
