"""The language of rules: JSON, one operator an object, three truth values.

    {"all": [{"gt": [{"field": "amount_minor"}, 50000]},
             {"ge": [{"count": {"of": "card", "window_seconds": 300}}, 5]}]}

What cannot be answered (a figure that nobody was asked for, a division by zero) is unknown, not
false: a rule says so. What concerns an entity that the payment does not have does not apply.
`workflows/fraud/condition_parser.py` refuses an invalid rule; one that it accepts never raises.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Literal, NamedTuple

import msgspec

from workflows.fraud.entity_messages import Aggregate
from workflows.shared.countries import country_code, spellings
from workflows.shared.errors import PayflowError

Type = Literal["number", "text", "flag"]
Fact = float | str | bool
Value = Fact | None
COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    each.__name__: each for each in (gt, ge, lt, le, eq, ne)
}
COUNTED = ("add", "sub", "mul", "div")
AGGREGATES = ("count", "sum", "max", "declines", "distinct")
COUNTRY = "country"
"""A field whose texts are equal where they are one country: older rules say `France`, not `FR`."""
OPERATORS = ("field", "in", "all", "any", "not", *COMPARED, *COUNTED, *AGGREGATES)


class RuleError(PayflowError, ValueError):
    """An invalid rule: `place` is a path such as `when.all[1].gt[0].field`, `reason` says why."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that rules may ask for."""

    type: Type
    needs: tuple[str, ...] = ()
    """The facts that must be known for this one to be expected: its entities, and its own name
    where a payment may lack it."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """The facts for which a rule is evaluated."""

    facts: Mapping[str, Fact]
    """With the id of every entity that the payment has, by its kind."""
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
    needs: frozenset[str] = frozenset()
    """Of values and expressions over values: facts without which it does not apply."""


class Truth(NamedTuple):
    """Whether a condition holds, and whether its opposite does; None: unknown."""

    holds: bool | None
    fails: bool | None


UNKNOWN = Truth(holds=None, fails=None)
# Neither a condition on a card nor its opposite holds where there is no card. As unknown, it would
# stand in most verdicts and hide what really was not known; as false, `not` would make it a hit.
ABSENT = Truth(holds=False, fails=False)


def wants(expression: Expression) -> frozenset[Aggregate]:
    """Return the aggregates that `expression` reads."""
    own = {expression.aggregate} if expression.aggregate else set[Aggregate]()
    return frozenset(own.union(*(wants(part) for part in expression.parts)))


def evaluate(expression: Expression, world: World) -> bool | None:
    """Return whether `expression` holds in `world`; None: unknown. Never raises."""
    return _truth(expression, world).holds


def finite(raw: float) -> float | None:
    """Return `raw` as a float; None when it is not a finite one."""
    try:
        number = float(raw)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _truth(expression: Expression, world: World) -> Truth:
    operator, parts = expression.operator, expression.parts
    if not parts or parts[0].type != "flag":
        return _plain(expression, world)
    truths = [_truth(part, world) for part in parts]
    holds, fails = [each.holds for each in truths], [each.fails for each in truths]
    if operator == "all":
        return Truth(holds=_every(holds), fails=_some(fails))
    if operator == "any":
        return Truth(holds=_some(holds), fails=_every(fails))
    if operator == "not":
        return _opposite(truths[0])
    alike = Truth(
        holds=_some((_every(holds), _every(fails))),
        fails=_some((_every((holds[0], fails[1])), _every((fails[0], holds[1])))),
    )
    return alike if operator == "eq" else _opposite(alike)


def _plain(expression: Expression, world: World) -> Truth:
    if not expression.needs <= world.facts.keys():
        return ABSENT
    holds = _value(expression, world)
    return Truth(holds=holds, fails=not holds) if isinstance(holds, bool) else UNKNOWN


def _opposite(truth: Truth) -> Truth:
    return Truth(holds=truth.fails, fails=truth.holds)


def _every(truths: Sequence[bool | None]) -> bool | None:
    # Kleene: one that is false decides, whatever the unknown ones are.
    if False in truths:
        return False
    return None if None in truths else True


def _some(truths: Sequence[bool | None]) -> bool | None:
    if True in truths:
        return True
    return None if None in truths else False


def _value(expression: Expression, world: World) -> Value:
    if not expression.parts:
        return _leaf(expression, world)
    values = [_value(part, world) for part in expression.parts]
    operands = [value for value in values if value is not None]
    return _applied(expression, operands, world) if len(operands) == len(values) else None


def _applied(expression: Expression, values: Sequence[Fact], world: World) -> Value:
    operator = expression.operator
    if operator in COMPARED:
        return COMPARED[operator](*values)
    if operator == "in":
        return _within(expression, str(values[0]), world)
    return _counted(operator, [float(value) for value in values])


def _leaf(expression: Expression, world: World) -> Value:
    if expression.aggregate is not None:
        return finite(world.aggregates.get(expression.aggregate.name, math.nan))
    return _fact(expression, world) if expression.operator == "field" else expression.literal


def _fact(expression: Expression, world: World) -> Value:
    fact = world.facts.get(str(expression.literal))
    if expression.type == "number":
        return None if fact is None or isinstance(fact, bool | str) else finite(fact)
    if expression.literal == COUNTRY and isinstance(fact, str):
        return country_code(fact) or fact
    return fact if isinstance(fact, str if expression.type == "text" else bool) else None


def _within(expression: Expression, sought: str, world: World) -> bool | None:
    name = expression.literal
    names = expression.names if name is None else world.lists.get(str(name))
    alike = spellings(sought) if expression.parts[0].literal == COUNTRY else frozenset[str]()
    return None if names is None else not names.isdisjoint({sought, *alike})


def _counted(operator: str, values: Sequence[float]) -> float | None:
    if operator == "add":
        return finite(sum(values))
    if operator == "sub":
        return finite(values[0] - values[1])
    if operator == "mul":
        return finite(math.prod(values))
    return finite(values[0] / values[1]) if values[1] else None
