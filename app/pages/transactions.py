"""Transactions: the latest, those that need somebody, and one of them as a whole."""

from typing import Any
from urllib.parse import quote

from aiohttp import web

from app.api import transactions as api
from app.api.problems import Problem, path_name, whole
from app.pages.drawing import graph, span_of, waterfall
from app.pages.render import page
from app.pages.tables import pretty

STATUSES = ("stuck", "compensating", "retrying", "waiting", "cancelled", "completed")
QUERY_CHARS_MAX = 200


async def every(request: web.Request) -> web.Response:
    """Return the latest orders, those of one status, or those that an id may mean."""
    text = request.query.get("q", "").strip()
    status, after = request.query.get("status", ""), request.query.get("after", "")
    if status and status not in STATUSES:
        raise Problem(400, "Bad Request", f"status is one of {', '.join(STATUSES)}", field="status")
    facts: dict[str, Any] = {"following": None, "ids": None}
    if text:
        if len(text) > QUERY_CHARS_MAX or not text.isprintable():
            raise Problem(400, "Bad Request", "this is no id", field="q")
        ids, said = await api.sought(request, text)
        if ids == [text]:
            raise web.HTTPSeeOther(f"/console/transactions/{quote(text, safe='')}")
        facts |= {"ids": ids, "orders": [], "said": said}
    elif status:
        orders, said, following = await api.standing(request, status, after)
        facts |= {"orders": orders, "said": said, "following": following}
    else:
        orders, said = await api.recent(request)
        facts |= {"orders": orders, "said": said}
    return await page(
        request,
        "transactions.html",
        title="Transactions",
        q=text,
        chosen=status,
        statuses=STATUSES,
        **facts,
    )


async def show(request: web.Request) -> web.Response:
    """Return one transaction. `at`: the rows as they were when event number `at` was told."""
    order_id = path_name(request, "order_id")
    order = await api.order_of(request, order_id)
    bars, partial = await api.bars_of(request, order_id)
    if order is None and not bars:
        detail = f"nobody knows an order {order_id!r}. If it was placed this moment: try again"
        raise Problem(404, "Not Found", detail, field="order_id")
    at = whole(request, "at", 0, 0, len(bars))
    moment_ms = bars[at - 1].entry.time_ms if at else 0
    rows = (
        await api.participants_at(request, order_id, moment_ms)
        if at
        else await api.participants(request, order_id)
    )
    return await page(
        request,
        "transaction.html",
        title=f"Order {order_id}",
        order_id=order_id,
        order=order,
        bars=bars,
        partial=partial,
        waterfall=waterfall(bars),
        graph=graph(bars),
        spans=[span_of(bar.entry.traceparent) for bar in bars],
        rows=rows,
        at=at,
        moment_ms=moment_ms,
        json=pretty,
    )
