"""The list of pages, and the files that they load."""

from aiohttp import web

from app.console.api.problems import PROBLEM_PAGE, Problem
from app.console.api.searches import reading
from app.console.pages import (
    cases,
    dead_letters,
    docs,
    fault_injection,
    flow,
    fraud,
    inbox,
    invariants,
    live,
    openid_sign_in,
    place_order,
    sign_in,
    tables,
    topics,
    transactions,
)
from app.console.pages.render import NAV, WEB, problem_page
from app.host.parameters import path_text
from app.host.routes import Audience, Handler, Route


async def asset(request: web.Request) -> web.FileResponse:
    """Return a script or a style."""
    folder = WEB / "vendor" if request.path.startswith("/web/vendor/") else WEB
    path = folder / path_text(request, "name")
    if path.parent != folder or path.suffix not in {".js", ".css"} or not path.is_file():
        raise Problem(404, "Not Found", "there is no such file")
    return web.FileResponse(path)


PAGES: tuple[tuple[str, str, Handler], ...] = (
    ("/", "Live", live.show),
    ("/console/transactions", "Transactions", reading(transactions.every)),
    ("/console/transactions/{order_id}", "", transactions.show),
    ("/console/topics", "Topics", reading(topics.every)),
    ("/console/topics/{name}", "", reading(topics.show)),
    ("/console/groups", "", reading(topics.all_groups)),
    ("/console/groups/{name}", "", reading(topics.one_group)),
    ("/console/tables", "Tables", tables.every),
    ("/console/tables/{name}", "", tables.rows),
    ("/console/tables/{name}/row", "", tables.row),
    ("/console/dead-letters", "Dead letters", dead_letters.every),
    ("/console/dead-letters/redrive", "", dead_letters.redrive),
    ("/console/dead-letters/{topic}/{partition}/{offset}", "", dead_letters.show),
    ("/console/fraud", "Fraud", reading(fraud.cases)),
    ("/console/fraud/cases/{order_id}", "", reading(fraud.one_case)),
    ("/console/fraud/rules", "", reading(fraud.rules)),
    ("/console/fraud/rules/{rule_id}", "", reading(fraud.one_rule)),
    ("/console/fraud/propose", "", fraud.propose),
    ("/console/fraud/lists", "", reading(fraud.lists)),
    ("/console/fraud/trial", "", reading(fraud.trial)),
    ("/console/cases", "Cases", cases.show),
    ("/console/invariants", "Invariants", invariants.show),
    ("/console/inbox", "Inbox", inbox.show),
    ("/console/flow", "Flow", flow.show),
    ("/console/faults", "Faults", fault_injection.show),
    ("/console/place", "", place_order.show),
)
"""Pages for readers: path, name in the head of every page ("" for none), handler."""

PUBLIC_PAGES: tuple[tuple[str, Handler], ...] = (
    ("/console/sign-in", sign_in.show),
    ("/console/sign-in/with", openid_sign_in.begin),
    ("/console/sign-in/done", openid_sign_in.done),
    ("/docs", docs.show),
    ("/web/{name}", asset),
    ("/web/vendor/{name}", asset),
)
"""Pages for everybody, and what pages load: path, handler."""


def add_pages(app: web.Application) -> None:
    """Show every page in the head of each, and problems as pages."""
    app[NAV] = tuple((path, name) for path, name, _ in PAGES if name)
    app[PROBLEM_PAGE] = problem_page


def page_routes() -> tuple[Route, ...]:
    """Return the routes of pages and of what they load.

    A page shows what the API returns to readers, with personal data masked.
    """
    pages: tuple[tuple[str, Handler, Audience], ...] = (
        *((path, handler, "reader") for path, _, handler in PAGES),
        *((path, handler, "public") for path, handler in PUBLIC_PAGES),
    )
    return tuple(
        Route(method=method, path=path, handler=handler, audience=audience, role=None)
        for path, handler, audience in pages
        for method in ("GET", "HEAD")
    )
