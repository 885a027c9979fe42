"""Rules over HTTP: their state and history, back-tests, and trials."""

import asyncio
from collections.abc import Mapping
from operator import itemgetter
from typing import cast

import aiohttp
import msgspec
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from app.console.api.context import CONTEXT, READ_SECONDS
from app.console.api.fraud import FRAUD
from app.console.api.fraud_shapes import (
    Drift,
    RuledFacts,
    RuleFacts,
    RulesFacts,
    RuleVersion,
    SnoozeFacts,
    TrialFacts,
    TriedRule,
    WorkerDrift,
)
from app.console.api.problems import JsonResponse, Problem, json_response
from app.console.api.searches import identity_of
from app.fraud.analysis.labels import label_of
from app.fraud.analysis.masking import names_people, without_people
from app.fraud.analysis.queries import Answer, Question
from app.fraud.live.drift import WATCHED_MIN
from app.host.parameters import path_name, text_of, whole
from app.operations.search.query import BadTerm, moment_ms
from app.wire.http_answers import read_answer, session_of
from app.wire.personal import masked_text
from workflows.audit import topics as audit_topics
from workflows.audit.messages import ActionUnconfirmed, RuleChanged
from workflows.fraud.built_in_rules import FIELDS
from workflows.fraud.condition import RuleError
from workflows.fraud.rulebook import Book, Rule, Snooze, read_rule

WATCHED = {
    "payflow_fraud_psi": ("psi", "figure"),
    "payflow_fraud_alert_rate": ("alert_rate", "by"),
    "payflow_fraud_watched_verdicts": ("watched", ""),
}
"""Metrics of a worker, their names here, and the label that distinguishes their values."""
PSI_MOVED, PSI_MUCH = 0.1, 0.25


async def found_rules(request: web.Request) -> RulesFacts:
    """Return the current rules, lists and snoozes; with `hits=1`, the hits of the rules."""
    context, with_hits = request.app[FRAUD], whole(request, "hits", 0, 0, 1)
    book = await context.book()
    question = Question(what="trial")
    if with_hits:
        answer_and_age: tuple[Answer, float] | None = await context.queries.answer(
            question, identity_of(request)
        )
    else:
        answer_and_age = context.queries.cached(question)
    now_ms = request.app[CONTEXT].now_ms()
    snoozes = sorted(book.snoozes.values(), key=lambda each: (each.until_ms, each.rule_id))
    return {
        "revision": book.revision,
        "hits_age_seconds": round(answer_and_age[1], 1) if answer_and_age else None,
        "rules": [_ruled(rule, answer_and_age) for rule in ordered(book)],
        "lists": [
            {"name": name, "size": len(values), "names": sorted(map(context.entities.tag, values))}
            for name, values in sorted(book.lists.items())
        ],
        "snoozes": [_snooze(request, each) for each in snoozes if each.until_ms > now_ms],
    }


def ordered(book: Book) -> list[Rule]:
    """Return the rules of `book` in the order in which they decide."""
    rules = [each.rule for each in book.rules.values()]
    return sorted(rules, key=lambda rule: (-rule.priority, rule.rule_id))


def _ruled(rule: Rule, answer_and_age: tuple[Answer, float] | None) -> RuledFacts:
    facts = {**msgspec.structs.asdict(rule)}
    del facts["when"]
    rule_hits = answer_and_age[0].hits.get(rule.rule_id) if answer_and_age else None
    trial = answer_and_age[0].trial if answer_and_age else None
    along = trial.rules.get(rule.rule_id) if trial else None
    facts["hits"] = (rule_hits.hits if rule_hits else 0) if answer_and_age else None
    facts["shadow_hits"] = (along.found.alerts if along else 0) if answer_and_age else None
    facts["decided"] = rule_hits.decided if rule_hits else None
    facts["precision"] = rule_hits.precision if rule_hits else None
    return cast("RuledFacts", facts)


def _snooze(request: web.Request, snooze: Snooze) -> SnoozeFacts:
    entity = request.app[FRAUD].entities.masked_entity(snooze.entity)
    return {"rule_id": snooze.rule_id, "entity": entity, "until_ms": snooze.until_ms}


async def found_rule(request: web.Request, rule_id: str) -> RuleFacts:
    """Return a rule, its history by the audit, and its snoozes. Raises Problem 404."""
    context = request.app[FRAUD]
    book = await context.book()
    rule = rule_in(book, rule_id)
    now_ms = request.app[CONTEXT].now_ms()
    on_audit = await context.messages_on(audit_topics.audit)
    lost = {each.action_id for _, each in on_audit if isinstance(each, ActionUnconfirmed)}
    history: list[RuleVersion] = [
        {
            "at_ms": envelope.time_ms,
            "confirmed": envelope.id not in lost,
            "who": message.who,
            "why": masked_text(message.why),
            "version_before": message.version_before,
            "state_before": message.state_before,
            "version": message.version,
            "state": message.state,
            "rule": shown_rule(request, message.rule),
        }
        for envelope, message in on_audit
        if isinstance(message, RuleChanged) and message.about == f"rule:{rule_id}"
    ]
    return {
        "rule": msgspec.convert(shown_rule(request, msgspec.to_builtins(rule)), Rule),
        "history": sorted(history, key=itemgetter("at_ms"), reverse=True),
        "snoozes": [
            _snooze(request, each)
            for each in book.snoozes.values()
            if each.rule_id == rule_id and each.until_ms > now_ms
        ],
    }


def shown_rule(request: web.Request, raw: dict[str, object]) -> dict[str, object]:
    """Return a rule with the ids of people in it masked."""
    return raw | {"when": without_people(raw.get("when"), request.app[FRAUD].entities.tag)}


def rule_in(book: Book, rule_id: str) -> Rule:
    """Return the rule of this id. Raises Problem 404."""
    if rule_id not in book.rules:
        detail = f"there is no rule {rule_id!r}; there are {', '.join(sorted(book.rules))}"
        raise Problem(404, "Not Found", detail[:1_000], field="rule_id")
    return book.rules[rule_id].rule


def proposed_rule(raw: Mapping[str, object] | bytes, proposed_by: str) -> Rule:
    """Return the rule that `raw` proposes: a draft, unless it is to be on trial or paused.

    `raw` cannot set its version and who approved it. Raises Problem 400 naming the place.
    """
    try:
        if isinstance(raw, bytes):
            raw = msgspec.json.decode(raw, type=dict[str, object])
        fixed_fields = {"proposed_by": proposed_by, "approved_by": "", "version": 1}
        raw_rule = {"state": "draft", **raw, **fixed_fields}
        raw_rule["state"] = "draft" if raw_rule["state"] == "active" else raw_rule["state"]
        rule = read_rule(raw_rule, FIELDS).rule
    except RuleError as error:
        place = f"rule.{error.place}".rstrip(".")
        raise Problem(400, "Bad Request", str(error), field=place) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "Bad Request", f"the rule is not JSON: {error}", field="rule") from error
    if names_people(rule.when):
        detail = (
            'when: it names people, and is shown to all: put them on a list, and say {"list": …}'
        )
        raise Problem(400, "Bad Request", detail, field="rule.when")
    return rule


async def tried_rule(request: web.Request, rule: Rule) -> TriedRule:
    """Return the back-test of `rule` on payments since `from`. Raises Problem 400, 503."""
    since_ms = from_ms(request)
    question = Question(what="backtest", rule=msgspec.to_builtins(rule), from_ms=since_ms)
    answer, age = await request.app[FRAUD].queries.answer(question, identity_of(request))
    return {
        "rule_id": rule.rule_id,
        "from_ms": since_ms,
        "age_seconds": round(age, 1),
        "found": answer.backtest,
    }


async def found_trial(request: web.Request) -> TrialFacts:
    """Return the models and rules on trial beside those in force, and the drift of payments."""
    since_ms = from_ms(request)
    question = Question(what="trial", from_ms=since_ms)
    (answer, age), drift = await asyncio.gather(
        request.app[FRAUD].queries.answer(question, identity_of(request)), found_drift(request)
    )
    return {
        "from_ms": since_ms,
        "age_seconds": round(age, 1),
        "trial": answer.trial,
        "drift": drift,
    }


async def found_drift(request: web.Request) -> list[WorkerDrift]:
    """Return for each fraud worker the drift of its latest payments from the training data."""
    holders = request.app[CONTEXT].directory.holders("verdict")
    async with session_of(READ_SECONDS) as session:
        drifts = await asyncio.gather(*(_drift_of(session, each.url) for each in holders))
    return [
        {
            "pid": worker.pid,
            "url": worker.url,
            "enough": WATCHED_MIN,
            "trouble": "" if drift else "it does not answer",
            **(drift or drift_in("")),
        }
        for worker, drift in zip(holders, drifts, strict=True)
    ]


async def _drift_of(session: aiohttp.ClientSession, url: str) -> Drift | None:
    try:
        async with session.get(f"{url}/metrics") as answer:
            answer.raise_for_status()
            return drift_in((await read_answer(answer)).decode())
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, OverflowError):
        # No answer in time, or one without metrics, or with no number where one belongs.
        return None


def drift_in(metrics: str) -> Drift:
    """Return the drift in the `metrics` of a worker: `psi` by figure, `alert_rate` by model.

    Raises ValueError, LookupError or OverflowError where there is no metric or no number.
    """
    drift: Drift = {"watched": 0, "psi": [], "alert_rate": {}}
    for family in text_string_to_metric_families(metrics):
        name, label = WATCHED.get(family.name, ("", ""))
        for sample in family.samples if name else ():
            if name == "watched":
                drift["watched"] = int(sample.value)
            elif name == "alert_rate":
                drift["alert_rate"][sample.labels[label]] = sample.value
            else:
                figure = sample.labels[label]
                drift["psi"].append(
                    {
                        "figure": figure,
                        "label": label_of(figure),
                        "psi": sample.value,
                        "moved": _moved(sample.value),
                    }
                )
    drift["psi"].sort(key=itemgetter("psi"), reverse=True)
    return drift


def _moved(psi: float) -> str:
    if psi > PSI_MUCH:
        return "moved much"
    return "moved" if psi > PSI_MOVED else "steady"


def from_ms(request: web.Request) -> int:
    """Return the time that `from` says, 0 for none. Raises Problem 400 naming it."""
    text = text_of(request, "from").strip()
    try:
        return moment_ms(text, text, "from") if text else 0
    except BadTerm as error:
        raise Problem(400, "Bad Request", str(error), field=error.field) from error


async def every(request: web.Request) -> JsonResponse[RulesFacts]:
    """Return rules, lists and snoozes."""
    return json_response(await found_rules(request))


async def show(request: web.Request) -> JsonResponse[RuleFacts]:
    """Return one rule."""
    return json_response(await found_rule(request, path_name(request, "rule_id")))


async def backtest(request: web.Request) -> JsonResponse[TriedRule]:
    """Return the back-test of a rule: `rule`, JSON, or the existing one `rule_id`."""
    text = text_of(request, "rule")
    if text:
        rule = proposed_rule(text.encode(errors="replace"), "nobody")
    else:
        rule = rule_in(await request.app[FRAUD].book(), text_of(request, "rule_id"))
    return json_response(await tried_rule(request, rule))


async def trial(request: web.Request) -> JsonResponse[TrialFacts]:
    """Return the models and rules on trial."""
    return json_response(await found_trial(request))
