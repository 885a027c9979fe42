"""What the document of the API says of requests is what the handlers check."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from app.console.api.openapi import describe
from app.console.api.routes import ROUTES
from app.entrypoints.order_bodies import SOLD_IN
from tests.support.seeded_console import Seeded, seeded
from workflows.shared.currencies import EXPONENTS, NO_CURRENCIES
from workflows.shared.provider_currencies import CURRENCIES, objection_to_currency

__all__ = ["seeded"]

DOCUMENT: Any = describe(ROUTES)
PYTHON_ALONE = re.compile(r"\\[AZzG]|\(\?P|\(\?[aiLmsux]+[):-]|\(\?#|\\N\{")
"""What a regular expression of JSON Schema, which is one of ECMA 262, cannot say."""
ODD_NAMES = ("a\u00a0b", "a\u200db", "\ue000", "\u0378", "caf\u00e9 1", "a|b")
"""Python calls most of them unprintable; messages take them as ids."""
WITH_REASON = sorted(
    path
    for path, methods in DOCUMENT["paths"].items()
    if path.startswith("/operators/") and "requestBody" in methods.get("post", {})
)


def values_of(part: Any, name: str) -> Iterator[Any]:
    """Yield every `name` in `part`."""
    if isinstance(part, dict):
        yield from [part[name]] if name in part else []
        for each in part.values():
            yield from values_of(each, name)
    elif isinstance(part, list):
        for each in part:
            yield from values_of(each, name)


def body_of(path: str) -> dict[str, Any]:
    """Return the schema of what is posted to `path`."""
    schema = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]


def test_every_pattern_is_one_for_all_languages() -> None:
    r"""`\Z` is a plain Z elsewhere than in Python: a client would refuse what is right."""
    patterns = {each for each in values_of(DOCUMENT, "pattern") if isinstance(each, str)}

    assert len(patterns) > 3
    assert set() == {each for each in patterns if PYTHON_ALONE.search(each)}
    assert PYTHON_ALONE.search(r"^[a-z]+\Z")


def test_the_currencies_that_are_named_are_those_that_are_sold_in() -> None:
    """All of them, and no other."""
    currencies = {*EXPONENTS, *NO_CURRENCIES, *CURRENCIES}

    assert sorted(each for each in currencies if not objection_to_currency(each)) == SOLD_IN
    assert SOLD_IN == body_of("/orders")["properties"]["currency"]["enum"]


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_an_id_that_a_message_takes_can_be_asked_for(seeded: Seeded, name: str) -> None:
    """Its row would be there, and nobody could read it."""
    seeded.site.queries.keep("stock", name, {"on_hand": 1})
    answer = await seeded.site.client.get(f"/tables/stock/{quote(name)}", headers=seeded.approver)

    assert 200 == answer.status, await answer.text()


@pytest.mark.parametrize("name", ["%01", "%C2%85", "%E2%80%A8", "x" * 201])
async def test_what_no_message_takes_as_an_id_is_refused(seeded: Seeded, name: str) -> None:
    """Control characters, line ends, and what is too long."""
    answer = await seeded.site.client.get(f"/orders/{name}", headers=seeded.approver)

    assert 400 == answer.status
    assert "order_id" == (await answer.json())["errors"][0]["field"]


@pytest.mark.parametrize("path", WITH_REASON)
async def test_spaces_are_no_reason(seeded: Seeded, path: str) -> None:
    """Of whatever an operator does; whoever reads the audit would know nothing."""
    schema = body_of(path)
    name = "why" if "why" in schema["properties"] else "reason"
    if path.endswith("/check"):
        assert name not in schema["required"]
        return
    assert r"\S" == schema["properties"][name]["pattern"]
    assert name in schema["required"]

    target = re.sub(r"\{\w+\}", "o1", path)
    answer = await seeded.site.client.post(target, json={name: " \t"}, headers=seeded.approver)

    assert 400 == answer.status
    assert name == (await answer.json())["errors"][0]["field"]


async def test_spaces_are_no_reason_to_see_what_is_masked(seeded: Seeded) -> None:
    """Nor would they be audited as one."""
    for path in ("/operators/reveal/o1", "/operators/dead-letters/reveal/orders.order.dead/0/0"):
        answer = await seeded.site.client.get(f"{path}?why=%20%20", headers=seeded.approver)

        assert 400 == answer.status
        assert "why" == (await answer.json())["errors"][0]["field"]


def test_a_webhook_says_where_its_signature_is() -> None:
    """And that it is needed."""
    paths = {
        path: path_item for path, path_item in DOCUMENT["paths"].items() if "/webhooks/" in path
    }
    parameters_by_path = {
        path: [
            (each["name"], each["in"], each["required"]) for each in path_item["post"]["parameters"]
        ]
        for path, path_item in paths.items()
    }

    assert {
        "/webhooks/carrier": [("X-Carrier-Signature", "header", True)],
        "/webhooks/provider": [("Stripe-Signature", "header", True)],
    } == parameters_by_path


async def test_a_filter_that_says_nothing_is_described(seeded: Seeded) -> None:
    """A form sends it so, and everything is listed."""
    parameters = DOCUMENT["paths"]["/dead-letters/list"]["get"]["parameters"]
    states = next(each["schema"]["enum"] for each in parameters if each["name"] == "state")
    status_by_state = {
        each: (await seeded.site.client.get(f"/dead-letters/list?state={each}")).status
        for each in (*states, "none-such")
    }

    assert {**dict.fromkeys(states, 200), "none-such": 400} == status_by_state
    assert "" in states
