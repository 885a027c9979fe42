"""What operators say about the logs that services read."""

from typing import Literal

from workflows.audit.fault_injection import FaultInjectionAction
from workflows.shared.limits import Name, Text
from workflows.shared.message import Message


class LogsAdopted(Message, tag="payflow.audit.logs_adopted.v1", frozen=True, kw_only=True):
    """A service goes on with logs that are not those it has applied. `about`: `service:` and it."""

    about: Name
    who: Name
    why: Text
    start: Literal["beginning", "committed", "end"]
    """From where it reads what it has not committed in these very logs."""
    topics: tuple[Name, ...]
    """The topics that are other logs, or not whole; none: only its tables are taken from disk."""
    without_rows: bool = False
    """Whether it goes on by event ids alone where no table is found."""


InstanceAction = FaultInjectionAction | LogsAdopted
