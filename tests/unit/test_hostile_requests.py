"""Requests that no client would send: each is refused with what is wrong with it, none is a 500."""

import re

import pytest

from app.console.api.routes import ROUTES
from app.console.pages.site import page_routes
from tests.support.console import queries
from tests.support.operators_site import Site, site
from tests.support.raw_requests import raw_answer

__all__ = ["queries", "site"]

MANY = "9" * 5_000
"""Digits: Python refuses to read so many as a number."""
JSON = b"Content-Type: application/json"
GETS = sorted(
    {
        route.path
        for route in (*ROUTES, *page_routes())
        if route.method == "GET" and not route.stream and route.path != "/verify"
    }
)


@pytest.mark.parametrize("origin", [b"http://[", b"http://[::1", b"null", b"http://\xe2\x84\x80"])
async def test_a_broken_origin_is_another_page(site: Site, origin: bytes) -> None:
    """Also one that Python cannot parse."""
    status, _ = await raw_answer(
        site.client, "POST", "/sign-in", [b"Origin: " + origin, JSON], b"{}"
    )

    assert 403 == status


@pytest.mark.parametrize(
    ("path", "header"),
    [
        pytest.param("/webhooks/provider", b"Stripe-Signature: t=1,v1=\xff", id="a signature"),
        pytest.param("/webhooks/carrier", b"X-Carrier-Signature: \xff", id="of the carrier"),
        pytest.param("/orders", b"Idempotency-Key: \xff", id="an idempotency key"),
        pytest.param("/sign-in", b"Cookie: payflow_session=\xff", id="a cookie"),
        pytest.param("/orders", b"Authorization: Bearer pfk_\xff", id="a key"),
        pytest.param("/orders", b"Content-Type: application/json; charset=\xff", id="a type"),
    ],
)
async def test_a_header_that_is_no_text_is_named(site: Site, path: str, header: bytes) -> None:
    """The answer is a problem, like every other."""
    status, answer = await raw_answer(site.client, "POST", path, [header], b"{}")

    assert 400 == status
    assert b"application/problem+json" in answer
    assert header.partition(b":")[0] + b" is not UTF-8 text" in answer


async def test_no_number_has_thousands_of_digits(site: Site) -> None:
    """Wherever a number is read."""
    key = site.machine("admin")["Authorization"]
    targets = [
        "/orders?limit=",
        "/inbox?limit=",
        "/fraud/cases?skip=",
        "/transactions?older=",
        "/transactions/o1?at=",
        "/tables/order?limit=",
        "/history/order/o1?partition=",
        "/topics/orders/records?limit=",
        "/topics/orders/records?from=latest:",
        "/topics/orders/records?cursor=0/",
        "/dead-letters/orders.dead/0/",
    ]
    answers = [
        await raw_answer(site.client, "GET", each + MANY, [f"Authorization: {key}".encode()])
        for each in targets
    ]

    assert [400] * len(targets) == [status for status, _ in answers]


async def test_no_path_is_a_500(site: Site) -> None:
    """Long ones, bytes that are not text, control characters."""
    key = f"Authorization: {site.machine('admin')['Authorization']}".encode()
    parts = ["x" * 5_000, "%ff", "%00", "%ED%A0%80", MANY]
    status_by_path = {}
    for path in (each for each in GETS if "{" in each):
        for part in parts:
            target = re.sub(r"\{\w+\}", part, path, count=1)
            target = re.sub(r"\{\w+\}", "x", target)
            status, _ = await raw_answer(site.client, "GET", target, [key])
            status_by_path[path, part[:10]] = status

    assert {} == {
        each: status for each, status in status_by_path.items() if status not in {400, 404, 503}
    }


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"none such"])
async def test_no_compressed_body_is_read(site: Site, encoding: bytes) -> None:
    """Broken or not: the answer says how to send it."""
    headers = [b"Content-Encoding: " + encoding, JSON]
    status, answer = await raw_answer(site.client, "POST", "/sign-in", headers, b"\x1f\x8b\x08")

    assert 415 == status
    assert b"without a Content-Encoding" in answer


async def test_every_get_has_a_head(site: Site) -> None:
    """With the same status, and no body."""
    key = f"Authorization: {site.machine('admin')['Authorization']}".encode()
    for path in ("/orders", "/tables", "/livez", "/me", "/console/sign-in", "/none"):
        status, _ = await raw_answer(site.client, "GET", path, [key])
        answer_status, answer = await raw_answer(site.client, "HEAD", path, [key])

        assert (path, status, b"") == (path, answer_status, answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("OPTIONS", "/orders", 204, b"Allow: GET, HEAD, OPTIONS, POST"),
        ("OPTIONS", "/operators/fraud/lists", 204, b"Allow: OPTIONS, POST"),
        ("DELETE", "/orders", 405, b"Allow: GET, HEAD, OPTIONS, POST"),
        ("GET", "/operators/fraud/lists", 405, b"Allow: OPTIONS, POST"),
    ],
)
async def test_a_method_that_is_not_there_needs_no_key(
    site: Site, method: str, path: str, status: int, allowed: bytes
) -> None:
    """The answer names those that are."""
    answer_status, answer = await raw_answer(site.client, method, path)

    assert status == answer_status
    assert allowed in answer


@pytest.mark.parametrize(
    ("target", "field"),
    [
        pytest.param("/orders?limt=1", "limt", id="a typing mistake"),
        pytest.param("/me?x=1", "x", id="where there is none"),
        pytest.param("/orders?Idempotency-Key=1", "Idempotency-Key", id="a header"),
        pytest.param("/fraud/cases?state=openn", "state", id="no state of a case"),
        pytest.param("/transactions?status=lost", "status", id="no status"),
        pytest.param("/orders?limit=1&limit=2", "limit", id="said twice"),
        pytest.param("/fraud/rules?hits=yes", "hits", id="neither 0 nor 1"),
    ],
)
async def test_what_would_be_ignored_is_refused(site: Site, target: str, field: str) -> None:
    """A filter with a typing mistake would show everything."""
    answer = await site.client.get(target, headers=site.machine("admin"))
    problem = await answer.json()

    assert (400, field) == (answer.status, problem["errors"][0]["field"])


@pytest.mark.parametrize(
    ("body", "phrase", "absent_phrase"),
    [
        pytest.param(b'{"country": ', "JSON syntax error", "regex", id="half a body"),
        pytest.param(b"\xff", "JSON syntax error", "regex", id="no text"),
        pytest.param(
            b'{"country": "France", "currency": "pounds", "lines": []}',
            "the form that /openapi.json describes",
            "regex",
            id="a currency that is none",
        ),
    ],
)
async def test_messages_are_for_people(
    site: Site, body: bytes, phrase: str, absent_phrase: str
) -> None:
    """They name a syntax error, and show no regular expression."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    answer = await site.client.post("/orders", data=body, headers=headers)
    text = await answer.text()

    assert 400 == answer.status
    assert phrase in text
    assert absent_phrase not in text
