"""Fault injection by operators, for the audit: faults of external systems, processes killed."""

from typing import Annotated

from msgspec import Meta

from workflows.shared.limits import Name, Text
from workflows.shared.message import Message


class FaultsSwitched(Message, tag="payflow.audit.faults_switched.v1", frozen=True, kw_only=True):
    """An operator set or cleared faults of an external system. `about`: the system."""

    about: Name
    who: Name
    why: Text
    faults: dict[Name, float]
    """Rates and seconds by name; none: no fault any more."""


class ProcessKilled(Message, tag="payflow.audit.process_killed.v1", frozen=True, kw_only=True):
    """An operator killed a process of a demonstration. `about`: its name."""

    about: Name
    who: Name
    why: Text
    pid: Annotated[int, Meta(ge=1)]


FaultInjectionAction = FaultsSwitched | ProcessKilled
