"""The API described as OpenAPI 3.1, from the routes and the shapes that serve it."""

import re
from collections.abc import Sequence
from functools import cache, partial
from http import HTTPStatus
from typing import NotRequired, TypedDict, get_args, get_origin, get_type_hints

import msgspec
from aiohttp import web

from app.console.api.access import COOKIE
from app.console.api.parameters import parameter_of
from app.console.api.problems import JsonResponse, json_response
from app.host.routes import AUDIENCES, Route
from app.wire.byte_limits import BODY_BYTES_MAX, OPEN_BODY_BYTES_MAX

DESCRIPTION = (
    "Orders in, events out. Every answer 202 is under way, not done. A request has at most "
    f"{BODY_BYTES_MAX:,} bytes, and the event that it becomes at most {OPEN_BODY_BYTES_MAX:,} "
    "(answer 413); its fields and their sums have limits as well (answers 400 and 422)."
)
JSON_TYPE, PROBLEM_TYPE = "application/json", "application/problem+json"


class ProblemField(TypedDict):
    """A field that is wrong."""

    field: str
    detail: str


class ProblemQuota(TypedDict):
    """A quota that a request exceeds, and how much of it is used."""

    name: str
    limit: int
    used: int


class ProblemBody(TypedDict):
    """What is wrong with a request (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: NotRequired[list[ProblemField]]
    quota: NotRequired[ProblemQuota]


SECURITY = {
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "name:token"},
    "key": {"type": "http", "scheme": "bearer", "bearerFormat": "pfk_..."},
}
"""The first two are of operators, the last one of clients."""
NAMES = re.compile(r"{(\w+)}")


Schema = dict[str, object]


@cache
def describe(routes: tuple[Route, ...]) -> dict[str, object]:
    """Return the OpenAPI document of `routes`."""
    shapes: list[object] = [ProblemBody]
    shapes += [shape for route in routes for shape in (route.body, answer_shape(route))]
    # Every type once: what one of them is called depends on the others.
    shapes = [each for n, each in enumerate(shapes) if each and each not in shapes[:n]]
    shape_schemas, components = msgspec.json.schema_components(
        shapes, schema_hook=_any_value, ref_template="#/components/schemas/{name}"
    )
    schemas = list(zip(shapes, shape_schemas, strict=True))
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Payflow",
            "version": "1",
            "description": DESCRIPTION,
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": SECURITY},
    }
    # Defaults that are tuples become arrays, as they are on the wire.
    return msgspec.json.decode(msgspec.json.encode(document))


def _any_value(kind: type) -> Schema:
    if kind is not object:
        raise TypeError(f"the document of the API has no schema of {kind}")
    return {"description": "Any JSON."}


def answer_shape(route: Route) -> object:
    """Return the type of a good answer: the route's own, else the one that its handler says."""
    if route.shape is not None or JSON_TYPE not in route.media:
        return route.shape
    handler = route.handler
    while isinstance(handler, partial):
        handler = handler.func
    return_type = get_type_hints(handler).get("return")
    return get_args(return_type)[0] if get_origin(return_type) is JsonResponse else None


def _operation(route: Route, schemas: Sequence[tuple[object, Schema]]) -> dict[str, object]:
    operation: dict[str, object] = {
        "tags": [route.path.split("/")[1].replace("-", " ")],
        "summary": route.summary,
        "description": _who(route),
        "security": _security(route),
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").strip("_"),
        "parameters": [
            *(parameter_of(route.path, name, "path") for name in NAMES.findall(route.path)),
            *(parameter_of(route.path, name) for name in route.parameters),
        ],
        "responses": {
            str(status): _response(route, status, schemas) for status in sorted(route.answers)
        },
    }
    if route.body is not None:
        content = {JSON_TYPE: {"schema": _schema(route.body, schemas)}}
        operation["requestBody"] = {"required": route.body_is_required, "content": content}
    return operation


def _schema(shape: object, schemas: Sequence[tuple[object, Schema]]) -> Schema:
    return next(schema for each, schema in schemas if each == shape)


def _security(route: Route) -> list[dict[str, list[str]]]:
    """Return what a caller needs, one of the list; readers need nothing on loopback."""
    operators = [{name: []} for name in ("session", "token")]
    if route.role:
        return operators
    if route.audience == "client":
        return [{"key": []}, *operators]
    return (
        [{}, *operators, *([{"key": []}] if route.scope else [])]
        if route.audience == "reader"
        else []
    )


def _who(route: Route) -> str:
    role = f", of the role {route.role} at least" if route.role else ""
    return f"For {AUDIENCES[route.audience]}{role}."


def _response(
    route: Route, status: int, schemas: Sequence[tuple[object, Schema]]
) -> dict[str, object]:
    response: dict[str, object] = {"description": HTTPStatus(status).phrase}
    if status == HTTPStatus.NO_CONTENT:
        return response
    if status >= HTTPStatus.BAD_REQUEST and status not in route.plain:
        return {**response, "content": {PROBLEM_TYPE: {"schema": _schema(ProblemBody, schemas)}}}
    shape = answer_shape(route)
    schema = {"type": "string"} if shape is None else _schema(shape, schemas)
    return {**response, "content": {media: {"schema": schema} for media in route.media}}


def openapi_routes(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """Return the routes that serve the document of `routes`."""
    document = describe(routes)

    async def show(_request: web.Request) -> web.Response:
        return json_response(document)

    return tuple(
        Route(method=method, path="/openapi.json", handler=show, audience="public", role=None)
        for method in ("GET", "HEAD")
    )
