"""Signing in through an OpenID provider: the redirect there and the one back."""

from aiohttp import web

from app.auth.openid import DONE, OidcError
from app.auth.operators import PeopleError
from app.auth.sign_ins import SIGN_IN_SECONDS, STATE_CHARS_MAX, browser_id
from app.console.api.access import AUTH, broken
from app.console.api.openid_provider import Returned
from app.console.api.problems import Problem
from app.console.api.session import signed_in
from app.console.pages.render import page
from app.console.pages.sign_in import wanted_page
from app.host.parameters import cookie, text_of

BROWSER = "payflow_sign_in"
"""The cookie by which a browser is known that was sent to the provider."""
PATH = DONE.rpartition("/")[0]
"""Where it is sent: to both routes, so that a second tab finds the one of the first."""


async def begin(request: web.Request) -> web.Response:
    """Redirect a user to the provider."""
    auth = request.app[AUTH]
    if not auth.oidc.issuer:
        raise Problem(404, "Not Found", "there is no provider to sign in with")
    browser = browser_id(cookie(request, BROWSER))
    try:
        where = await auth.oidc.begin(browser, wanted_page(request))
    except OidcError as error:
        raise Problem(502, "Bad Gateway", str(error)) from error
    answer = web.Response(status=303, headers={"Location": where})
    answer.set_cookie(
        BROWSER,
        browser,
        max_age=SIGN_IN_SECONDS,
        path=PATH,
        secure=auth.secure,
        httponly=True,
        # The redirect back comes from another site, on which a strict cookie is not sent.
        samesite="Lax",
    )
    return answer


async def done(request: web.Request) -> web.Response:
    """Sign in the user who comes back, if they are an operator."""
    auth = request.app[AUTH]
    if not auth.oidc.issuer:
        raise Problem(404, "Not Found", "there is no provider to sign in with")
    parameters = {
        name: text_of(request, name)[: STATE_CHARS_MAX + 1]
        for name in ("state", "code", "error", "iss")
    }
    if parameters["error"]:
        raise Problem(403, "Forbidden", f"the provider says {parameters['error'][:100]!r}")
    returned = Returned(
        browser=cookie(request, BROWSER),
        state=parameters["state"],
        code=parameters["code"],
        issuer=parameters["iss"],
    )
    try:
        session_id, session, next_page = await auth.sign_in_with(request, returned)
    except OidcError as error:
        raise Problem(403, "Forbidden", str(error)) from error
    except PeopleError as error:
        raise broken(error) from error
    name = session.person.name
    # A page of the console goes on from here: a redirect from another site sends no strict cookie.
    answer = await page(request, "signed_in.html", title="Signed in", name=name, next=next_page)
    signed_in(answer, session_id, secure=auth.secure)
    answer.del_cookie(BROWSER, path=PATH, secure=auth.secure, httponly=True, samesite="Lax")
    return answer
