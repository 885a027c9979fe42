r"""Structured logs: one line an event, correlation id on every line, nothing personal on any.

Values come from outside. A line break in one must not start a line, and an escape code must not
reach a terminal: every control character is written as `\xNN`.
"""

import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Self, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from app.config import Config
from app.wire.envelope import Envelope
from app.wire.records import Record, header

PERSONAL = frozenset({"customer_id", "customer", "payment_method", "email", "phone"})
"""Fields that never leave the process in clear, at any depth of what is logged."""
MASK = "***"

_TRACES = frozenset({"exception", "stack"})
"""Fields of many lines: each is set in, so that none can pass for a line of its own."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Controls, line and paragraph separators, and what turns the direction of writing."""


def configure_logging(config: Config, stream: TextIO | None = None) -> None:
    """Send every log line of this process, Faust's included, to `stream` (stderr)."""
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        say_about,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        mask_personal,
        escape_controls,
    ]
    # Faust puts a proxy in the place of sys.stderr that leads back to the log.
    handler = logging.StreamHandler(stream or sys.__stderr__)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *chain],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _shape(config)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(config.log_level.upper())
    for talkative in ("stripe", "httpx"):
        # A line for every request, at the level at which we say what matters.
        logging.getLogger(talkative).setLevel(max(root.level, logging.WARNING))
    structlog.configure(
        processors=[*chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(root.level)),
        cache_logger_on_first_use=False,
    )


class About:
    """What the lines of a `with` are about: a service and an agent, and by `at` an event.

    Every event passes here: it is noted, and what a line says is made when there is a line.
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
            # Whoever handles it further out speaks of the event at which it was raised. Calls that
            # are cancelled because another one failed raise no Exception.
            outer.at(self.record, self._envelope)

    def fields(self) -> dict[str, str]:
        """Return what a line says of it."""
        if self.record is None:
            return self._service_and_agent
        said = (
            self._envelope.correlation_id
            if self._envelope
            else header(self.record, "ce_correlationid")
        )
        return {**self._service_and_agent, "origin": self.record.origin, "correlation_id": said}


_about: ContextVar[About | None] = ContextVar("about", default=None)
"""Of each task its own: calls that are under way at once speak each of its event."""


def logging_about(service: str, agent: str) -> About:
    """Put where we are on every line logged in a `with`: service, agent, record, correlation id."""
    return About(service, agent)


def say_about(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add what the line is about, where it does not say so itself."""
    about = _about.get()
    return event if about is None else {**about.fields(), **event}


def mask_personal(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace personal fields by `***`, however deep they lie."""
    return {name: _masked(name, value) for name, value in event.items()}


def escape_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    r"""Write control characters of every text as `\xNN`, so that no line can be forged."""
    return {
        _escaped(name): _indented(value) if name in _TRACES else _escaped_deep(value)
        for name, value in event.items()
    }


def _masked(name: str, value: Any) -> Any:
    if name in PERSONAL and value:
        return MASK
    if isinstance(value, Mapping):
        return {str(key): _masked(str(key), member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_masked("", member) for member in value]
    if hasattr(value, "__struct_fields__"):
        # A message logged whole would print its personal fields: log its fields, masked.
        return {key: _masked(key, getattr(value, key)) for key in value.__struct_fields__}
    return value


def _escaped_deep(value: Any) -> Any:
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, dict):
        return {_escaped(str(key)): _escaped_deep(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_escaped_deep(member) for member in value]
    if value is None or isinstance(value, bool | int | float | tuple | logging.LogRecord):
        return value
    return _escaped(str(value))


def _indented(value: Any) -> str:
    return "\n".join(f"    | {_escaped(line)}" for line in str(value).split("\n"))


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def _shape(config: Config) -> Processor:
    if config.log_json:
        return structlog.processors.JSONRenderer(sort_keys=True)
    return structlog.dev.ConsoleRenderer(colors=False, sort_keys=True)
