"""Errors as RFC 9457 problem details, and the checks every request passes."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Generic, TypeVar

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from app.host.parameters import body_of, decoded, for_people, media_type, refuse_unknown
from app.host.routes import Handler, Route, is_called
from app.wire.byte_limits import BODY_BYTES_MAX
from app.wire.envelope import Undecodable
from app.wire.json_output import json_bytes
from workflows.shared.errors import ErrorKind, PayflowError

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
        super().__init__(for_people(detail))
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


async def _response_for(problem: Problem, request: web.Request) -> web.Response:
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
        response = await _response_for(problem_of(error), request)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004  a redirect is not a problem
            raise
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        text = error.text or error.reason
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            text = f"the body is longer than {BODY_BYTES_MAX:,} bytes, the most that is read"
        problem = Problem(error.status, error.reason, text, headers=allowed)
        response = await _response_for(problem, request)
    except Exception:
        log.exception("request failed", method=request.method, path=request.path[:200])
        failed = Problem(500, "Internal Server Error", OUR_FAULT)
        response = await _response_for(failed, request)
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
    """Return the JSON body as `shape`. Raises Problem 415, BadParameter naming the wrong field."""
    if media_type(request) != "application/json":
        raise Problem(415, "Unsupported Media Type", "send application/json")
    return decoded(await body_of(request), shape)


def check_query(request: web.Request, route: Route) -> None:
    """Raise BadParameter for a query parameter that a route of the API does not have.

    Pages keep what links of browsers add.
    """
    if request.path == "/" or request.path.startswith((PAGES, "/web/")):
        return
    refuse_unknown(request, [each for each in route.parameters if not each[0].isupper()])


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
