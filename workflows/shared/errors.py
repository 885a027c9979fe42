"""The one error that Payflow raises, and the kinds of what is wrong.

The console maps the kind to an HTTP status, the command line to an exit code.
"""

from typing import ClassVar, Literal

ErrorKind = Literal["invalid", "missing", "conflict", "unavailable", "failed"]
"""Invalid request; not found; conflict with the current state; not available now; anything else."""


class PayflowError(Exception):
    """What is wrong, in text for the caller."""

    kind: ClassVar[ErrorKind] = "failed"
    field: str = ""
    """The field of the request that is wrong, where one is."""


class DeclarationError(PayflowError, ValueError):
    """Two declarations contradict each other: nothing starts. The message names both."""

    kind: ClassVar[ErrorKind] = "invalid"
