"""Every route of the API, said once: what is served and what is described are the same."""

from typing import Any

import msgspec

from app.console.api import dead_letter_actions as letter_acts
from app.console.api import dead_letters as letters
from app.console.api import fault_injection as lab
from app.console.api import (
    figures,
    fraud,
    fraud_rules,
    health,
    inbox,
    live,
    orders,
    stock,
    tables,
    topics,
    transactions,
    webhooks,
)
from app.console.api import flow_metrics as pulse
from app.console.api import fraud_actions as fraud_acts
from app.console.api import invariants as proof
from app.console.api import operator_actions as acting
from app.console.api import session as signing
from app.console.api import transaction_search as transactions_found
from app.console.api.problems import Handler


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: str
    path: str
    handler: Handler
    summary: str
    body: Any = None
    answers: tuple[int, ...] = (200,)
    parameters: tuple[str, ...] = ()
    """Query parameters, and headers (which begin with a capital)."""


def get(path: str, handler: Handler, summary: str, *parameters: str, **more: Any) -> Route:
    """Return a route that reads."""
    facts = {"answers": (200, 400, 404, 503), **more}
    return Route(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        parameters=parameters,
        **facts,
    )


def act(path: str, handler: Handler, summary: str, body: Any, answer: int = 202) -> Route:
    """Return a route for operators; who may use it is said in `acting.LEAST`."""
    refused = (400, 401, 403, 404, 409, 413, 415, 429, 503)
    return Route(
        method="POST",
        path=path,
        handler=handler,
        summary=summary,
        body=body,
        answers=(answer, *refused),
    )


def post(path: str, handler: Handler, summary: str, body: Any, *parameters: str) -> Route:
    """Return a route that tells."""
    return Route(
        method="POST",
        path=path,
        handler=handler,
        summary=summary,
        body=body,
        parameters=parameters,
        answers=(202, 400, 404, 413, 415, 422, 503),
    )


ROUTES = (
    post("/orders", orders.place, "Place an order", orders.OrderAsked, "Idempotency-Key"),
    get("/orders", orders.listed, "List orders by id", "state", "limit", "after"),
    get("/orders/{order_id}", orders.show, "How an order stands"),
    get("/orders/{order_id}/events", orders.events, "The transaction, causes before effects"),
    post("/orders/{order_id}/cancel", orders.cancel, "Ask to cancel", orders.CancelAsked),
    post("/orders/{order_id}/returns", orders.give_back, "Ask to return", orders.ReturnAsked),
    get(
        "/transactions",
        transactions_found.every,
        "Transactions by any id, by where they stand, or the latest",
        *("q", "status", "after", "older"),
    ),
    get("/transactions/{order_id}", transactions.show, "All that is known of one", "at"),
    post("/stock/receipts", stock.receive, "Receive goods", stock.ReceiptAsked),
    post("/stock/adjustments", stock.adjust, "Correct a count", stock.AdjustmentAsked),
    get("/tables", tables.every, "All tables and who holds them"),
    get("/tables/{name}", tables.page, "Rows of a table", "prefix", "limit", "after"),
    get("/tables/{name}/{key}", tables.row, "One row of a table"),
    get("/history/{name}/{key}", tables.past, "What a row was, from its changelog", "partition"),
    get("/topics", topics.every, "All topics, their sizes and retention", "internal"),
    get("/topics/{name}", topics.show, "One topic and its partitions"),
    get("/topics/{name}/records", topics.records, "Records that are wanted", *topics.ASKED),
    get("/topics/{name}/find", topics.find, "A scan, streamed", *topics.ASKED, "follow"),
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
    get("/letters", letters.show_groups, "Dead letters in groups", *letters.FILTERS),
    get("/letters/list", letters.show_some, "Dead letters", *letters.FILTERS, "state"),
    get("/letters/preview", letters.show_preview, "What a redrive would touch", *letters.FILTERS),
    get("/letters/redrive", letters.show_redrive, "How far the latest redrive is"),
    get("/letters/{topic}/{partition}/{offset}", letters.show_one, "One dead letter"),
    get("/pulse", pulse.show, "What flows where, how long steps take, who is behind"),
    get("/inbox", inbox.show, "Messages to customers", "order_id", "limit"),
    get("/faults", lab.show, "Faults in force, and processes: of a lab alone"),
    get("/figures", figures.show, "The live figures"),
    get("/live", live.stream, "The live page as server-sent events: a snapshot, then changes"),
    get("/verify", health.verdict, "Whether the books balance"),
    get("/proof", proof.show, "Balances that must be zero, looked at again and again"),
    get("/livez", health.livez, "Whether the process answers"),
    get("/readyz", health.readyz, "Whether the console takes part"),
    post("/webhooks/provider", webhooks.provider, "For the payment provider", dict[str, Any]),
    post("/webhooks/carrier", webhooks.carrier, "For the carrier", dict[str, Any]),
    act("/sign-in", signing.sign_in, "Sign in", signing.SignInAsked, 200),
    act("/sign-out", signing.sign_out, "Sign out", None, 204),
    get("/me", signing.me, "Who is signed in", answers=(200, 401, 429, 503)),
    act(
        "/operators/orders/{order_id}/cancel",
        acting.cancel,
        "Cancel as an operator",
        acting.CancelByOperator,
    ),
    act(
        "/operators/orders/{order_id}/refund",
        acting.refund,
        "Give money back, or propose it",
        acting.RefundAsked,
    ),
    act(
        "/operators/orders/{order_id}/refund/{refund_id}/approve",
        acting.approve,
        "Approve what somebody else proposed",
        acting.ApprovalAsked,
    ),
    act(
        "/operators/fraud/cases/{order_id}/decide",
        fraud_acts.decide,
        "Say whether a payment was fraud",
        fraud_acts.Decided,
    ),
    act("/operators/fraud/rules", fraud_acts.put, "Propose a rule", fraud_acts.RuleAsked),
    act(
        "/operators/fraud/rules/{rule_id}/approve",
        fraud_acts.approve,
        "Make a rule active that somebody else proposed",
        fraud_acts.VersionAsked,
    ),
    act(
        "/operators/fraud/rules/{rule_id}/pause",
        fraud_acts.pause,
        "Let a rule say nothing",
        fraud_acts.VersionAsked,
    ),
    act(
        "/operators/fraud/rules/{rule_id}/snooze",
        fraud_acts.snooze,
        "Let a rule say nothing about one party",
        fraud_acts.SnoozeAsked,
    ),
    act("/operators/fraud/lists", fraud_acts.change_list, "Change a list", fraud_acts.ListAsked),
    act("/operators/faults/{party}", lab.switch, "Make a party do wrong", lab.FaultsAsked),
    act("/operators/faults/{party}/clear", lab.clear, "Let it do right again", lab.WhyAsked),
    act("/operators/processes/{name}/kill", lab.kill, "Kill a process of a lab", lab.WhyAsked),
    act(
        "/operators/letters/redrive",
        letter_acts.redrive,
        "Send letters back",
        letter_acts.RedriveAsked,
    ),
    act("/operators/letters/check", letter_acts.check, "Try an edit", letter_acts.EditAsked, 200),
    act("/operators/letters/edit", letter_acts.edit, "Send one changed", letter_acts.EditAsked),
    act("/operators/letters/drop", letter_acts.drop, "Let letters go", letter_acts.ChoiceAsked),
    act(
        "/operators/orders-of-customer",
        transactions_found.of_customer,
        "The ids of a customer's orders",
        transactions_found.CustomerAsked,
        200,
    ),
    get(
        "/operators/reveal/{order_id}",
        acting.reveal,
        "Personal fields in clear",
        "why",
        answers=(200, 400, 401, 403, 404, 429, 503),
    ),
)
