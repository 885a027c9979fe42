"""Every answer is what the document of the API says: on a console that knows of everything."""

import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from app.console.api.openapi import describe
from app.console.api.routes import ROUTES
from app.host.routes import Route
from tests.support.seeded_console import GROUP, TOPIC, Seeded, seeded

__all__ = ["seeded"]

PATHS = {
    "order_id": "o1",
    "name": "order",
    "key": "o1",
    "rule_id": "seen.before",
}
"""What stands in a path for its parameters."""
TARGETS = {
    "/dead-letters/{topic}/{partition}/{offset}": (
        "/dead-letters/orders.order.dead/0/0",
        "/dead-letters/orders.order.dead/0/1",
    ),
    "/fraud/backtest": ("/fraud/backtest?rule_id=seen.before",),
    "/fraud/cases": ("/fraud/cases?state=all",),
    "/fraud/rules": ("/fraud/rules", "/fraud/rules?hits=1"),
    "/groups/{name}": (f"/groups/{GROUP.name}",),
    "/operators/dead-letters/reveal/{topic}/{partition}/{offset}": (
        "/operators/dead-letters/reveal/orders.order.dead/0/0?why=a+test",
    ),
    "/operators/reveal/{order_id}": ("/operators/reveal/o1?why=a+test",),
    "/topics": ("/topics?internal=1",),
    "/topics/{name}": (f"/topics/{TOPIC}",),
    "/topics/{name}/export": (
        f"/topics/{TOPIC}/export",
        f"/topics/{TOPIC}/export?format=csv",
    ),
    "/topics/{name}/find": (f"/topics/{TOPIC}/find",),
    "/topics/{name}/records": (f"/topics/{TOPIC}/records?q=text:o1&limit=2",),
    "/transactions": ("/transactions", "/transactions?q=o1", "/transactions?status=stuck"),
    "/transactions/{order_id}": ("/transactions/o1", "/transactions/o1?at=1"),
}
"""By path, where it is asked in several ways, or of another name."""
OPEN_SHAPES = frozenset({"ShownFigures", "PlainVerdict", "LatestVerdict", "WholeTransaction"})
"""Whose further fields have the names of a workflow."""
READS = [route for route in ROUTES if route.method == "GET"]
DOCUMENT = describe(ROUTES)


@cache
def exact_components() -> dict[str, Any]:
    """Return the shapes of the document, which then allow no field that they do not name."""
    return {
        name: {**shape, "additionalProperties": False}
        if "properties" in shape and name not in OPEN_SHAPES
        else shape
        for name, shape in DOCUMENT["components"]["schemas"].items()
    }


def check(schema: dict[str, Any], value: object) -> None:
    """Raise ValidationError unless `value` conforms to `schema`."""
    Draft202012Validator({**schema, "components": {"schemas": exact_components()}}).validate(value)


def targets(route: Route) -> tuple[str, ...]:
    """Return what is asked of `route`."""
    others = TARGETS.get(route.path)
    return others or (re.sub(r"\{(\w+)\}", lambda match: PATHS[match[1]], route.path),)


async def test_what_is_read_has_the_shape_of_the_document(seeded: Seeded) -> None:
    """Of every route: status, type and body; no field is left out of the document."""
    wrong = {
        target: trouble
        for route in READS
        for target in targets(route)
        if (trouble := await trouble_with(seeded, route, target))
    }

    assert {} == wrong


async def trouble_with(seeded: Seeded, route: Route, target: str) -> str:
    """Return how the answer differs from what the document says of `route`; empty: not at all."""
    content = DOCUMENT["paths"][route.path]["get"]["responses"]["200"]["content"]
    async with seeded.site.client.get(target, headers=seeded.approver) as answer:
        if answer.status != 200 or answer.content_type not in content:
            return f"{answer.status} {answer.content_type}: {(await answer.text())[:300]}"
        if answer.content_type != "application/json":
            return ""
        try:
            check(content["application/json"]["schema"], await answer.json())
        except ValidationError as error:
            return f"{list(error.absolute_path)}: {error.message[:300]}"
    return ""


async def test_what_is_wrong_has_the_shape_of_a_problem(seeded: Seeded) -> None:
    """Also where there is no such path, and for whoever has not signed in."""
    for target in ("/orders/none", "/fraud/cases?state=openn", "/nowhere", "/me"):
        answer = await seeded.site.client.get(target)

        assert 400 <= answer.status < 500
        assert "application/problem+json" == answer.content_type
        check({"$ref": "#/components/schemas/ProblemBody"}, await answer.json())


def test_every_answer_has_a_shape() -> None:
    """But what is a stream, a file, or empty."""
    shapeless = {
        (route.method, route.path)
        for route in ROUTES
        for operation in [DOCUMENT["paths"][route.path][route.method.lower()]]
        for status, response in operation["responses"].items()
        if status != "204"
        for media, content in response["content"].items()
        if media.endswith("/json") and "$ref" not in content["schema"]
    }

    assert set() == shapeless


def test_a_field_that_is_not_described_is_seen() -> None:
    """The comparison would mean nothing otherwise."""
    alive = DOCUMENT["paths"]["/livez"]["get"]["responses"]["200"]["content"]["application/json"]

    check(alive["schema"], {"status": "alive"})
    for wrong in ({"status": "dead"}, {}, {"status": "alive", "more": 1}):
        assert not Draft202012Validator(
            {**alive["schema"], "components": {"schemas": exact_components()}}
        ).is_valid(wrong)
