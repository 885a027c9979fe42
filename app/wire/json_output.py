"""JSON that leaves Payflow for people and programs: HTTP answers, streams, `--json`, log lines.

Messages, rows and files with a type of their own are msgspec's (`codecs`, `row`): there the shape
and the order of the fields matter.
"""

import json

import msgspec
import orjson

_PLAIN = orjson.OPT_NON_STR_KEYS


def json_bytes(value: object) -> bytes:
    """Return `value` as JSON in one line."""
    return _encoded(value, _PLAIN)


def json_page(value: object) -> bytes:
    """Return `value` as JSON that people read, with two spaces an indent."""
    return _encoded(value, _PLAIN | orjson.OPT_INDENT_2)


def json_line(value: object, **_options: object) -> str:
    """Return a log line as JSON, its fields in the order of their names.

    What has no JSON is shown by its `repr`: a line that cannot be written would hide an error.
    """
    try:
        return orjson.dumps(value, default=repr, option=_PLAIN | orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        # An integer beyond 64 bits, or half of a surrogate pair: both come from outside.
        return json.dumps(value, default=repr, skipkeys=True)


def _encoded(value: object, options: int) -> bytes:
    # Of a struct, msgspec makes JSON in a third of the time (bench/json_output.py).
    if isinstance(value, msgspec.Struct):
        return _typed(value, options)
    try:
        return orjson.dumps(value, default=msgspec.to_builtins, option=options)
    except TypeError:
        # orjson refuses integers beyond 64 bits; records of open topics may hold some.
        return _typed(value, options)


def _typed(value: object, options: int) -> bytes:
    body = msgspec.json.encode(value)
    return msgspec.json.format(body, indent=2) if options & orjson.OPT_INDENT_2 else body
