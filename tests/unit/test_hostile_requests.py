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
    assert header.partition(b":")[0] + b" is no UTF-8 text" in answer


async def test_no_number_has_thousands_of_digits(site: Site) -> None:
    """Wherever a number is read."""
    key = site.machine("admin")["Authorization"]
    asked = [
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
    found = [
        await raw_answer(site.client, "GET", each + MANY, [f"Authorization: {key}".encode()])
        for each in asked
    ]

    assert [400] * len(asked) == [status for status, _ in found]


async def test_no_path_is_a_500(site: Site) -> None:
    """Long ones, bytes that are no text, control characters."""
    key = f"Authorization: {site.machine('admin')['Authorization']}".encode()
    parts = ["x" * 5_000, "%ff", "%00", "%ED%A0%80", MANY]
    found = {}
    for path in (each for each in GETS if "{" in each):
        for part in parts:
            target = re.sub(r"\{\w+\}", part, path, count=1)
            target = re.sub(r"\{\w+\}", "x", target)
            status, _ = await raw_answer(site.client, "GET", target, [key])
            found[path, part[:10]] = status

    assert {} == {each: status for each, status in found.items() if status not in {400, 404, 503}}


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"none such"])
async def test_no_compressed_body_is_read(site: Site, encoding: bytes) -> None:
    """Broken or not: the answer says how to send it."""
    headers = [b"Content-Encoding: " + encoding, JSON]
    status, answer = await raw_answer(site.client, "POST", "/sign-in", headers, b"\x1f\x8b\x08")

    assert 415 == status
    assert b"without a Content-Encoding" in answer
