"""The language of rules: JSON, one operator an object, three truth values.

    {"all": [{"gt": [{"field": "amount_minor"}, 50000]},
             {"ge": [{"count": {"of": "card", "window_seconds": 300}}, 5]}]}

What cannot be answered (a fact that is missing, a division by zero) is unknown, not false: a rule
says so. `workflows/condition_reading.py` refuses what is no rule; what it passes never raises.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Literal

import msgspec

from workflows.words.risk import Aggregate

Type = Literal["number", "text", "flag"]
Fact = float | str | bool
Value = Fact | None
COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "gt": gt,
    "ge": ge,
    "lt": lt,
    "le": le,
    "eq": eq,
    "ne": ne,
}
COUNTED = ("add", "sub", "mul", "div")
AGGREGATES = ("count", "sum", "max", "declines", "distinct")
OPERATORS = ("field", "in", "all", "any", "not", *COMPARED, *COUNTED, *AGGREGATES)


class RuleError(ValueError):
    """No rule: `place` is a path such as `when.all[1].gt[0].field`, `reason` says what is wrong."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule is asked about."""

    facts: Mapping[str, Fact]
    aggregates: Mapping[str, float]
    lists: Mapping[str, frozenset[str]] = {}


class Expression(msgspec.Struct, frozen=True, kw_only=True):
    """A checked expression: its operator, its parts, and what it comes to."""

    operator: str
    type: Type
    parts: tuple["Expression", ...] = ()
    literal: Fact | None = None
    """Of `literal`: the value; of `field` and of `in`: the name of the fact or the list."""
    names: frozenset[str] = frozenset()
    """Of `in` with a list that is written out."""
    aggregate: Aggregate | None = None


def wants(expression: Expression) -> frozenset[Aggregate]:
    """Return the aggregates that `expression` looks at."""
    own = {expression.aggregate} if expression.aggregate else set[Aggregate]()
    return frozenset(own.union(*(wants(part) for part in expression.parts)))


def evaluate(expression: Expression, world: World) -> bool | None:
    """Return whether `expression` holds in `world`; None: unknown. Never raises."""
    found = _value(expression, world)
    return found if isinstance(found, bool) else None


def finite(raw: float) -> float | None:
    """Return `raw` as a float; None when it is no finite one."""
    try:
        number = float(raw)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _value(expression: Expression, world: World) -> Value:
    operator, parts = expression.operator, expression.parts
    if not parts:
        return _leaf(expression, world)
    if operator in ("all", "any"):
        return _joined(operator, [evaluate(part, world) for part in parts])
    values = [_value(part, world) for part in parts]
    known = [value for value in values if value is not None]
    return _applied(expression, known, world) if len(known) == len(values) else None


def _applied(expression: Expression, values: Sequence[Fact], world: World) -> Value:
    operator = expression.operator
    if operator in COMPARED:
        return COMPARED[operator](*values)
    if operator == "not":
        return not values[0]
    if operator == "in":
        return _within(expression, str(values[0]), world)
    return _counted(operator, [float(value) for value in values])


def _leaf(expression: Expression, world: World) -> Value:
    if expression.aggregate is not None:
        return finite(world.aggregates.get(expression.aggregate.name, math.nan))
    return _fact(expression, world) if expression.operator == "field" else expression.literal


def _fact(expression: Expression, world: World) -> Value:
    found = world.facts.get(str(expression.literal))
    if expression.type == "number":
        return None if found is None or isinstance(found, bool | str) else finite(found)
    return found if isinstance(found, str if expression.type == "text" else bool) else None


def _joined(operator: str, truths: Sequence[bool | None]) -> bool | None:
    # Kleene: one false part makes `all` false, whatever the unknown ones are.
    decisive = operator == "any"
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _within(expression: Expression, sought: str, world: World) -> bool | None:
    if expression.literal is None:
        return sought in expression.names
    names = world.lists.get(str(expression.literal))
    return None if names is None else sought in names


def _counted(operator: str, values: Sequence[float]) -> float | None:
    if operator == "add":
        return finite(sum(values))
    if operator == "sub":
        return finite(values[0] - values[1])
    if operator == "mul":
        return finite(math.prod(values))
    return finite(values[0] / values[1]) if values[1] else None
