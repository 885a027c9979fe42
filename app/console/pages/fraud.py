"""The pages of fraud: cases, rules and back-tests, trials."""

from typing import Any

import msgspec
from aiohttp import web

from app.console.api.fraud import FRAUD, check_of, found_cases, verdict_facts
from app.console.api.fraud_rules import (
    found_rule,
    found_rules,
    found_trial,
    proposed_rule,
    rule_in,
    shown_rule,
    tried_rule,
)
from app.console.api.fraud_shapes import TriedRule
from app.console.api.problems import Problem
from app.console.pages.render import page
from app.console.pages.rule_text import EXAMPLE, as_people_write, changes, to_text
from app.host.parameters import path_name, query_of, text_of
from workflows.fraud.rulebook import Rule

TOO_MANY, UNAVAILABLE = 429, 503
RULE_CHARS_MAX = 3_000
"""Characters of a rule in the query of the page that tries it."""


async def cases(request: web.Request) -> web.Response:
    """Return the queue of cases."""
    case_page = await found_cases(request)
    return await page(request, "fraud.html", title="Fraud cases", found=case_page)


async def one_case(request: web.Request) -> web.Response:
    """Return the verdict on one order's payment, and the forms that decide its case."""
    order_id = path_name(request, "order_id")
    facts = verdict_facts(request, order_id, await check_of(request, order_id))
    return await page(request, "fraud_case.html", title=f"Payment of {order_id}", found=facts)


async def rules(request: web.Request) -> web.Response:
    """Return the rules."""
    facts = await found_rules(request)
    return await page(request, "fraud_rules.html", title="Fraud rules", found=facts)


async def lists(request: web.Request) -> web.Response:
    """Return the lists that rules read, and the snoozes."""
    facts = await found_rules(request)
    return await page(request, "fraud_lists.html", title="Fraud lists and snoozes", found=facts)


async def one_rule(request: web.Request) -> web.Response:
    """Return one rule: its state, its history, and on request its back-test."""
    rule_id = path_name(request, "rule_id")
    facts = await found_rule(request, rule_id)
    tried, trouble = None, ""
    if "from" in query_of(request):
        # Not the rule shown, which is masked.
        meant = rule_in(await request.app[FRAUD].book(), rule_id)
        tried, trouble = await _tried(request, meant)
    return await page(
        request,
        "fraud_rule.html",
        title=f"Rule {rule_id}",
        rule_id=rule_id,
        found=facts,
        tried=tried,
        trouble=trouble,
        since=text_of(request, "from"),
        json=to_text,
    )


async def propose(request: web.Request) -> web.Response:
    """Return the form of a rule; a filled one with its back-test and its changes."""
    like, text = text_of(request, "like"), text_of(request, "rule")
    book = await request.app[FRAUD].book()
    facts: dict[str, Any] = {
        "text": text or as_people_write(_like(request, rule_in(book, like)) if like else EXAMPLE),
        "since": text_of(request, "from"),
        "most": RULE_CHARS_MAX,
        **dict.fromkeys(("refused", "proposed", "tried", "known"), None),
        "trouble": "",
        "changes": [],
    }
    if text:
        try:
            proposed = proposed_rule(text.encode(errors="replace"), "nobody")
        except Problem as problem:
            facts["refused"] = problem
        else:
            current_rule = book.rules.get(proposed.rule_id)
            facts["proposed"] = proposed
            facts["known"] = current_rule.rule if current_rule else None
            facts["body"] = as_people_write(msgspec.to_builtins(proposed))
            before = as_people_write(_like(request, current_rule.rule)) if current_rule else ""
            facts["changes"] = changes(before, facts["body"])
            facts["tried"], facts["trouble"] = await _tried(request, proposed)
    return await page(request, "fraud_propose.html", title="Propose a rule", **facts)


async def trial(request: web.Request) -> web.Response:
    """Return the models and rules on trial beside those in force, and the drift."""
    facts, trouble = None, ""
    try:
        facts = await found_trial(request)
    except Problem as problem:
        trouble = _passing(problem)
    return await page(
        request,
        "fraud_trial.html",
        title="Fraud trial",
        found=facts,
        trouble=trouble,
        since=text_of(request, "from"),
    )


async def _tried(request: web.Request, rule: Rule) -> tuple[TriedRule | None, str]:
    try:
        return await tried_rule(request, rule), ""
    except Problem as problem:
        return None, _passing(problem)


def _passing(problem: Problem) -> str:
    """Return the text of a temporary problem, to be shown on the page. Raises any other Problem."""
    if problem.status not in (UNAVAILABLE, TOO_MANY):
        raise problem
    return str(problem)


def _like(request: web.Request, rule: Rule) -> dict[str, object]:
    """Return a rule as the draft of another version."""
    return shown_rule(request, {**msgspec.to_builtins(rule), "state": "draft"})
