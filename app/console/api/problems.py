"""Errors as RFC 9457 problem details, and the checks every request passes."""

import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Generic, TypeVar

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from app.host.routes import Handler, Route, is_called
from app.wire.byte_limits import BODY_BYTES_MAX
from app.wire.envelope import Undecodable
from app.wire.json_output import json_bytes
from workflows.shared.errors import ErrorKind, PayflowError

KEY_CHARS_MAX = 200
DIGITS_MAX = 18
"""Of a number in a query."""
AS_WRITTEN = "as Payflow writes it: JSON without spaces, every field named"
OUR_FAULT = "this is our fault; it has been logged"

Body = TypeVar("Body")
Shape_co = TypeVar("Shape_co", covariant=True)
Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


_PATTERN = re.compile(r"matching regex '.*'", re.DOTALL)
"""How msgspec says which texts a field takes: in a regular expression, which is for programs."""
AS_DESCRIBED = "of the form that /openapi.json describes"


class Problem(PayflowError):
    """What is wrong with a request, in text for its sender."""

    def __init__(  # noqa: PLR0913  a problem has these facts
        self,
        status: int,
        title: str,
        detail: str,
        *,
        field: str = "",
        headers: dict[str, str] | None = None,
        more: dict[str, object] | None = None,
    ) -> None:
        """`more` are members of the problem for programs, by name."""
        super().__init__(_PATTERN.sub(AS_DESCRIBED, detail))
        self.status = status
        self.title = title
        self.field = field
        self.headers = headers or {}
        self.more = more or {}


ProblemPage = Callable[[Problem, web.Request], Awaitable[web.Response]]
STATUSES: dict[ErrorKind, HTTPStatus] = {
    "invalid": HTTPStatus.BAD_REQUEST,
    "missing": HTTPStatus.NOT_FOUND,
    "conflict": HTTPStatus.CONFLICT,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "failed": HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of each kind of error."""
RETRY_AFTER = {"Retry-After": "1"}


def problem_of(error: PayflowError) -> Problem:
    """Return `error` as a problem, with the field that is wrong where it names one."""
    if isinstance(error, Problem):
        return error
    status = STATUSES[error.kind]
    if error.kind == "failed":
        return Problem(status, status.phrase, OUR_FAULT)
    headers = RETRY_AFTER if error.kind == "unavailable" else None
    return Problem(status, status.phrase, str(error), field=error.field, headers=headers)


PROBLEM_PAGE: web.AppKey[ProblemPage] = web.AppKey("problem_page")
"""Shows a problem to people, in place of JSON."""
PAGES = "/console"
"""The prefix of pages: there, and at `/`, a problem is shown as a page."""


async def _said(problem: Problem, request: web.Request) -> web.Response:
    show = request.app.get(PROBLEM_PAGE)
    if show is not None and (request.path == "/" or request.path.startswith(PAGES)):
        return await show(problem, request)
    return problem_response(problem, request)


def problem_response(problem: Problem, request: web.Request) -> web.Response:
    """Return `problem` as application/problem+json."""
    detail = str(problem)
    body: dict[str, object] = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "instance": request.path[:200],
        **problem.more,
    }
    if problem.field:
        body["errors"] = [{"field": problem.field, "detail": detail}]
    return web.Response(
        body=json_bytes(body),
        status=problem.status,
        content_type="application/problem+json",
        headers=problem.headers,
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into problem details, which reveal nothing internal."""
    try:
        response = await handler(request)
    except PayflowError as error:
        if error.kind == "failed" and not isinstance(error, Problem):
            log.exception("request failed", method=request.method, path=request.path[:200])
        response = await _said(problem_of(error), request)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004  a redirect is no problem
            raise
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        text = error.text or error.reason
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            text = f"the body is longer than {BODY_BYTES_MAX:,} bytes, the most that is read"
        problem = Problem(error.status, error.reason, text, headers=allowed)
        response = await _said(problem, request)
    except Exception:
        log.exception("request failed", method=request.method, path=request.path[:200])
        failed = Problem(500, "Internal Server Error", OUR_FAULT)
        response = await _said(failed, request)
    return response


async def secured(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on every answer, streams and redirects among them."""
    response.headers.update(SECURITY_HEADERS)


def known_hosts(*allowed: str) -> Middleware:
    """Return a middleware that refuses other `Host` names, against DNS rebinding."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_called(request, allowed):
            raise Problem(421, "Misdirected Request", "this host name is not served here")
        return await handler(request)

    return check


def refused(error: Undecodable) -> Problem:
    """Return the problem of a message that no agent would take: too much of it, or in it."""
    detail, _, path = str(error).partition(" - at `$.")
    if getattr(error, "cause", "") == "too_large":
        detail = f"{detail.removeprefix('too_large: ')} {AS_WRITTEN}"
        return Problem(413, "Content Too Large", detail, field="body")
    detail = detail.removeprefix("wrong_shape: ")
    return Problem(422, "Unprocessable Content", detail, field=path.rstrip("`") or "body")


async def read_body(request: web.Request, shape: type[Body]) -> Body:
    """Return the JSON body as `shape`; raises Problem naming the field that is wrong."""
    if request.content_type != "application/json":
        raise Problem(415, "Unsupported Media Type", "send application/json")
    body = await request.read()
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at `")
        field = path.rstrip("`").removeprefix("$").lstrip(".")
        unknown = re.search(r"unknown field `([^`]*)`|required field `([^`]*)`", detail)
        if unknown:
            name = unknown.group(1) or unknown.group(2)
            field = f"{field}.{name}" if field else name
        raise Problem(400, "Bad Request", detail, field=field or "body") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "Bad Request", f"a JSON syntax error: {error}", field="body") from error


def idempotency_key(request: web.Request) -> str:
    """Return the `Idempotency-Key`; raises Problem when it is missing or unusable."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        detail = "header Idempotency-Key is missing: choose one for each order, repeat it on retry"
        raise Problem(400, "Bad Request", detail, field="Idempotency-Key")
    if len(key) > KEY_CHARS_MAX or not key.isprintable():
        detail = f"header Idempotency-Key must be 1 to {KEY_CHARS_MAX} printable characters"
        raise Problem(400, "Bad Request", detail, field="Idempotency-Key")
    return key


def whole(request: web.Request, name: str, standard: int, least: int, most: int) -> int:
    """Return the query parameter `name` as a whole number within bounds; raises Problem."""
    text = request.query.get(name, str(standard))
    # Python refuses to read numbers of more than 4,300 digits.
    digits = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    if not (digits and least <= int(text) <= most):
        detail = f"{name} must be a whole number from {least} to {most}"
        raise Problem(400, "Bad Request", detail, field=name)
    return int(text)


def check_query(request: web.Request, route: Route) -> None:
    """Raise Problem for a query parameter that a route of the API does not have.

    A filter with a typing mistake would show everything. Pages keep what links of browsers add.
    """
    if request.path == "/" or request.path.startswith((PAGES, "/web/")):
        return
    for name in request.query:
        if name not in route.parameters or name[0].isupper():
            known = ", ".join(each for each in route.parameters if not each[0].isupper())
            detail = f"there is no parameter {name[:100]!r} here; there are: {known or 'none'}"
            raise Problem(400, "Bad Request", detail, field=name[:100])


def one_of(request: web.Request, name: str, choices: Sequence[str], standard: str = "") -> str:
    """Return the query parameter `name`, one of `choices`; raises Problem."""
    said = request.query.get(name, standard)
    if said != standard and said not in choices:
        raise Problem(400, "Bad Request", f"{name} is one of {', '.join(choices)}", field=name)
    return said


def path_name(request: web.Request, name: str) -> str:
    """Return the path parameter `name`; raises Problem when it is no valid id."""
    value = request.match_info[name]
    if len(value) > KEY_CHARS_MAX or not value.isprintable():
        raise Problem(400, "Bad Request", f"{name} is no id", field=name)
    return value


class JsonResponse(web.Response, Generic[Shape_co]):
    """An answer in JSON. A handler says its shape, by which the document of the API describes it.

    The type checker compares the shape with what the handler returns.
    """


def json_response(
    value: Answer, status: int = 200, headers: dict[str, str] | None = None
) -> JsonResponse[Answer]:
    """Return `value` as JSON."""
    return JsonResponse(
        body=json_bytes(value),
        status=status,
        content_type="application/json",
        headers=headers,
    )
