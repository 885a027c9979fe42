"""The record that this task handles: every log line of the task carries its ids."""

from contextvars import ContextVar
from typing import Self

from app.wire.envelope import Envelope
from app.wire.records import Record, header


class About:
    """The subject of the log lines in a `with`: a service, an agent, and by `at` a record.

    Every event passes here, so it is only noted; the fields are computed when a line is logged.
    """

    __slots__ = ("_envelope", "_service_and_agent", "_token", "record")

    def __init__(self, service: str, agent: str) -> None:
        self._service_and_agent = {"service": service, "agent": agent}
        self.record: Record | None = None
        """The record that is handled now; after an error the one at which it was raised."""
        self._envelope: Envelope | None = None

    def at(self, record: Record | None, envelope: Envelope | None = None) -> None:
        """Say that `record` is handled from here on; None: no event in particular."""
        self.record, self._envelope = record, envelope

    def __enter__(self) -> Self:
        self._token = _about.set(self)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        _about.reset(self._token)
        outer = _about.get()
        if isinstance(error, Exception) and outer is not None:
            # A handler further out logs the event at which it was raised. Calls that are cancelled
            # because another one failed raise no Exception.
            outer.at(self.record, self._envelope)

    def fields(self) -> dict[str, str]:
        """Return the fields of a line about it."""
        if self.record is None:
            return self._service_and_agent
        correlation_id = (
            self._envelope.correlation_id
            if self._envelope
            else header(self.record, "ce_correlationid")
        )
        return {
            **self._service_and_agent,
            "origin": self.record.origin,
            "correlation_id": correlation_id,
        }


_about: ContextVar[About | None] = ContextVar("about", default=None)
"""One for each task, so that concurrent calls each log their own event."""


def logging_about(service: str, agent: str) -> About:
    """Add service, agent, record and correlation id to every line logged in a `with`."""
    return About(service, agent)


def fields() -> dict[str, str]:
    """Return the fields about the record that this task handles; none outside of one."""
    about = _about.get()
    return {} if about is None else about.fields()
