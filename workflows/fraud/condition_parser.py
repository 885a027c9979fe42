"""Reading rules: JSON becomes a checked expression, or an error that names the place.

Rules come from people and from outside: how deep and how large one may be is bounded.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from workflows.fraud.condition import (
    AGGREGATES,
    COMPARED,
    COUNTED,
    COUNTRY,
    OPERATORS,
    Expression,
    Field,
    RuleError,
    Type,
    finite,
)
from workflows.fraud.entity_messages import Aggregate
from workflows.shared.countries import country_code

DEPTH_MAX = 20
NODES_MAX = 200
LIST_MAX = 1_000
PLACE_MAX = 300
TEXT_MAX = 200
Reader = Callable[[str, Any, str, int], Expression]


def parse(raw: Any, fields: Mapping[str, Field], place: str = "when") -> Expression:
    """Return `raw`, decoded JSON, as an expression that is true or false. Raises RuleError."""
    return _Parser(fields).truth(raw, place, 0)


class _Parser:
    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = fields
        self._nodes = 0
        self._readers: dict[str, Reader] = {
            "field": self._field,
            "in": self._membership,
            **dict.fromkeys(("all", "any", "not"), self._boolean),
            **dict.fromkeys(COMPARED, self._comparison),
            **dict.fromkeys(COUNTED, self._sum),
            **dict.fromkeys(AGGREGATES, _aggregate),
        }

    def truth(self, raw: Any, place: str, depth: int) -> Expression:
        return self._typed(raw, place, depth, "flag")

    def _typed(self, raw: Any, place: str, depth: int, expected_type: Type) -> Expression:
        expression = self._any(raw, place, depth)
        if expression.type != expected_type:
            names = {"flag": "something true or false", "number": "a number", "text": "a text"}
            raise RuleError(place, f"must be {names[expected_type]}, is {names[expression.type]}")
        return expression

    def _any(self, raw: Any, place: str, depth: int) -> Expression:
        self._nodes += 1
        if depth > DEPTH_MAX or self._nodes > NODES_MAX:
            raise RuleError(place, f"too large: at most {DEPTH_MAX} deep, {NODES_MAX} parts")
        if not isinstance(raw, dict):
            return _literal(raw, place)
        tree = cast("dict[str, Any]", raw)
        if len(tree) != 1:
            raise RuleError(place, "must have exactly one operator")
        operator, operands = next(iter(tree.items()))
        inner = f"{place}.{operator}"[:PLACE_MAX]
        reader = self._readers.get(operator)
        if reader is None:
            raise RuleError(inner, f"no such operator{_near(operator, OPERATORS)}")
        return reader(operator, operands, inner, depth + 1)

    def _field(self, _operator: str, name: Any, place: str, _depth: int) -> Expression:
        field = self._fields.get(name) if isinstance(name, str) else None
        if field is None:
            raise RuleError(place, f"no such field{_near(name, self._fields)}")
        return Expression(
            operator="field", type=field.type, literal=name, needs=frozenset(field.needs)
        )

    def _boolean(self, operator: str, operands: Any, place: str, depth: int) -> Expression:
        if operator == "not":
            return Expression(
                operator=operator, type="flag", parts=(self.truth(operands, place, depth),)
            )
        parts = tuple(
            self.truth(each, f"{place}[{at}]", depth)
            for at, each in enumerate(_items(operands, place, least=1))
        )
        return Expression(operator=operator, type="flag", parts=parts)

    def _comparison(self, operator: str, operands: Any, place: str, depth: int) -> Expression:
        one, other = _items(operands, place, least=2, most=2)
        left = self._any(one, f"{place}[0]", depth)
        if left.type != "number" and operator not in ("eq", "ne"):
            raise RuleError(f"{place}[0]", "only numbers are larger or smaller")
        parts = _with_codes((left, self._typed(other, f"{place}[1]", depth, left.type)))
        return Expression(operator=operator, type="flag", parts=parts, needs=_needs(parts))

    def _sum(self, operator: str, operands: Any, place: str, depth: int) -> Expression:
        most = 2 if operator in ("sub", "div") else NODES_MAX
        parts = tuple(
            self._typed(each, f"{place}[{at}]", depth, "number")
            for at, each in enumerate(_items(operands, place, least=2, most=most))
        )
        return Expression(operator=operator, type="number", parts=parts, needs=_needs(parts))

    def _membership(self, _operator: str, operands: Any, place: str, depth: int) -> Expression:
        one, within = _items(operands, place, least=2, most=2)
        text = self._typed(one, f"{place}[0]", depth, "text")
        where = f"{place}[1]"
        if isinstance(within, dict):
            tree = cast("dict[str, Any]", within)
            name = tree.get("list") if len(tree) == 1 else None
            if not isinstance(name, str):
                raise RuleError(where, 'must be {"list": "name"} or a list of texts')
            return Expression(
                operator="in", type="flag", parts=(text,), literal=name, needs=text.needs
            )
        names = _items(within, where, least=0, most=LIST_MAX)
        if not all(isinstance(name, str) and len(name) <= TEXT_MAX for name in names):
            raise RuleError(where, "must hold short texts only")
        return Expression(
            operator="in",
            type="flag",
            parts=(text,),
            names=frozenset(names),
            needs=text.needs,
        )


def _with_codes(parts: tuple[Expression, Expression]) -> tuple[Expression, ...]:
    """Return `parts`; a country that the field `country` is compared with by its code."""
    if not any(each.operator == "field" and each.literal == COUNTRY for each in parts):
        return parts
    return tuple(
        replace(each, literal=country_code(str(each.literal)) or each.literal)
        if each.operator == "literal"
        else each
        for each in parts
    )


def _literal(raw: Any, place: str) -> Expression:
    if isinstance(raw, bool):
        return Expression(operator="literal", type="flag", literal=raw)
    if isinstance(raw, str) and len(raw) <= TEXT_MAX:
        return Expression(operator="literal", type="text", literal=raw)
    if isinstance(raw, int | float):
        number = finite(raw)
        if number is not None:
            return Expression(operator="literal", type="number", literal=number)
    raise RuleError(place, "must be a number, a short text, true, false or an operator")


def _aggregate(operator: str, operands: Any, place: str, _depth: int) -> Expression:
    if not isinstance(operands, dict):
        raise RuleError(place, 'must look like {"of": "card", "window_seconds": 300}')
    parts = cast("dict[str, Any]", operands)
    try:
        aggregate = msgspec.convert({**parts, "function": operator}, Aggregate)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$")
        raise RuleError(f"{place}{where.rstrip('`')}", reason) from error
    unknown = sorted(set(parts) - {"of", "window_seconds", "what", "below_minor"})
    if unknown:
        raise RuleError(f"{place}.{unknown[0]}", "no such part of an aggregate")
    if (operator == "distinct") != bool(aggregate.what):
        raise RuleError(f"{place}.what", "belongs to `distinct`, and `distinct` needs it")
    return Expression(
        operator=operator, type="number", aggregate=aggregate, needs=frozenset((aggregate.of,))
    )


def _needs(parts: Sequence[Expression]) -> frozenset[str]:
    return frozenset[str]().union(*(part.needs for part in parts))


def _items(operands: Any, place: str, *, least: int, most: int = NODES_MAX) -> Sequence[Any]:
    items = cast("list[Any]", operands) if isinstance(operands, list) else None
    if items is None or not least <= len(items) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise RuleError(place, f"must be a list of {count}")
    return items


def _near(name: Any, candidates: Sequence[str] | Mapping[str, Field]) -> str:
    if not isinstance(name, str):
        return "; a text belongs here"
    near = get_close_matches(name[:TEXT_MAX], list(candidates), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else f"; one of {', '.join(candidates)}"
