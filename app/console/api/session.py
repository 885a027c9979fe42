"""Signing in and out: a name and a token are exchanged for an `HttpOnly` cookie."""

import msgspec
from aiohttp import web

from app.auth.operators import PeopleError
from app.auth.sessions import LIFE_SECONDS, Operator
from app.console.api.access import AUTH, COOKIE, broken
from app.console.api.problems import JsonResponse, json_response, read_body
from app.host.parameters import cookie, has_header


class SignInAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /sign-in`."""

    name: str
    token: str


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """The operator who is signed in; `csrf` goes into X-CSRF-Token with every action."""

    name: str
    role: str
    csrf: str


async def sign_in(request: web.Request) -> JsonResponse[SignedIn]:
    """Open a session; the answer is the same for a wrong name and a wrong token."""
    auth = request.app[AUTH]
    body = await read_body(request, SignInAsked)
    try:
        # The file of the first token holds `name:token`, and people copy the line.
        token = body.token.strip().removeprefix(f"{body.name}:")
        session_id, session = await auth.sign_in(request, body.name, token)
    except PeopleError as error:
        raise broken(error) from error
    person = session.person
    answer = json_response(SignedIn(name=person.name, role=person.role, csrf=session.csrf))
    signed_in(answer, session_id, secure=auth.secure)
    return answer


def signed_in(answer: web.Response, session_id: str, *, secure: bool) -> None:
    """Give a browser the cookie of its session."""
    answer.set_cookie(
        COOKIE,
        session_id,
        max_age=int(LIFE_SECONDS),
        path="/",
        secure=secure,
        httponly=True,
        samesite="Strict",
    )


async def sign_out(request: web.Request) -> web.Response:
    """Close the session of the cookie."""
    auth = request.app[AUTH]
    auth.sessions.close(cookie(request, COOKIE))
    answer = web.Response(status=204)
    answer.del_cookie(COOKIE, path="/", secure=auth.secure, httponly=True, samesite="Strict")
    return answer


async def me(request: web.Request) -> JsonResponse[SignedIn]:
    """Return the operator who is signed in, with the CSRF token of the session."""
    auth = request.app[AUTH]
    try:
        operator: Operator = await auth.operator(request, actions=False)
        session = auth.session(request)
    except PeopleError as error:
        raise broken(error) from error
    csrf = session.csrf if session and not has_header(request, "Authorization") else ""
    return json_response(SignedIn(name=operator.name, role=operator.role, csrf=csrf))
