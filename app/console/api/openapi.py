"""The API described as OpenAPI 3.1, from the routes and the shapes that serve it."""

import re
from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from aiohttp import web

from app.console.api.access import COOKIE
from app.console.api.problems import json_response
from app.host.routes import AUDIENCES, Route
from app.wire.byte_limits import BODY_BYTES_MAX, OPEN_BODY_BYTES_MAX

DESCRIPTION = (
    "Orders in, events out. Every answer 202 is under way, not done. A request has at most "
    f"{BODY_BYTES_MAX:,} bytes, and the event that it becomes at most {OPEN_BODY_BYTES_MAX:,} "
    "(answer 413); its fields and their sums have limits as well (answers 400 and 422)."
)
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
        "quota": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "limit": {"type": "integer"},
                "used": {"type": "integer"},
            },
        },
    },
}


SECURITY = {
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "name:token"},
}
"""The security schemes of operators."""


def describe(routes: Sequence[Route]) -> dict[str, object]:
    """Return the OpenAPI document of `routes`."""
    shapes = [route.body for route in routes if isinstance(route.body, type)]
    structs = [shape for shape in shapes if issubclass(shape, msgspec.Struct)]
    _, components = msgspec.json.schema_components(
        structs, ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Payflow",
            "version": "1",
            "description": DESCRIPTION,
        },
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": PROBLEM},
            "securitySchemes": SECURITY,
        },
    }
    # Defaults that are tuples become arrays, as they are on the wire.
    return msgspec.json.decode(msgspec.json.encode(document))


def _operation(route: Route) -> dict[str, object]:
    operation: dict[str, object] = {
        "summary": route.summary,
        "description": _who(route),
        "security": [{name: []} for name in SECURITY] if route.role else [],
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").strip("_"),
        "parameters": [*_path_parameters(route.path), *map(_parameter, route.parameters)],
        "responses": {str(status): _response(status) for status in route.answers},
    }
    if route.body is not None:
        struct = isinstance(route.body, type) and issubclass(route.body, msgspec.Struct)
        name = getattr(route.body, "__name__", "")
        schema = {"$ref": f"#/components/schemas/{name}"} if struct else {"type": "object"}
        required = route.path != "/orders/{order_id}/cancel"
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _who(route: Route) -> str:
    role = f", of the role {route.role} at least" if route.role else ""
    return f"For {AUDIENCES[route.audience]}{role}."


def _path_parameters(path: str) -> list[dict[str, object]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _parameter(name: str) -> dict[str, object]:
    header = name[0].isupper()
    kind = "integer" if name == "limit" else "string"
    return {
        "name": name,
        "in": "header" if header else "query",
        "required": header,
        "schema": {"type": kind},
    }


def _response(status: int) -> dict[str, object]:
    said: dict[str, object] = {"description": HTTPStatus(status).phrase}
    if status < HTTPStatus.BAD_REQUEST:
        return said
    schema = {"$ref": "#/components/schemas/Problem"}
    return {**said, "content": {"application/problem+json": {"schema": schema}}}


def openapi_routes(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes that serve the document of `routes`."""
    document = describe(routes)

    async def show(_request: web.Request) -> web.Response:
        return json_response(document)

    return tuple(
        Route(method=method, path="/openapi.json", handler=show, audience="public", role=None)
        for method in ("GET", "HEAD")
    )
