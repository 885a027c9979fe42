"""Every route of the API, declared once for the server and for OpenAPI."""

from collections.abc import Iterator
from functools import partial

from app.console.api import (
    commands,
    customer_search,
    dead_letter_actions,
    dead_letters,
    fault_injection,
    figures,
    flow_metrics,
    fraud,
    fraud_actions,
    fraud_rules,
    health,
    inbox,
    invariants,
    live,
    open_cases,
    operator_actions,
    session,
    tables,
    topics,
    transaction_search,
    transactions,
)
from app.console.api.money_routes import MONEY_ROUTES
from app.console.api.route_kinds import REFUSED, action, get, post, webhook
from app.console.api.workflow_requests import WorkflowRequests
from app.entrypoints.requests import Entrypoint, load_entrypoints
from app.host.routes import Route
from app.registry import load_workflows
from workflows.shared.errors import DeclarationError


def of_workflow(entrypoint: Entrypoint) -> Iterator[Route]:
    """Yield the routes of one workflow's requests. Raises DeclarationError when there is none."""
    if entrypoint.workflow not in load_workflows():
        raise DeclarationError(
            f"the requests under {entrypoint.path}: there is no workflow {entrypoint.workflow}"
        )
    requests, start = WorkflowRequests(entrypoint), entrypoint.start
    name, key = entrypoint.workflow, load_workflows()[entrypoint.workflow].key
    one = f"{entrypoint.path}/{{{key}}}"
    yield post(
        entrypoint.write_scope,
        entrypoint.path,
        requests.start,
        start.summary,
        start.body,
        "Idempotency-Key",
    )
    listed = f"List {entrypoint.listed_as} by id"
    scope = entrypoint.read_scope
    asked = "state", "limit", "after"
    yield get(entrypoint.path, requests.listed, listed, *asked, scope=scope)
    yield get(one, requests.show, f"The status of one {name}", scope=scope)
    events = "The transaction, causes before effects"
    yield get(f"{one}/events", requests.events, events, scope=scope)
    for each in entrypoint.follow:
        handler = partial(requests.follow, each)
        scope = each.scope or entrypoint.write_scope
        yield post(scope, one + each.path, handler, each.summary, each.body)


def of_others() -> Iterator[Route]:
    """Yield the routes of commands and webhooks."""
    for command in load_entrypoints().commands:
        handler = partial(commands.command, command)
        yield post(command.scope, command.path, handler, command.summary, command.body)
    for each in load_entrypoints().webhooks:
        yield webhook(each.path, partial(commands.webhook, each), each.summary)


ROUTES = (
    *(route for each in load_entrypoints().workflows for route in of_workflow(each)),
    *of_others(),
    get(
        "/transactions",
        transaction_search.every,
        "Transactions by any id, by status, or the latest",
        *("q", "status", "after", "older"),
    ),
    get("/transactions/{order_id}", transactions.show, "All that is known of one", "at"),
    get("/tables", tables.every, "All tables and who holds them"),
    get("/tables/{name}", tables.page, "Rows of a table", "prefix", "limit", "after"),
    get("/tables/{name}/{key}", tables.row, "One row of a table", "partition"),
    get("/history/{name}/{key}", tables.past, "What a row was, from its changelog", "partition"),
    get("/topics", topics.every, "All topics, their sizes and retention", "internal"),
    get("/topics/{name}", topics.show, "One topic and its partitions"),
    get("/topics/{name}/records", topics.records, "Records that are wanted", *topics.ASKED),
    get(
        "/topics/{name}/find", topics.find, "A scan, streamed", *topics.ASKED, "follow", stream=True
    ),
    get("/topics/{name}/export", topics.export, "A scan as a file", *topics.ASKED, "format"),
    get("/groups", topics.all_groups, "Consumer groups: members, assignments, lag"),
    get("/groups/{name}", topics.one_group, "One consumer group"),
    get("/fraud/cases", fraud.every, "Cases, open ones first", "state", "limit", "skip"),
    get("/fraud/cases/{order_id}", fraud.show, "What a payment was judged by"),
    get("/fraud/rules", fraud_rules.every, "Rules, lists, snoozes as they stand", "hits"),
    get("/fraud/rules/{rule_id}", fraud_rules.show, "One rule and its history"),
    get(
        "/fraud/backtest",
        fraud_rules.backtest,
        "What a rule would have done",
        *("rule_id", "rule", "from"),
    ),
    get("/fraud/trial", fraud_rules.trial, "What is on trial beside what is in force", "from"),
    get("/dead-letters", dead_letters.show_groups, "Dead letters in groups", *dead_letters.FILTERS),
    get(
        "/dead-letters/list", dead_letters.show_some, "Dead letters", *dead_letters.FILTERS, "state"
    ),
    get(
        "/dead-letters/preview",
        dead_letters.show_preview,
        "What a redrive would touch",
        *dead_letters.FILTERS,
    ),
    get("/dead-letters/redrive", dead_letters.show_redrive, "How far the latest redrive is"),
    get("/dead-letters/{topic}/{partition}/{offset}", dead_letters.show_one, "One dead letter"),
    get("/flow-metrics", flow_metrics.show, "What flows where, how long steps take, who is behind"),
    get("/inbox", inbox.show, "Messages to customers", "order_id", "limit"),
    get("/faults", fault_injection.show, "Faults in force, and processes"),
    get("/figures", figures.show, "The live figures"),
    get(
        "/live",
        live.stream,
        "The live page as server-sent events: a snapshot, then changes",
        stream=True,
    ),
    get("/verify", health.verdict, "Whether the books balance"),
    get("/cases", open_cases.show, "What waits for the decision of an operator"),
    get("/invariants", invariants.show, "Balances that must be zero, verified again and again"),
    get("/livez", health.livez, "Whether the process answers", audience="machine"),
    get("/readyz", health.readyz, "Whether the console takes part", audience="machine"),
    Route(
        method="POST",
        path="/sign-in",
        handler=session.sign_in,
        audience="public",
        role=None,
        summary="Sign in",
        body=session.SignInAsked,
        answers=(200, *REFUSED),
    ),
    action("viewer", "/sign-out", session.sign_out, "Sign out", None, 204),
    get("/me", session.me, "Who is signed in", audience="public", answers=(200, 401, 429, 503)),
    *MONEY_ROUTES,
    action(
        "operator",
        "/operators/fraud/cases/{order_id}/decide",
        fraud_actions.decide,
        "Say whether a payment was fraud",
        fraud_actions.Decided,
    ),
    action(
        "operator",
        "/operators/fraud/rules",
        fraud_actions.put,
        "Propose a rule",
        fraud_actions.RuleAsked,
    ),
    action(
        "approver",
        "/operators/fraud/rules/{rule_id}/approve",
        fraud_actions.approve,
        "Make a rule active that somebody else proposed",
        fraud_actions.VersionAsked,
    ),
    action(
        "operator",
        "/operators/fraud/rules/{rule_id}/pause",
        fraud_actions.pause,
        "Let a rule say nothing",
        fraud_actions.VersionAsked,
    ),
    action(
        "operator",
        "/operators/fraud/rules/{rule_id}/snooze",
        fraud_actions.snooze,
        "Let a rule say nothing about one entity",
        fraud_actions.SnoozeAsked,
    ),
    action(
        "operator",
        "/operators/fraud/lists",
        fraud_actions.change_list,
        "Change a list",
        fraud_actions.ListAsked,
    ),
    action(
        "operator",
        "/operators/faults/{system}",
        fault_injection.switch,
        "Inject faults into an external system",
        fault_injection.FaultsAsked,
    ),
    action(
        "operator",
        "/operators/faults/{system}/clear",
        fault_injection.clear,
        "Let it do right again",
        fault_injection.WhyAsked,
    ),
    action(
        "operator",
        "/operators/processes/{name}/kill",
        fault_injection.kill,
        "Kill a process: only with fault injection",
        fault_injection.WhyAsked,
    ),
    action(
        "operator",
        "/operators/dead-letters/redrive",
        dead_letter_actions.redrive,
        "Send dead letters back",
        dead_letter_actions.RedriveAsked,
    ),
    action(
        "operator",
        "/operators/dead-letters/check",
        dead_letter_actions.check,
        "Try an edit",
        dead_letter_actions.EditAsked,
        200,
    ),
    action(
        "operator",
        "/operators/dead-letters/edit",
        dead_letter_actions.edit,
        "Send one changed",
        dead_letter_actions.EditAsked,
    ),
    action(
        "operator",
        "/operators/dead-letters/discard",
        dead_letter_actions.discard,
        "Discard dead letters",
        dead_letter_actions.ChoiceAsked,
    ),
    action(
        "operator",
        "/operators/orders-of-customer",
        customer_search.of_customer,
        "The ids of a customer's orders",
        customer_search.CustomerAsked,
        200,
    ),
    get(
        "/operators/reveal/{order_id}",
        operator_actions.reveal,
        "Personal fields in clear",
        "why",
        audience="operator",
        role="approver",
        answers=(200, 400, 401, 403, 404, 429, 503),
    ),
)
