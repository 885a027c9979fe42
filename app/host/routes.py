"""The routes of an HTTP server, and who may use each; it serves nothing else."""

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Literal

import msgspec
from aiohttp import web
from msgspec.structs import replace

from app.auth.operators import Role
from app.host.parameters import host_of
from workflows.shared.errors import DeclarationError

Audience = Literal["public", "reader", "client", "webhook", "operator", "machine", "worker"]
AUDIENCES: dict[Audience, str] = {
    "public": "whoever reaches this address, without signing in",
    "reader": "operators who are signed in; everybody while Payflow is bound to loopback alone",
    "client": "clients with a key of this scope, and operators who are signed in",
    "webhook": "the payment provider or the carrier, which sign what they send",
    "operator": "operators who are signed in",
    "machine": "what watches processes: a supervisor, a load balancer, Prometheus",
    "worker": "processes of Payflow, which sign what they ask",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


_PARAMETER = re.compile(r"\{[^{}]*\}")


LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PORT = re.compile(r":\d+$")


def is_called(request: web.BaseRequest, names: Collection[str]) -> bool:
    """Return whether `Host` is one of `names`, or of this machine.

    A page whose name leads here all of a sudden (DNS rebinding) still says its own.
    """
    name = _PORT.sub("", host_of(request))
    return name in LOCAL_NAMES or name in names or name.strip("[]") in names


class RouteError(DeclarationError):
    """A route does not say who may use it, or hides another; the message names the route."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path, and who may use it."""

    method: str
    path: str
    handler: Handler
    audience: Audience
    role: Role | None
    """The least role of an operator; None of every other audience."""
    scope: str = ""
    """The scope that a client needs; empty: the route is not for clients."""
    summary: str = ""
    body: object = None
    """The shape of the JSON body; None where there is none."""
    body_is_required: bool = True
    answers: tuple[int, ...] = (200,)
    shape: object = None
    """The shape of a good answer, where the handler does not say it."""
    media: tuple[str, ...] = ("application/json",)
    """The types of a good answer."""
    plain: tuple[int, ...] = ()
    """Statuses of a failure whose answer has the shape of a good one, and is not a problem."""
    parameters: tuple[str, ...] = ()
    """Query parameters, and headers (which begin with a capital)."""
    stream: bool = False
    """Whether the answer is a stream that goes on until the client disconnects."""

    def __post_init__(self) -> None:
        """Raise RouteError unless the role fits the audience."""
        if self.audience not in AUDIENCES:
            raise RouteError(
                f"{self.method} {self.path}: no such audience: {self.audience!r}; "
                f"there are {', '.join(AUDIENCES)}"
            )
        if (self.audience == "operator") != (self.role is not None):
            raise RouteError(
                f"{self.method} {self.path}: a role is said of routes for operators, and of each; "
                f"this one is for {self.audience!r} with the role {self.role!r}"
            )
        # Every route for clients has one; one for readers has it where clients may use it too.
        scopes = {"client": bool(self.scope), "reader": True}
        if not scopes.get(self.audience, not self.scope):
            raise RouteError(
                f"{self.method} {self.path}: a scope is said of every route for clients; "
                f"this one is for {self.audience!r} with the scope {self.scope!r}"
            )


def _check_places(routes: Sequence[Route]) -> None:
    """Raise RouteError when two routes answer the same: aiohttp would never ask the second."""
    paths: dict[tuple[str, str], str] = {}
    for route in routes:
        place = route.method, _PARAMETER.sub("{}", route.path)
        if place in paths:
            raise RouteError(
                f"{route.method} {route.path} is declared beside {route.method} {paths[place]}: "
                "only one of them would be served"
            )
        paths[place] = route.path


def with_headers_only(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Return `routes`, and HEAD beside every GET that is not a stream: HTTP asks for both."""
    method_paths = {(route.method, route.path) for route in routes}
    headers_only = (
        replace(route, method="HEAD")
        for route in routes
        if route.method == "GET" and not route.stream and ("HEAD", route.path) not in method_paths
    )
    return *routes, *headers_only


def serve_routes(app: web.Application, routes: Sequence[Route]) -> None:
    """Serve `routes`; `app` refuses to start with any other. Raises RouteError."""
    _check_places(routes)
    for route in routes:
        # A key in the path may hold slashes.
        path = route.path.replace("{key}", "{key:.+}")
        app.router.add_route(route.method, path, route.handler)
    declared = {(route.method, route.path) for route in routes}

    async def refuse_others(started: web.Application) -> None:
        for served in started.router.routes():
            path = served.resource.canonical if served.resource is not None else ""
            if (served.method, path) not in declared:
                raise RouteError(
                    f"{served.method} {path} says neither its audience nor its role: "
                    "declare it as a Route"
                )

    app.on_startup.append(refuse_others)
