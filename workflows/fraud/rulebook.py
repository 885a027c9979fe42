"""Rules, lists and snoozes: the book that payments are judged by, and how it judges.

A rule is a draft, on trial (`shadow`), `active` or `paused`. Of the active rules that hit, those of
the highest priority decide, and among them the strictest outcome: so an allow list above the rest
lets through, and a block list above it does not.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec
from msgspec.structs import replace

from workflows.fraud.condition import Expression, Field, RuleError, World, evaluate
from workflows.fraud.condition import wants as wants_of
from workflows.fraud.condition_parser import parse
from workflows.fraud.entity_messages import Aggregate
from workflows.fraud.messages import Outcome
from workflows.fraud.rule_messages import Snooze, Stamp

LADDER: tuple[Outcome, ...] = ("allow", "review", "block")
SNOOZES_MAX = 10_000
RULES_MAX = 500
"""Every rule may be a reason of one verdict, which is one message."""
WANTS_MAX = 1_000
"""Figures over windows that all rules read: each is asked of every entity of every payment."""
RULE_BYTES_MAX = 200_000
"""A rule as JSON: its audit record holds it whole, with who changed it and why."""

State = Literal["draft", "shadow", "active", "paused"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule as people write it. `weight` is how strongly a hit speaks for fraud, 0 to 1."""

    rule_id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$(?!\n)")]
    version: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    state: State
    outcome: Outcome
    priority: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 50
    description: Annotated[str, msgspec.Meta(max_length=300)]
    when: Any
    weight: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    proposed_by: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    approved_by: Annotated[str, msgspec.Meta(max_length=128)] = ""


class CompiledRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule whose expression has been checked."""

    rule: Rule
    expression: Expression


class Book(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything that can change at run time. Equal books have equal revisions, however made."""

    rules: Mapping[str, CompiledRule] = {}
    lists: Mapping[str, frozenset[str]] = {}
    snoozes: Mapping[tuple[str, str], Snooze] = {}
    stamps: Mapping[str, Stamp] = {}
    """Of the latest message by its key, also of a snooze that is over: whoever repeats an earlier
    one changes nothing."""

    # Both are asked for with every payment, and cost too much to be made with every message of
    # thousands that are read at a start.
    @cached_property
    def revision(self) -> str:
        """Return a name for all that is in the book."""
        content = (
            sorted(
                msgspec.json.encode(each.rule, order="deterministic")
                for each in self.rules.values()
            ),
            sorted((name, sorted(values)) for name, values in self.lists.items()),
            sorted(self.snoozes.values()),
        )
        digest = hashlib.sha256(msgspec.json.encode(content)).hexdigest()
        return f"book-{digest[:12]}"

    @cached_property
    def wants(self) -> tuple[Aggregate, ...]:
        """Return what the rules that are active or on trial read, sorted by name."""
        aggregates: set[Aggregate] = set()
        for compiled in self.rules.values():
            if compiled.rule.state in ("active", "shadow"):
                aggregates |= wants_of(compiled.expression)
        return tuple(sorted(aggregates, key=lambda aggregate: aggregate.name))


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What a book says of one payment."""

    outcome: Outcome
    decided_by: str
    hits: tuple[Rule, ...]
    """The highest priority first."""
    unknown: tuple[str, ...]
    """Active rules that apply and could not be answered."""
    snoozed: tuple[str, ...]
    shadow: tuple[str, ...]


def read_rule(body: bytes | Mapping[str, Any], fields: Mapping[str, Field]) -> CompiledRule:
    """Return the rule that `body`, JSON or decoded JSON, holds. Raises RuleError."""
    try:
        raw = msgspec.json.decode(body) if isinstance(body, bytes) else dict(body)
        rule = msgspec.convert(raw, Rule)
    except RecursionError as error:
        raise RuleError("", "is nested too deep") from error
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$")
        raise RuleError(where.strip("`."), reason) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RuleError("", f"is not JSON: {error}") from error
    if rule.state == "active" and not _is_approved(rule):
        raise RuleError(
            "approved_by",
            f"an active rule needs the approval of somebody other than {rule.proposed_by}",
        )
    return CompiledRule(rule=rule, expression=parse(rule.when, fields))


def with_rule(book: Book, compiled: CompiledRule) -> Book:
    """Return `book` with the rule, unless it knows a later version."""
    current = book.rules.get(compiled.rule.rule_id)
    if current is not None and current.rule.version > compiled.rule.version:
        return book
    return replace(book, rules={**book.rules, compiled.rule.rule_id: compiled})


def with_list(book: Book, name: str, values: frozenset[str]) -> Book:
    """Return `book` with the list `name` holding `values`."""
    return replace(book, lists={**book.lists, name: values})


def with_snooze(book: Book, snooze: Snooze) -> Book:
    """Return `book` with `snooze` in the place of an earlier one: the last message counts."""
    snoozes = {**book.snoozes, (snooze.rule_id, snooze.entity): snooze}
    if len(snoozes) > SNOOZES_MAX:
        soonest = min(snoozes.values(), key=lambda each: each.until_ms)
        del snoozes[soonest.rule_id, soonest.entity]
    return replace(book, snoozes=snoozes)


def judge(book: Book, world: World, entities: tuple[str, ...], at_ms: int) -> Ruling:
    """Return what `book` says of a payment of `entities` (`kind:id`) at `at_ms`."""
    world = replace(world, lists=book.lists)
    hits: list[Rule] = []
    unknown: list[str] = []
    snoozed: list[str] = []
    shadow: list[str] = []
    for rule_id, compiled in sorted(book.rules.items()):
        if compiled.rule.state not in ("active", "shadow"):
            continue
        truth = evaluate(compiled.expression, world)
        if compiled.rule.state == "shadow":
            shadow += [rule_id] if truth else []
        elif truth is None:
            unknown.append(rule_id)
        elif truth and _is_snoozed(book, rule_id, entities, at_ms):
            snoozed.append(rule_id)
        elif truth:
            hits.append(compiled.rule)
    hits.sort(key=lambda rule: (-rule.priority, rule.rule_id))
    outcome, decided_by = _decision(hits)
    return Ruling(
        outcome=outcome,
        decided_by=decided_by,
        hits=tuple(hits),
        unknown=tuple(unknown),
        snoozed=tuple(snoozed),
        shadow=tuple(shadow),
    )


def _decision(hits: list[Rule]) -> tuple[Outcome, str]:
    if not hits:
        return "allow", ""
    strongest = [rule for rule in hits if rule.priority == hits[0].priority]
    decider = max(strongest, key=lambda rule: LADDER.index(rule.outcome))
    return decider.outcome, decider.rule_id


def _is_snoozed(book: Book, rule_id: str, entities: tuple[str, ...], at_ms: int) -> bool:
    snoozes = (book.snoozes.get((rule_id, entity)) for entity in entities)
    return any(each is not None and at_ms < each.until_ms for each in snoozes)


def _is_approved(rule: Rule) -> bool:
    maker, checker = (name.strip().casefold() for name in (rule.proposed_by, rule.approved_by))
    return bool(maker) and bool(checker) and maker != checker
