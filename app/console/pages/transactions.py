"""The pages of transactions: a list, and one of them as a whole."""

import secrets
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from aiohttp import web

from app.console.api import transaction_search, transactions
from app.console.api.context import CONTEXT
from app.console.pages.drawing import DRAWN_MAX, graph, span_of, waterfall
from app.console.pages.render import page
from app.console.pages.tables import pretty
from app.entrypoints.requests import entrypoint_of
from app.host.parameters import path_name, text_of
from workflows.shared.limits import EVIDENCE_CHARS_MAX
from workflows.shared.timeline import Bar

LINES_MAX = 50
"""Lines of items on the page."""
CHARS_MAX = 4_000
"""Characters of a body or a row on the page, which links to the whole."""
REFRESH_MS = 10_000
"""How long after its latest event the page of an ended transaction still refreshes."""
EARLIER_MS = 1_000
"""The time of a record may be so much before the time of its event."""


async def every(request: web.Request) -> web.Response:
    """Return the latest orders, those of one status, or those that an id belongs to."""
    facts = await transaction_search.search(request)
    text = text_of(request, "q").strip()
    if facts["ids"] == [text]:
        raise web.HTTPSeeOther(f"/console/transactions/{quote(text, safe='')}")
    status = text_of(request, "status")
    following = facts["next"]
    if following is not None:
        parameters = {"status": status, "after": following} if status else {"older": following}
        following = urlencode(parameters)
    return await page(
        request,
        "transactions.html",
        title="Transactions",
        q=text,
        chosen=status,
        first=not (status or text or text_of(request, "older", "0") != "0"),
        statuses=transaction_search.statuses(),
        presets=transaction_search.presets(),
        following=following,
        ids=facts["ids"],
        orders=facts["orders"],
        said=facts["said"],
    )


async def show(request: web.Request) -> web.Response:
    """Return one transaction. `at`: the rows as they were when event number `at` was emitted."""
    about = await transactions.transaction(request, path_name(request, "order_id"))
    drawn_bars = about.bars[:DRAWN_MAX]
    return await page(
        request,
        "transaction.html",
        title=f"{about.workflow.name.capitalize()} {about.id}",
        about=about,
        entrypoint=entrypoint_of(about.workflow.name),
        order=about.facts,
        bars=about.bars,
        moves=_moves(about, request.app[CONTEXT].now_ms()),
        drawn=drawn_bars,
        waterfall=waterfall(drawn_bars),
        graph=graph(drawn_bars),
        spans=[span_of(bar.entry.traceparent) for bar in about.bars],
        topics=[_topic_link(bar) for bar in about.bars],
        refund_id=secrets.token_hex(4),
        lines_max=LINES_MAX,
        text_max=EVIDENCE_CHARS_MAX,
        brief=brief,
    )


def _moves(about: transactions.Transaction, now_ms: int) -> bool:
    """Return whether the page refreshes: after the end, the journal may still get events.

    A case may be decided by somebody else.
    """
    latest_ms = max((bar.entry.time_ms for bar in about.bars), default=now_ms)
    is_open = about.open or bool(about.cases)
    return not about.at and (is_open or now_ms - latest_ms < REFRESH_MS)


def _topic_link(bar: Bar) -> tuple[str, str]:
    """Return the topic of an event, and the query that finds it there; empty where it has none."""
    topic = transactions.topic_name_of(bar.entry.type)
    if not topic:
        return "", ""
    try:
        at = datetime.fromtimestamp((bar.entry.time_ms - EARLIER_MS) / 1_000, UTC)
    except (OverflowError, ValueError, OSError):
        return topic, urlencode({"q": f"header.ce_id:{bar.entry.id}"})
    since = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return topic, urlencode({"q": f"header.ce_id:{bar.entry.id}", "from": since})


def brief(value: object) -> str:
    """Return `value` as indented JSON, cut if it is long."""
    text = pretty(value)
    if len(text) <= CHARS_MAX:
        return text
    return f"{text[:CHARS_MAX]}\n… and {len(text) - CHARS_MAX} characters more"
