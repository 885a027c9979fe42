"""Fraud over HTTP: cases, rules and their history, back-tests, trials, drift.

Ids of entities are never shown: see `app.console.api.entities`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import structlog
from aiohttp import web

from app.config import Config
from app.console.api.context import CONTEXT, unavailable
from app.console.api.entities import Entities
from app.console.api.fraud_queries import Ask, Queries, process_in
from app.console.api.fraud_shapes import (
    FraudCasePage,
    JudgedFacts,
    Paid,
    ShownFraudCase,
    VerdictFacts,
)
from app.console.api.problems import JsonResponse, Problem, json_response
from app.console.api.topics import answering
from app.fraud.analysis.cases import Case, cases_of
from app.fraud.analysis.labels import label_of
from app.fraud.live.judge import at_hand, changed
from app.host.parameters import BadParameter, path_name, text_of, whole
from app.kafka.messages import messages_of
from app.wire.envelope import Envelope
from app.wire.personal import masked_text
from workflows.fraud import topics as fraud_topics
from workflows.fraud.built_in_rules import BUILT_IN
from workflows.fraud.condition import RuleError
from workflows.fraud.entity_messages import Kind
from workflows.fraud.messages import FraudDetected, VerdictBasis
from workflows.fraud.model import Model, ModelError
from workflows.fraud.rulebook import Book
from workflows.fraud.state import PaymentCheck
from workflows.fraud.verdict import band_of, entities_of
from workflows.shared.message import Message
from workflows.shared.topic import Topic

READING_SECONDS_MAX = 20.0
"""Time to read the topics of cases, rules and the audit for one request."""
CASES_MAX = 100

Messages = Callable[[Sequence[Topic]], Awaitable[list[tuple[Envelope, Message]]]]

log = structlog.get_logger(__name__)


class FraudAdmin:
    """What fraud needs besides the context. `operator_actions` locks a change of the rules."""

    def __init__(self, messages: Messages, ask: Ask, config: Config) -> None:
        self.messages = messages
        self.queries = Queries(ask)
        self.entities = Entities()
        self.operator_actions = asyncio.Lock()
        self._config = config
        self._models: dict[str, Model] | None = None

    async def messages_on(self, *topics: Topic) -> list[tuple[Envelope, Message]]:
        """Return the messages of the topics. Raises Problem 503."""
        try:
            async with answering(), asyncio.timeout(READING_SECONDS_MAX):
                return await self.messages(topics)
        except TimeoutError as error:
            raise unavailable("Kafka does not answer in time") from error

    async def book(self) -> Book:
        """Return the current rules, lists and snoozes. Raises Problem 503."""
        book = BUILT_IN
        for envelope, message in await self.messages_on(fraud_topics.fraud_rules):
            try:
                book = changed(book, message, envelope.time_ms)
            except RuleError:
                continue  # The agent has refused and counted it too.
        return book

    def models(self) -> dict[str, Model]:
        """Return the models by version; none while their folder holds an invalid one."""
        if self._models is None:
            try:
                self._models = at_hand(self._config)
            except ModelError as error:
                log.warning("the bands of scores are not known", error=str(error))
                return {}
        return self._models


FRAUD: web.AppKey[FraudAdmin] = web.AppKey("fraud")


def add_fraud(app: web.Application) -> None:
    """Add the state of the fraud routes to `app`."""
    config = app[CONTEXT].config

    async def messages(topics: Sequence[Topic]) -> list[tuple[Envelope, Message]]:
        return await messages_of(config, topics)

    app[FRAUD] = FraudAdmin(messages, process_in(config), config)


# --- cases ---


async def found_cases(request: web.Request) -> FraudCasePage:
    """Return a page of cases, open ones first, with their verdicts."""
    state = text_of(request, "state", "open")
    if state not in ("open", "closed", "all"):
        raise BadParameter("state is open, closed or all", "state")
    limit = whole(request, "limit", 20, 1, CASES_MAX)
    skip = whole(request, "skip", 0, 0, 1_000_000)
    every = cases_of(await request.app[FRAUD].messages_on(fraud_topics.fraud_cases))
    cases = [case for case in every if state in ("all", "closed" if case.closed else "open")]
    page_cases = cases[skip : skip + limit]
    about = await asyncio.gather(*(_verdict_if_any(request, case) for case in page_cases))
    return {
        "state": state,
        "open": sum(case.closed is None for case in every),
        "closed": sum(case.closed is not None for case in every),
        "skip": skip,
        "next": skip + limit if len(cases) > skip + limit else None,
        "cases": [_case(case, each) for case, each in zip(page_cases, about, strict=True)],
    }


def _case(case: Case, verdict: VerdictFacts | None) -> ShownFraudCase:
    registered, closed = case.registered, case.closed
    return {
        "order_id": registered.transaction_id,
        "case": registered.case,
        "score": registered.score,
        "reasons": [masked_text(reason) for reason in registered.reasons],
        "opened_at_ms": registered.opened_at_ms,
        "closed": closed
        and {
            "fraud": closed.fraud,
            "by": closed.by,
            "note": masked_text(closed.note),
            "at_ms": case.closed_at_ms,
        },
        "verdict": verdict,
    }


async def _verdict_if_any(request: web.Request, case: Case) -> VerdictFacts | None:
    """Return the check of the payment; None while no worker holds its partition."""
    try:
        check = await check_of(request, case.registered.transaction_id)
    except Problem as problem:
        if problem.status in (404, 503):
            return None
        raise
    return verdict_facts(request, case.registered.transaction_id, check)


async def check_of(request: web.Request, order_id: str) -> PaymentCheck:
    """Return the fraud agent's row of an order's payment. Raises Problem 404, 503."""
    row = await request.app[CONTEXT].row("verdict", order_id)
    if row is None:
        detail = f"no payment of an order {order_id!r} has come to be judged"
        raise Problem(404, "Not Found", detail, field="order_id")
    return msgspec.convert(row["state"], PaymentCheck)


def verdict_facts(request: web.Request, order_id: str, check: PaymentCheck) -> VerdictFacts:
    """Return what a verdict was based on, and what followed; entities are masked."""
    tags, verdict, label = request.app[FRAUD].entities, check.verdict, check.label
    basis = (verdict.basis if verdict else None) or VerdictBasis(outcome="allow")
    return {
        "order_id": order_id,
        "judged": verdict is not None,
        "blocked": isinstance(verdict, FraudDetected),
        "score": verdict.score if verdict else None,
        "reasons": [masked_text(reason) for reason in verdict.reasons] if verdict else [],
        "made_of": verdict is not None and verdict.basis is not None,
        **_judged(basis, request.app[FRAUD].models()),
        "entities": {kind: tags.tag(name) for kind, name in entities_in(check).items()},
        "paid": _paid(check),
        "goods": check.goods,
        "case": check.case,
        "case_at_ms": check.case_at_ms,
        "label": label
        and {
            "fraud": label.fraud,
            "source": label.source,
            "by": label.by,
            "note": masked_text(label.note),
            "at_ms": label.known_at_ms,
        },
    }


def entities_in(check: PaymentCheck) -> Mapping[Kind, str]:
    """Return the ids of the entities of the payment, by kind, in clear."""
    paid = check.paid
    if paid is None:
        return {}
    origin = paid.origin
    return entities_of(
        paid.customer_id, origin.card_id, origin.terminal_id, origin.device_id, origin.address_id
    )


def _judged(basis: VerdictBasis, models: Mapping[str, Model]) -> JudgedFacts:
    return {
        "outcome": basis.outcome,
        "decided_by": basis.decided_by,
        "rules": basis.rules,
        "unknown": basis.unknown,
        "snoozed": basis.snoozed,
        "rules_version": basis.rules_version,
        "model_version": basis.model_version,
        "model_score": basis.model_score,
        "shadow_version": basis.shadow_version,
        "shadow_score": basis.shadow_score,
        "shadow_rules": basis.shadow_rules,
        "band": band_of(models, basis.model_version, basis.model_score),
        "shadow_band": band_of(models, basis.shadow_version, basis.shadow_score),
        "contributions": [
            {
                "label": label_of(each.figure),
                "figure": each.figure,
                "value": each.value,
                "weight": each.weight,
            }
            for each in basis.contributions
        ],
        "figures": [
            {"figure": masked_text(name), "label": label_of(masked_text(name)), "value": value}
            for name, value in (basis.snapshot | basis.aggregates).items()
        ],
    }


def _paid(check: PaymentCheck) -> Paid | None:
    paid = check.paid
    return paid and {
        "amount_minor": paid.amount_minor,
        "currency": paid.currency,
        "country": paid.country,
        "ordered_at_ms": paid.ordered_at_ms,
    }


async def every(request: web.Request) -> JsonResponse[FraudCasePage]:
    """Return cases."""
    return json_response(await found_cases(request))


async def show(request: web.Request) -> JsonResponse[VerdictFacts]:
    """Return the verdict on one order's payment."""
    order_id = path_name(request, "order_id")
    return json_response(verdict_facts(request, order_id, await check_of(request, order_id)))
