"""Actions of operators on fraud: deciding cases, changing rules and lists.

Each action is produced to `audit` first and then carried out, as in
`app.console.api.operator_actions`. An entity may be given as `@` and an order id: the one of that
order's payment, so that nobody has to see its id.
"""

from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta
from msgspec.structs import replace

from app.console.api.access import operator_of
from app.console.api.audited_actions import unconfirmed
from app.console.api.context import CONTEXT
from app.console.api.entities import TAG
from app.console.api.fraud import FRAUD, check_of, entities_in
from app.console.api.fraud_rules import proposed_rule, rule_in
from app.console.api.fraud_shapes import PutLabel, PutList, PutRule, PutSnooze
from app.console.api.operator_actions import Why
from app.console.api.problems import JsonResponse, Problem, json_response, read_body
from app.entrypoints.requests import Emission
from app.fraud.analysis.fraud_admin import Action, as_action, with_version
from app.host.parameters import of_wrong_shape, path_name
from app.kafka.messages import console_record
from app.wire.records import event_id
from workflows.fraud.built_in_rules import BUILT_IN, FIELDS
from workflows.fraud.condition import RuleError
from workflows.fraud.entity import KINDS
from workflows.fraud.messages import PaymentLabelled
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed
from workflows.fraud.rulebook import Book, Rule, read_rule
from workflows.shared.message import Message
from workflows.shared.personal import Personal

HOUR_MS = 3_600_000
HOURS_MAX = 24 * 90
LIST_MAX = 5_000
"""Names of one list, which is one record."""
OF_ORDER = "@"

Version = Annotated[int, Meta(ge=0, le=1_000_000)]
Listed = Annotated[str, Meta(min_length=1, max_length=128)]
_BEGINNINGS = f"^({'|'.join(KINDS)}):."
Entity = Annotated[
    str, Meta(min_length=3, max_length=140, extra_json_schema={"pattern": _BEGINNINGS})
]
"""`card:c1`: the handler says which kinds there are, a pattern alone would not."""
Listing = Annotated[tuple[Listed, ...], Meta(max_length=1_000)]


class Decided(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a decision on a case."""

    verdict: Literal["fraud", "legit"]
    reason: Why


class RuleAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /operators/fraud/rules`; `version_before`: the one known, 0 for none."""

    rule: dict[str, Any]
    reason: Why
    version_before: Version | None = None


class VersionAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an approval or a pause, with the version that the operator has read."""

    version: Version
    reason: Why


class SnoozeAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a snooze: an entity, `kind:id` or `kind:@order`. 0 hours wake the rule again."""

    entity: Personal[Entity]
    hours: Annotated[float, Meta(ge=0, le=HOURS_MAX)]
    reason: Why


class ListAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a change of a list: ids, `@order`, or, of what it holds, the tags shown."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$(?!\n)")]
    add: Listing = ()
    remove: Listing = ()
    reason: Why


async def decide(request: web.Request) -> JsonResponse[PutLabel]:
    """Label a payment as fraud or not; this closes its case, and models are trained on it."""
    order_id = path_name(request, "order_id")
    body = await read_body(request, Decided)
    check = await check_of(request, order_id)
    if check.verdict is None:
        raise Problem(409, "Conflict", "this payment is not judged yet", field="order_id")
    message = PaymentLabelled(
        transaction_id=order_id,
        fraud=body.verdict == "fraud",
        source="analyst",
        known_at_ms=request.app[CONTEXT].now_ms(),
        by=operator_of(request).name,
        note=body.reason,
    )
    await _say(request, message, body.reason)
    return json_response({"order_id": order_id, "verdict": body.verdict, "state": "accepted"}, 202)


async def put(request: web.Request) -> JsonResponse[PutRule]:
    """Put the next version of a rule: a draft, on trial, or paused; never active."""
    body = await read_body(request, RuleAsked)
    proposed = proposed_rule(body.rule, operator_of(request).name)
    async with request.app[FRAUD].operator_actions:
        book = await request.app[FRAUD].book()
        current_rule = book.rules.get(proposed.rule_id)
        before = current_rule.rule.version if current_rule else 0
        if body.version_before is not None and body.version_before != before:
            _changed_meanwhile(before, "version_before")
        return await _put(request, proposed, book, body.reason)


async def approve(request: web.Request) -> JsonResponse[PutRule]:
    """Make a rule active; another operator has proposed it."""
    rule_id = path_name(request, "rule_id")
    body = await read_body(request, VersionAsked)
    who = operator_of(request).name
    async with request.app[FRAUD].operator_actions:
        book = await request.app[FRAUD].book()
        rule = _scanned(book, rule_id, body.version)
        if rule.state == "active":
            raise Problem(409, "Conflict", "it is active already", field="rule_id")
        if rule.proposed_by.strip().casefold() == who.strip().casefold():
            detail = "it was proposed by you: somebody else has to approve it"
            raise Problem(403, "Forbidden", detail)
        approved = replace(rule, state="active", approved_by=who)
        return await _put(request, approved, book, body.reason)


async def pause(request: web.Request) -> JsonResponse[PutRule]:
    """Pause a rule until it is approved again."""
    rule_id = path_name(request, "rule_id")
    body = await read_body(request, VersionAsked)
    async with request.app[FRAUD].operator_actions:
        book = await request.app[FRAUD].book()
        rule = _scanned(book, rule_id, body.version)
        if rule.state not in ("active", "shadow"):
            raise Problem(409, "Conflict", f"it says nothing now: {rule.state}", field="rule_id")
        # Two people have read an active rule. One on trial was read by its author alone: an
        # operator who pauses it does not become the author, whose rule another may then approve.
        maker = operator_of(request).name if rule.state == "active" else rule.proposed_by
        paused = replace(rule, state="paused", proposed_by=maker, approved_by="")
        return await _put(request, paused, book, body.reason)


async def snooze(request: web.Request) -> JsonResponse[PutSnooze]:
    """Snooze a rule for one entity for some hours."""
    rule_id = path_name(request, "rule_id")
    body = await read_body(request, SnoozeAsked)
    kind, _, reference = body.entity.partition(":")
    if kind not in KINDS or not reference:
        detail = f"begin with one of {', '.join(KINDS)} and a colon"
        raise Problem(400, "Bad Request", detail, field="entity")
    context, book_before = request.app[FRAUD], await request.app[FRAUD].book()
    rule_in(book_before, rule_id)
    asleep = [each.entity.partition(":") for each in book_before.snoozes.values()]
    name = await _entity(request, kind, reference, "entity")
    name = context.entities.meant(name, (id_ for of, _, id_ in asleep if of == kind))
    _check_tag(name, "entity")
    message = RuleSnoozed(
        rule_id=rule_id,
        entity=f"{kind}:{name}",
        until_ms=request.app[CONTEXT].now_ms() + round(body.hours * HOUR_MS),
        by=operator_of(request).name,
    )
    async with context.operator_actions:
        book = await context.book()
        await _say(request, with_version(message, book), body.reason, book)
    return json_response({"rule_id": rule_id, "until_ms": message.until_ms}, 202)


async def change_list(request: web.Request) -> JsonResponse[PutList]:
    """Add names to a list that rules read, and remove others."""
    body = await read_body(request, ListAsked)
    if not (body.add or body.remove):
        raise Problem(400, "Bad Request", "say what to add or to remove", field="add")
    context, kind = request.app[FRAUD], body.name.rpartition(".")[2]
    added = [await _entity(request, kind, name, "add") for name in body.add]
    removed = [await _entity(request, kind, name, "remove") for name in body.remove]
    async with context.operator_actions:
        book = await context.book()
        held = book.lists.get(body.name, frozenset())
        removed_ids = {context.entities.meant(name, held) for name in removed}
        if missing := [name for name in removed_ids if name not in held]:
            detail = f"{len(missing)} of what is to be removed is not on {body.name}"
            raise Problem(409, "Conflict", detail, field="remove")
        values = (held | set(added)) - removed_ids
        for name in added:
            _check_tag(name, "add")
        if len(values) > LIST_MAX:
            raise Problem(409, "Conflict", f"a list holds {LIST_MAX} at most", field="add")
        by = operator_of(request).name
        message = ListPut(name=body.name, values=tuple(sorted(values)), by=by)
        await _say(request, with_version(message, book), body.reason, book)
    return json_response({"name": body.name, "size": len(values)}, 202)


async def _entity(request: web.Request, kind: str, reference: str, field: str) -> str:
    """Return the id of `reference`: itself, or after an `@` the `kind` of the order's payment."""
    if not reference.startswith(OF_ORDER):
        return reference
    entities = entities_in(await check_of(request, reference.removeprefix(OF_ORDER)))
    entity_id = next((name for each_kind, name in entities.items() if each_kind == kind), None)
    if entity_id is None:
        detail = f"nothing is known of a {kind} of this order's payment"
        raise Problem(409, "Conflict", detail[:300], field=field)
    return entity_id


def _check_tag(name: str, field: str) -> None:
    if name.startswith(TAG):
        detail = "this tag is no longer known; take the row from the list"
        raise Problem(404, "Not Found", detail, field=field)


def _scanned(book: Book, rule_id: str, version: int) -> Rule:
    rule = rule_in(book, rule_id)
    if rule.version != version:
        _changed_meanwhile(rule.version, "version")
    return rule


def _changed_meanwhile(version: int, field: str) -> None:
    detail = f"it is at version {version} now: read that first"
    raise Problem(409, "Conflict", detail, field=field)


async def _put(request: web.Request, rule: Rule, book: Book, why: str) -> JsonResponse[PutRule]:
    current_rule = book.rules.get(rule.rule_id)
    version = current_rule.rule.version + 1 if current_rule else 1
    raw: dict[str, object] = msgspec.to_builtins(replace(rule, version=version))
    try:
        read_rule(raw, FIELDS)
    except RuleError as error:
        raise Problem(409, "Conflict", str(error), field="rule") from error
    await _say(request, RulePut(rule_id=rule.rule_id, rule=raw), why, book)
    return json_response({"rule_id": rule.rule_id, "version": version, "state": rule.state}, 202)


async def _say(request: web.Request, message: Message, why: str, before: Book = BUILT_IN) -> None:
    """Produce the audit record of `message`, then the message.

    Raises Problem 400, 413, 422, 503.
    """
    context = request.app[CONTEXT]
    at_ms = context.now_ms()
    action = Action(who=operator_of(request).name, why=why, at_ms=at_ms, before=before)
    try:
        emitted = as_action(message, action)
    except msgspec.ValidationError as error:
        raise of_wrong_shape(error) from error
    records = [console_record(each, at_ms) for each in emitted]
    emissions = [
        Emission(
            message=each,
            event_id=event_id(record),
            transaction_id=(record.key or b"").decode()[:128],
        )
        for each, record in zip(emitted, records, strict=True)
    ]
    for each in emissions:
        context.check_readable(request, each)
    await context.publish_all(request, emissions[:1])
    try:
        await context.publish_all(request, emissions[1:])
    except Exception as error:
        await unconfirmed(request, emitted[0], emissions[0].event_id, error)
        raise
