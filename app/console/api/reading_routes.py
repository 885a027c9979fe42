"""The routes that read, for every allowed reader."""

from app.console.api import (
    dead_letters,
    fault_injection,
    figures,
    flow_metrics,
    fraud,
    fraud_rules,
    health,
    inbox,
    invariants,
    live,
    open_cases,
    tables,
    topics,
    transaction_search,
    transactions,
)
from app.console.api.route_kinds import get
from app.console.api.searches import reading

READING_ROUTES = (
    get(
        "/transactions",
        reading(transaction_search.every),
        "Transactions by any id, by status, or the latest",
        *("q", "status", "after", "older"),
    ),
    get("/transactions/{order_id}", transactions.show, "All that is known of one", "at"),
    get("/tables", tables.every, "All tables and who holds them"),
    get("/tables/{name}", tables.page, "Rows of a table", "prefix", "limit", "after"),
    get("/tables/{name}/{key}", tables.row, "One row of a table", "partition"),
    get("/history/{name}/{key}", tables.past, "What a row was, from its changelog", "partition"),
    get("/topics", reading(topics.every), "All topics, their sizes and retention", "internal"),
    get("/topics/{name}", reading(topics.show), "One topic and its partitions"),
    get("/topics/{name}/records", topics.records, "Records that are wanted", *topics.ASKED),
    get(
        "/topics/{name}/find", topics.find, "A scan, streamed", *topics.ASKED, "follow", stream=True
    ),
    get(
        "/topics/{name}/export",
        topics.export,
        "A scan as a file",
        *topics.ASKED,
        "format",
        media=("application/x-ndjson", "text/csv"),
    ),
    get("/groups", reading(topics.all_groups), "Consumer groups: members, assignments, lag"),
    get("/groups/{name}", reading(topics.one_group), "One consumer group"),
    get("/fraud/cases", reading(fraud.every), "Cases, open ones first", "state", "limit", "skip"),
    get("/fraud/cases/{order_id}", reading(fraud.show), "What a payment was judged by"),
    get("/fraud/rules", reading(fraud_rules.every), "Rules, lists and snoozes in force", "hits"),
    get("/fraud/rules/{rule_id}", reading(fraud_rules.show), "One rule and its history"),
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
    get(
        "/livez",
        health.livez,
        "Whether the process answers",
        audience="machine",
        answers=(200, 400),
    ),
    get(
        "/readyz",
        health.readyz,
        "Whether the console takes part",
        audience="machine",
        answers=(200, 400, 503),
        plain=(503,),
    ),
)
