"""The transactions of a customer, for operators.

The audit has a record of a revealed personal field for each transaction found.
"""

from collections import Counter
from typing import Annotated, TypedDict

import msgspec
from aiohttp import web

from app.console.api.access import operator_of
from app.console.api.audited_actions import audit
from app.console.api.operator_actions import WHY_MAX, Why
from app.console.api.problems import JsonResponse, json_response, read_body
from app.console.api.transaction_search import (
    PAGE_ROWS,
    PAGES_MAX,
    QUERY_CHARS_MAX,
    SHOWN_MAX,
    scan_rows,
)
from app.registry import load_workflows
from workflows.audit.messages import PersonalRevealed
from workflows.shared.personal import Personal
from workflows.shared.workflow import View

NOBODY = "no transaction"
"""What the audit of a search names that has found none."""


class CustomerAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /operators/orders-of-customer`."""

    customer_id: Personal[Annotated[str, msgspec.Meta(min_length=1, max_length=QUERY_CHARS_MAX)]]
    why: Why
    after: str = ""
    """The cursor of an earlier search."""


class FoundIds(TypedDict):
    """Ids that were found, what was read for them, and a cursor to go on."""

    ids: list[str]
    said: str
    next: str | None


async def of_customer(request: web.Request) -> JsonResponse[FoundIds]:
    """Return the ids of a customer's orders, after auditing who asks, and why."""
    body = await read_body(request, CustomerAsked)
    tables, first, after = _tables_of_people(body.after)
    scanned, ids = Counter[str](), dict[str, None]()
    following: str | None = None
    for table, views in tables.items():
        scanned[table] = 0
        async for row, _ in scan_rows(request, table, after):
            scanned[table] += 1
            if any(view.person_of(row["state"]) == body.customer_id for view in views):
                ids[row["key"]] = None
            if len(ids) == SHOWN_MAX or scanned.total() == PAGES_MAX * PAGE_ROWS:
                following = row["key"] if table == first else f"{table}|{row['key']}"
                break
        if following:
            break
        after = ""
    # Without a match too: that somebody is not a customer is an answer.
    for order_id in ids or (NOBODY,):
        action = PersonalRevealed(
            about=order_id,
            who=operator_of(request).name,
            why=body.why[:WHY_MAX],
            fields=("customer_id",),
        )
        await audit(request, action)
    sources_text = ", ".join(f"{count} {table}s" for table, count in scanned.items()) + " were read"
    return json_response({"ids": list(ids), "said": sources_text, "next": following})


def _tables_of_people(after: str) -> tuple[dict[str, list[View]], str, str]:
    """Return the tables to be read from `after` on, the name of the first, and the key there.

    Each has the views of the workflows that look for their customers in it: they may share one.
    """
    tables: dict[str, list[View]] = {}
    for workflow in load_workflows().values():
        tables.setdefault(workflow.view.person_table, []).append(workflow.view)
    names = list(tables)
    table_name, separator, key = after.partition("|")
    if not separator or table_name not in tables:
        return tables, names[0], after
    return {name: tables[name] for name in names[names.index(table_name) :]}, names[0], key
