"""Every public function that is called with one text, or one body of bytes, and nothing else."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from tests.support.source import modules

PROCESSES = frozenset({"app.main"})
"""Modules that are a process from their import on."""
BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class TextFunction(NamedTuple):
    """A function, its one required parameter, and whether it takes `str` or `bytes`."""

    function: Callable[..., Any]
    parameter: inspect.Parameter
    kind: type

    def __call__(self, subject: str | bytes) -> None:
        """Call it with `subject`, and read all of an answer that comes one by one."""
        by_position = self.parameter.kind in BY_POSITION
        answer = (
            self.function(subject)
            if by_position
            else self.function(**{self.parameter.name: subject})
        )
        if isinstance(answer, Iterator):
            for _ in answer:
                pass


def every_text_function() -> dict[str, TextFunction]:
    """Return those of `app` and `workflows` by their whole names.

    Static and class methods and what makes an object are functions too. Methods are not, nor what
    has to be awaited: an object or a process is behind them.
    """
    imported = (
        importlib.import_module(module.name)
        for module in modules("app", "workflows")
        if module.name not in PROCESSES
    )
    return {
        f"{module.__name__}.{name}": each
        for module in imported
        for name, function in _public(module)
        if (each := text_function(function)) is not None
    }


def text_function(function: Callable[..., Any]) -> TextFunction | None:
    """Return `function` with what it takes; None where it is not called with one text."""
    required = [
        each
        for each in inspect.signature(function).parameters.values()
        if each.default is inspect.Parameter.empty and each.kind not in VARIADIC
    ]
    kind = _kind(required[0].annotation) if len(required) == 1 else None
    return None if kind is None else TextFunction(function, required[0], kind)


def _public(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions of `module` itself, without the caches around them."""
    for name, each in vars(module).items():
        if name.startswith("_") or getattr(each, "__module__", "") != module.__name__:
            continue
        if inspect.isclass(each):
            yield from _of_class(name, each)
        elif _is_called(plain := inspect.unwrap(each)):
            yield name, plain


def _of_class(name: str, owner: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for member, each in vars(owner).items():
        if member == "__init__":
            yield name, owner
        elif isinstance(each, staticmethod | classmethod) and not member.startswith("_"):
            yield f"{name}.{member}", getattr(owner, member)


def _is_called(each: object) -> bool:
    return inspect.isfunction(each) and not inspect.iscoroutinefunction(each)


def _kind(annotation: object) -> type | None:
    if annotation is str or annotation is bytes:
        return annotation
    origin, parts = get_origin(annotation), get_args(annotation)
    members = parts[:1] if origin is Annotated else parts if origin in {Union, UnionType} else ()
    return next(filter(None, map(_kind, members)), None)
