"""Hostile messages to every route and in every field: never our fault, never run, never obeyed."""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import Page

from app.console.api.routes import ROUTES
from app.console.pages.site import PAGES, PUBLIC_PAGES
from tests.browser.demo import Demo, put, wait_for

SCRIPT = "<script>alert(1)</script>"
IMAGE = "'\"><img src=x onerror=alert(2)>"
MESSAGES = (
    SCRIPT,
    IMAGE,
    "../../etc/passwd",
    "o1\r\nSet-Cookie: a=b",
    "\x00",
    "{{7*7}}${7*7}",
    "' OR 1=1 --",
    "-1",
    "9" * 400,
    "javascript:alert(1)",
    "💣" * 60,
)
BODIES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"[" * 20_000,
    b'{"a":' * 5_000,
    b'{"__proto__": {"role": "approver"}, "reason": "x"}',
    b'{"name": "admin\\u0000", "token": ["x"], "reason": {"$gt": ""}}',
    b"\xff\xfe\x00",
)
QUERY = ("q", "cel", "from", "cursor", "limit", "after", "prefix", "state", "why", "format", "at")
OPEN = frozenset({"/sign-in", "/webhooks/provider", "/webhooks/carrier"})
"""Routes that act and authenticate in a way of their own."""


class Elements(HTMLParser):
    """What a page would run: scripts of its own text, and handlers on elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        record = dict(attrs)
        self.found += [name for name in record if name.startswith(("on", "style"))]
        if tag == "script" and not str(record.get("src", "")).startswith("/web/"):
            self.found.append(tag)
        if tag in {"iframe", "object", "embed", "base"}:
            self.found.append(tag)
        self.found += [
            str(value)
            for name, value in record.items()
            if name in {"href", "src", "action"} and str(value).strip().lower().startswith("java")
        ]


def assert_harmless(answer: requests.Response) -> None:
    """No fault of ours, and nothing that a browser would run."""
    assert answer.status_code != 500, (answer.url, answer.text[:500])
    kind = answer.headers["Content-Type"].partition(";")[0]
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    assert "a" not in answer.cookies
    if kind == "text/html":
        parser = Elements()
        parser.feed(answer.text)
        assert [] == parser.found, answer.url


def answer_of(demo: Demo, method: str, path: str, **record: Any) -> requests.Response:
    """Return the answer; of a stream, what comes at once."""
    answer = requests.request(method, demo.url + path, timeout=30, stream=True, **record)
    if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        answer.close()
        answer._content = b""
    return answer


def filled(path: str, message: str) -> str:
    """Return `path` with `message` in each place that takes one."""
    return "/".join(
        quote(message, safe="") if part.startswith("{") else part for part in path.split("/")
    )


PAGE_PATHS = (
    *(path for path, _, _ in PAGES),
    *(path for path, _ in PUBLIC_PAGES if path.startswith("/console/")),
)
PATHS = frozenset(PAGE_PATHS)
PAGE_TRIES = 3
"""Tries of each page with a message in all parameters at once: pages take longer than routes."""
READ: dict[str, tuple[str, ...]] = {
    **{route.path: route.parameters for route in ROUTES if route.method == "GET"},
    **dict.fromkeys(PATHS, ()),
}
"""Every path that reads, with the parameters that it is asked with."""
ACTIONS = sorted((route.method, route.path) for route in ROUTES if route.method != "GET")
CLOSED = {
    (route.method, route.path) for route in ROUTES if route.audience in ("operator", "client")
}


@pytest.mark.parametrize("path", sorted(READ))
def test_no_message_in_a_path_or_a_query_hurts(demo: Demo, path: str) -> None:
    """Of every route that reads, the pages among them."""
    for message in MESSAGES if "{" in path else ("",):
        assert_harmless(answer_of(demo, "GET", filled(path, message)))
    plain = filled(path, "orders")
    for message in MESSAGES[:PAGE_TRIES] if path in PATHS else ():
        assert_harmless(answer_of(demo, "GET", plain, params=dict.fromkeys(QUERY, message)))
    for number, name in enumerate(READ[path]):
        assert_harmless(
            answer_of(demo, "GET", plain, params={name: MESSAGES[number % len(MESSAGES)]})
        )


@pytest.mark.parametrize(("method", "path"), ACTIONS)
def test_no_body_hurts_and_none_acts_without_a_right(demo: Demo, method: str, path: str) -> None:
    """Nobody signed in: refused before anything is read."""
    authorized = (method, path) in CLOSED
    for body in BODIES:
        answer = answer_of(
            demo,
            method,
            filled(path, "o1"),
            data=body,
            headers={"Content-Type": "application/json", "Idempotency-Key": "k"},
        )
        assert_harmless(answer)
        assert answer.status_code >= 400
        assert not authorized or answer.status_code in {401, 429}, answer.text


def hostile_order(demo: Demo) -> str:
    """Place an order that says a script wherever it may say anything; return its id."""
    lines = [
        {"sku": IMAGE, "quantity": 1, "unit_price_minor": 100, "description": SCRIPT},
        {"sku": SCRIPT, "quantity": 1, "unit_price_minor": 100, "description": IMAGE},
    ]
    body = {
        "country": "GB",
        "currency": "GBP",
        "lines": lines,
        "payment_method": "pm_card_visa",
        "customer_id": IMAGE,
        "reference": SCRIPT,
        "charges": [{"code": SCRIPT, "amount_minor": 5}],
        "origin": {"card_id": SCRIPT, "device_id": IMAGE, "terminal_id": IMAGE},
    }
    shelf = {"receipt_id": IMAGE, "items": [{"sku": each["sku"], "quantity": 9} for each in lines]}
    shop = {"Authorization": f"Bearer {demo.client_key()}"}
    received = requests.post(f"{demo.url}/stock/receipts", json=shelf, headers=shop, timeout=30)
    assert received.ok, received.text
    placed = requests.post(
        f"{demo.url}/orders",
        json=body,
        headers={"Idempotency-Key": SCRIPT, **shop},
        timeout=30,
    )
    assert placed.ok, placed.text
    return placed.json()["order_id"]


def test_a_script_in_every_field_stays_text(demo: Demo, page: Page) -> None:
    """Orders, stock, dead letters, headers: shown on every page, run on none."""
    ran: list[str] = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    order_id = hostile_order(demo)
    put(demo, "orders", SCRIPT.encode(), IMAGE.encode(), [("ce_id", SCRIPT.encode())])
    put(demo, "payments", IMAGE.encode(), SCRIPT.encode(), [(IMAGE, IMAGE.encode())])
    wait_for(lambda: demo.ask(f"/orders/{order_id}")["state"] != "accepted", "the order's row")
    wait_for(lambda: demo.ask(f"/orders/{order_id}/events").get("events"), "its events")

    paths = [path for path in PAGE_PATHS if "{" not in path] + [
        f"/console/transactions/{order_id}",
        "/console/topics/orders?limit=50",
        "/console/topics/orders.order.dead",
        "/console/tables/stock",
        "/console/tables/order",
        f"/console/tables/order/{order_id}",
        f"/console/topics/{quote(IMAGE, safe='')}",
        f"/console/transactions?q={quote(SCRIPT)}",
    ]
    for path in paths:
        page.goto(demo.url + path)
        page.wait_for_timeout(500)
        assert 0 == page.locator("img[src=x], main script").count(), path
    assert [] == ran
