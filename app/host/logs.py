r"""Structured logs: one line an event, correlation id on every line, nothing personal on any.

Values come from outside. A line break in one must not start a line, and an escape code must not
reach a terminal: every control character is written as `\xNN`.
"""

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from app.config import Config
from app.wire import log_context
from app.wire.json_output import json_line
from app.wire.personal import masked_fields

_TRACES = frozenset({"exception", "stack"})
"""Fields of many lines: each is indented, so that none can pass for a log line."""
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, line and paragraph separators, and bidirectional controls."""


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
    for talkative in ("stripe", "httpx", "aiokafka.consumer.subscription_state"):
        # It logs a line for every request, or every check of a log, at the level info.
        logging.getLogger(talkative).setLevel(max(root.level, logging.WARNING))
    structlog.configure(
        processors=[*chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(root.level)),
        cache_logger_on_first_use=False,
    )


def say_about(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the fields of the record being handled, where the line does not have them."""
    return {**log_context.fields(), **event}


def mask_personal(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace personal data by `***` at any depth, also in a message that is logged whole."""
    return masked_fields(event)


def escape_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    r"""Write control characters of every text as `\xNN`, so that no line can be forged."""
    return {
        escaped(name): _indented(value) if name in _TRACES else _escaped_deep(value)
        for name, value in event.items()
    }


def _escaped_deep(value: object) -> object:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {escaped(str(key)): _escaped_deep(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_escaped_deep(member) for member in value]
    if value is None or isinstance(value, bool | int | float | tuple | logging.LogRecord):
        return value
    return escaped(str(value))


def _indented(value: object) -> str:
    return "\n".join(f"    | {escaped(line)}" for line in str(value).split("\n"))


def escaped(text: str) -> str:
    r"""Return `text` with each control character as `\xNN`."""
    return CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def _shape(config: Config) -> Processor:
    if config.log_json:
        return structlog.processors.JSONRenderer(serializer=json_line)
    return structlog.dev.ConsoleRenderer(colors=False, sort_keys=True)
