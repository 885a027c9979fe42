"""Filters as expressions in CEL: an optional extra (`payflow[cel]`)."""

import re
from typing import Any, ClassVar

from app.operations.search.masked_record import MaskedRecord
from workflows.shared.errors import ErrorKind, PayflowError

CHARS_MAX = 1_000
LOOPS_MAX = 2
"""Loops over lists in one expression: each more multiplies the work a single record can cause."""

_LOOP = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(")
_VARIABLES = ("key", "type", "headers", "body", "partition", "offset", "time_ms")
_NOTHING: dict[str, object] = {
    "key": "",
    "type": "",
    "headers": {},
    "body": {},
    "partition": 0,
    "offset": 0,
    "time_ms": 0,
}


class BadExpression(PayflowError, ValueError):
    """The expression cannot be used; the message says where it is wrong."""

    kind: ClassVar[ErrorKind] = "invalid"


class ExpressionFailed(PayflowError, ValueError):
    """The expression has no answer for this record."""


class Expression:
    """A compiled expression."""

    def __init__(self, text: str) -> None:
        if len(text) > CHARS_MAX:
            raise BadExpression(f"{len(text)} characters, at most {CHARS_MAX}")
        if len(_LOOP.findall(text)) > LOOPS_MAX:
            raise BadExpression(f"more than {LOOPS_MAX} of all, exists, exists_one, map, filter")
        self.text = text
        self._program = _compiled(text)
        self._variables = [name for name in _VARIABLES if name in text]
        self._check_names()

    def holds(self, masked: MaskedRecord) -> bool:
        """Return whether it is true of `masked`. Raises ExpressionFailed when it has no answer."""
        answer = self._run({name: _variable(masked, name) for name in self._variables})
        if not isinstance(answer, bool):
            raise ExpressionFailed(f"neither true nor false: {str(answer)[:80]}")
        return answer

    def _check_names(self) -> None:
        """Raise BadExpression for a name that no record has: it would fail on each of them."""
        try:
            self._run(_NOTHING)
        except ExpressionFailed as error:
            if "Undefined variable or function" in str(error):
                names = ", ".join(_VARIABLES)
                raise BadExpression(f"{str(error).split('.')[0]}; there are {names}") from error

    def _run(self, variables: dict[str, Any]) -> Any:
        try:
            return self._program.execute(variables)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # It raises six kinds; a panic inside it is not even an Exception.
            raise ExpressionFailed(str(error)[:300]) from error


def _variable(masked: MaskedRecord, name: str) -> object:
    match name:
        case "partition" | "offset":
            return getattr(masked.record, name)
        case "time_ms":
            return masked.record.timestamp
        case _:
            return getattr(masked, name)


def _compiled(text: str) -> Any:
    try:
        import cel  # noqa: PLC0415  an extra: without it all else works
    except ImportError as error:
        raise BadExpression("CEL is not installed here: pip install 'payflow[cel]'") from error
    try:
        return cel.compile(text)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise BadExpression(str(error)[:300]) from error
