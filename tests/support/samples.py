"""One sample of every message, made from its type: the same type, the same sample, always."""

import importlib
import pkgutil
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

import workflows
from app.wire.envelope import Envelope, child_traceparent, derive_id, to_headers
from workflows.shared.message import Message, type_name
from workflows.shared.topic import TIMERS, declared, topic_of

# A message is known once its module is imported, and no agent imports all of them.
for module in pkgutil.walk_packages(workflows.__path__, "workflows."):
    importlib.import_module(module.name)

PLAIN: dict[Any, Callable[[str], Any]] = {
    str: lambda name: "GBP" if name.endswith("currency") else f"{name}-1",
    int: lambda name: 1_292_918_400_000 if name.endswith("_ms") else 3,
    float: lambda _name: 0.25,
    bool: lambda _name: True,
    Any: lambda name: f"{name}-1",
}


def every_message() -> dict[str, type[Message]]:
    """Return every declared message by its wire name."""
    messages = [*declared.values(), TIMERS]
    return {type_name(message): message for topic in messages for message in topic.messages}


def sample_of(message: type[Message]) -> dict[str, Any]:
    """Return the headers (as text), the key and the body of a sample of `message`."""
    emitted = filled(message, "")
    topic = topic_of(emitted)
    key = topic.key(emitted)
    envelope = Envelope(
        id=derive_id("golden", type_name(message)),
        type=type_name(message),
        source=f"/payflow/{'payment' if topic is TIMERS else topic.writer}",
        time_ms=1_292_918_400_123,
        subject=key,
        correlation_id="order_id-1",
        causation_id=derive_id("golden", "cause"),
        traceparent=child_traceparent("", type_name(message)),
        baggage={"country": "United Kingdom", "began_ms": "1292918400000"},
    )
    headers = {name: value.decode() for name, value in to_headers(envelope)}
    return {"headers": headers, "key": key, "body": msgspec.to_builtins(emitted)}


def filled(kind: Any, name: str) -> Any:
    """Return a value of `kind` with nothing left out."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return arguments[0]
    if origin in (Annotated, Union, types.UnionType):
        return filled(arguments[0], name)
    if origin is tuple:
        return (filled(arguments[0], name),)
    if origin is dict:
        return {"one": filled(arguments[1], name)}
    if issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind, include_extras=True)
        return kind(**{field: filled(hints[field], field) for field in kind.__struct_fields__})
    return PLAIN[kind](name)
