"""Who may use a route of the API: operators of its role, clients of its scope, readers.

Webhooks are not checked here: the provider and the carrier sign their requests.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from app.auth.operators import FIRST, PeopleError, Person, Role, at_least, forget_note, people
from app.auth.rate_limits import Rates
from app.auth.sessions import Operator, Session, Sessions, same
from app.config import Config
from app.console.api.addresses import address_of, trusted_networks
from app.console.api.callers import (
    client_caller,
    client_key,
    may_read,
    operator_caller,
    put_caller,
)
from app.console.api.context import CONTEXT
from app.console.api.openid_provider import OpenIdProvider, Returned
from app.console.api.problems import Problem, check_query
from app.host.parameters import cookie, form_of, header, header_if_any, host_of
from app.host.routes import Handler, Route

COOKIE = "payflow_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"
SAFE = frozenset({"GET", "HEAD"})
ACTS_BURST, ACTS_SECONDS_EACH = 60, 0.2
SIGN_IN_BURST, SIGN_IN_SECONDS_EACH = 5, 30.0
"""Wrong tokens of one address: five, then one in half a minute."""
RETURNS_BURST, RETURNS_SECONDS_EACH = 20, 2.0
"""Returns of one address from the OpenID provider, each of which asks it something."""
STREAMS_EACH_MAX = 32
"""Streams open at once to one operator, or to all of one address who are not signed in."""
OPERATORS = "/operators/"
"""All paths below need a role, even without a route, so that a refusal reveals no route."""

log = structlog.get_logger(__name__)


class Auth:
    """Finds the operator of a request."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        self.sessions = Sessions(config.data_path, clock)
        self.secure = urlsplit(config.console_url).scheme == "https"
        self.streams: Counter[str] = Counter()
        self.oidc = OpenIdProvider(config, clock)
        self.trusted = trusted_networks(config)
        self._folder = config.data_path
        self._actions = Rates(ACTS_BURST, ACTS_SECONDS_EACH, clock)
        self._guesses = Rates(SIGN_IN_BURST, SIGN_IN_SECONDS_EACH, clock)
        self._returns = Rates(RETURNS_BURST, RETURNS_SECONDS_EACH, clock)

    async def sign_in(self, request: web.Request, name: str, token: str) -> tuple[str, Session]:
        """Return a new session and its id; raises Problem 401, 429."""
        # Cookies are ignored here, so clients that are not browsers need no Origin (CSRF).
        _check_origin(request, must_say=False)
        person = self._prove(request, name, token)
        log.info("signed in", operator=name)
        return self.sessions.open(person)

    async def sign_in_with(
        self, request: web.Request, returned: Returned
    ) -> tuple[str, Session, str]:
        """Return id and session of a user who comes back from the provider, and the wanted page.

        Raises OidcError, Problem 403, 429.
        """
        # Before it counts: any page can let a browser come here with a state that is none.
        sign_in = self.oidc.accept(returned)
        address = address_of(request, self.trusted)
        # Apart from guesses of tokens: those of others lock nobody out who comes from a provider.
        wait_seconds = self._returns.take(address)
        if wait_seconds:
            raise _too_often(wait_seconds)
        name, next_page = await self.oidc.finish(sign_in, returned)
        person = {each.name: each for each in people(self._folder)}.get(name)
        if person is None:
            log.warning("no operator", operator=name, address=address)
            detail = f"{name[:100]!r} is not an operator here. Operator: payflow operators add"
            raise Problem(403, "Forbidden", detail)
        self._returns.release(address)
        log.info("signed in", operator=name, issuer=self.oidc.issuer)
        return *self.sessions.open(person), next_page

    async def operator(self, request: web.Request, *, actions: bool = True) -> Operator:
        """Return the operator; raises Problem 401 without one, 403 from another page, 429.

        A request that `acts` and has a cookie needs the CSRF token of its session too.
        """
        operator = await self._proven(request, actions=actions)
        # By name and once proven: nobody else can use up what an operator may do.
        wait_seconds = self._actions.take(operator.name)
        if wait_seconds:
            raise _too_often(wait_seconds)
        return operator

    async def _proven(self, request: web.Request, *, actions: bool) -> Operator:
        authorization = header(request, "Authorization")
        if authorization:
            person = self._machine(request, authorization)
            return Operator(name=person.name, role=person.role)
        session = self.session(request)
        if session is None:
            raise _unknown("sign in first: POST /sign-in, or Authorization: Bearer name:token")
        if actions:
            # A GET of the same page has no Origin header, but needs the CSRF token below.
            _check_origin(request, must_say=request.method not in SAFE)
            if not same(await _csrf(request), session.csrf):
                detail = f"header {CSRF_HEADER} is missing or not the one of this session"
                raise Problem(403, "Forbidden", detail, field=CSRF_HEADER)
        return Operator(name=session.person.name, role=session.person.role)

    def session(self, request: web.Request) -> Session | None:
        """Return the session of the cookie, if there is one."""
        return self.sessions.get(cookie(request, COOKIE))

    def _machine(self, request: web.Request, authorization: str) -> Person:
        scheme, _, credentials = authorization.partition(" ")
        name, _, token = credentials.strip().partition(":")
        if scheme.lower() != "bearer" or not (name and token):
            raise _unknown("say Authorization: Bearer name:token")
        return self._prove(request, name, token)

    def _prove(self, request: web.Request, name: str, token: str) -> Person:
        """Return who has this token: whoever has the right one waits for nobody's guesses."""
        person = self.sessions.prove(name, token)
        if person is None:
            address = address_of(request, self.trusted)
            if wait_seconds := self._guesses.take(address):
                raise _too_often(wait_seconds)
            log.warning("a wrong name or token", address=address)
            raise _unknown("name or token is wrong")
        if name == FIRST:
            forget_note(self._folder)
        return person


AUTH: web.AppKey[Auth] = web.AppKey("auth")
_OPERATOR: web.RequestKey[Operator] = web.RequestKey("operator", Operator)


def operator_of(request: web.Request) -> Operator:
    """Return the operator of a request on a route for operators."""
    return request[_OPERATOR]


def authorized(routes: Sequence[Route]) -> Middleware:
    """Return a middleware that lets everybody through to what is for them."""
    declared = {(route.method, route.path): route for route in routes}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = declared.get((request.method, _path(request)))
        if route is None:
            if isinstance(missing := request.match_info.http_exception, web.HTTPMethodNotAllowed):
                return _other_method(request, missing)
            if request.path.startswith(OPERATORS):
                await _operator(request, "approver")
            return await handler(request)
        if request.method not in SAFE and route.audience != "webhook":
            _check_origin(request, must_say=False)
        if route.role is not None:
            request[_OPERATOR] = await _operator(request, route.role)
        elif route.audience in ("client", "reader"):
            await _admit(request, route)
        check_query(request, route)
        return await (_streamed(request, handler) if route.stream else handler(request))

    return check


def _other_method(request: web.Request, missing: web.HTTPMethodNotAllowed) -> web.Response:
    """Answer OPTIONS; raise Problem 405 for a method that is not there, whoever asks."""
    allowed = ", ".join(sorted({*missing.allowed_methods, "OPTIONS"}))
    if request.method == "OPTIONS":
        return web.Response(status=204, headers={"Allow": allowed})
    detail = f"{request.method[:20]} is not for this path; {allowed} are"
    raise Problem(405, "Method Not Allowed", detail, headers={"Allow": allowed})


async def _admit(request: web.Request, route: Route) -> None:
    """Let a client through for its own, an operator for everything, and allowed readers."""
    if key := client_key(request):
        put_caller(request, client_caller(request, route, key))
        return
    if route.audience == "client":
        operator = await _operator(request, "operator")
        put_caller(request, operator_caller(operator, request.app[CONTEXT].config))
        return
    _check_site(request)
    if not may_read(request, request.app[CONTEXT].config):
        await _operator(request, "viewer", actions=False)


async def _operator(request: web.Request, due: Role, *, actions: bool = True) -> Operator:
    try:
        operator = await request.app[AUTH].operator(request, actions=actions)
    except PeopleError as error:
        raise broken(error) from error
    if not at_least(operator.role, due):
        raise Problem(403, "Forbidden", f"this takes the role {due}, yours is {operator.role}")
    return operator


async def _streamed(request: web.Request, handler: Handler) -> web.StreamResponse:
    auth = request.app[AUTH]
    session = auth.session(request)
    # By name where there is one: nobody else on this machine, or behind a proxy, uses it up.
    whose = f"operator {session.person.name}" if session else address_of(request, auth.trusted)
    streams = auth.streams
    if streams[whose] >= STREAMS_EACH_MAX:
        detail = f"{STREAMS_EACH_MAX} streams are open to this address or operator; close one"
        raise Problem(429, "Too Many Requests", detail, headers={"Retry-After": "5"})
    streams[whose] += 1
    try:
        return await handler(request)
    finally:
        streams[whose] -= 1
        if not streams[whose]:
            del streams[whose]


def _check_origin(request: web.Request, *, must_say: bool) -> None:
    """Raise Problem 403 for a request of another page, or, if it `must_say`, of an unknown one.

    Browsers send one of the two headers with every request that changes something.
    """
    origin = header_if_any(request, "Origin")
    site = header_if_any(request, "Sec-Fetch-Site")
    # Compared whole: parsing would raise for some, such as `http://[`.
    ours = origin is None or origin.partition("://")[2] == host_of(request)
    headers_suffice = origin or site or not must_say
    if not (ours and headers_suffice and site in (None, "same-origin")):
        raise Problem(
            403, "Forbidden", "this was asked by another page, or by none", field="Origin"
        )


def _check_site(request: web.Request) -> None:
    """Raise Problem 403 for what a page of another site fetches; a link there may lead here.

    It would not see the answer, but could let a browser that is here begin costly reads: a frame
    navigates too.
    """
    site, mode = header(request, "Sec-Fetch-Site"), header(request, "Sec-Fetch-Mode")
    is_followed = mode == "navigate" and header(request, "Sec-Fetch-Dest") in ("", "document")
    if site == "cross-site" and not is_followed:
        detail = "this was fetched by a page of another site"
        raise Problem(403, "Forbidden", detail, field="Sec-Fetch-Site")


async def _csrf(request: web.Request) -> str:
    token = header(request, CSRF_HEADER)
    if not token:
        token = (await form_of(request)).get(CSRF_FIELD, "")
    return token


def broken(error: PeopleError) -> Problem:
    """Return the problem of an unreadable `operators.json`, and log what is wrong with it."""
    log.error("unreadable operators.json", error=str(error))
    detail = "nobody can sign in now: operators.json is of no use. Operator: see the log"
    return Problem(503, "Service Unavailable", detail, headers={"Retry-After": "10"})


def _path(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def _unknown(detail: str) -> Problem:
    return Problem(401, "Unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


def _too_often(wait_seconds: float) -> Problem:
    after = str(max(1, math.ceil(wait_seconds)))
    detail = f"too many tries from this address; the next one in {after} s"
    return Problem(429, "Too Many Requests", detail, headers={"Retry-After": after})
