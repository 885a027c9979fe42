"""The kinds of routes of the API: those that read, those that produce, those of operators."""

from app.auth.operators import Role
from app.host.routes import Audience, Handler, Route

READS = (400, 401, 403, 404, 429, 503)
"""The errors of what reads."""
REFUSED = (400, 401, 403, 404, 409, 413, 415, 422, 429, 503)
"""The errors of what acts."""


def get(  # noqa: PLR0913  a route has these facts
    path: str,
    handler: Handler,
    summary: str,
    *parameters: str,
    audience: Audience = "reader",
    role: Role | None = None,
    scope: str = "",
    answers: tuple[int, ...] = (200, *READS),
    stream: bool = False,
    shape: object = None,
    media: tuple[str, ...] = ("application/json",),
    plain: tuple[int, ...] = (),
) -> Route:
    """Return a route that reads."""
    return Route(
        method="GET",
        path=path,
        handler=handler,
        audience=audience,
        role=role,
        scope=scope,
        summary=summary,
        parameters=parameters,
        answers=answers,
        stream=stream,
        shape=shape,
        media=("text/event-stream",) if stream else media,
        plain=plain,
    )


def action(  # noqa: PLR0913  a route has these facts
    role: Role, path: str, handler: Handler, summary: str, body: object, answer: int = 202
) -> Route:
    """Return a route for operators of at least `role`."""
    return Route(
        method="POST",
        path=path,
        handler=handler,
        audience="operator",
        role=role,
        summary=summary,
        body=body,
        answers=(answer, *REFUSED),
    )


def post(  # noqa: PLR0913  a route has these facts
    scope: str,
    path: str,
    handler: Handler,
    summary: str,
    body: object,
    *parameters: str,
    shape: object,
    optional: bool = False,
) -> Route:
    """Return a route that produces, for clients of `scope`."""
    return Route(
        method="POST",
        path=path,
        handler=handler,
        audience="client",
        role=None,
        scope=scope,
        summary=summary,
        body=body,
        body_is_required=not optional,
        parameters=parameters,
        answers=(202, *REFUSED),
        shape=shape,
    )


def webhook(path: str, handler: Handler, summary: str, signature: str) -> Route:
    """Return a route that an external system calls, with a header `signature`."""
    return Route(
        method="POST",
        path=path,
        handler=handler,
        audience="webhook",
        role=None,
        summary=summary,
        body=dict[str, object],
        parameters=(signature,),
        answers=(200, 400, 404, 413, 415, 422, 503),
    )
