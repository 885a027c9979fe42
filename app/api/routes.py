"""Every route of the API, said once: what is served and what is described are the same."""

from typing import Any

import msgspec

from app.api import (
    acting,
    figures,
    health,
    orders,
    proof,
    signing,
    stock,
    tables,
    topics,
    webhooks,
)
from app.api.problems import Handler


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
    get("/figures", figures.show, "The live figures"),
    get("/live", figures.live, "The live figures as server-sent events"),
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
    get(
        "/operators/reveal/{order_id}",
        acting.reveal,
        "Personal fields in clear",
        "why",
        answers=(200, 400, 401, 403, 404, 429, 503),
    ),
)
