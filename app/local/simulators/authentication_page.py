"""The page on which the customer confirms a payment or fails to: the bank's, in 3-D Secure.

The link holds a secret of this one try, and the form sends it again: no other page can send the
form, and no cookie takes part. Stripe has such a page too: docs.stripe.com/testing#regulatory.
"""

import hmac
from collections.abc import Callable
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web

from app.host.parameters import form_of, path_name, text_of
from app.local.simulators.provider_effects import PAGE, Effects
from app.local.simulators.provider_records import Intent
from app.local.simulators.provider_store import ProviderStore
from workflows.shared.money import money
from workflows.shared.provider_currencies import amount_minor_of

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline';"
    " frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
STYLE = (
    "body{font:16px sans-serif;margin:3em auto;padding:0 1em;max-width:30em}"
    "button{font:inherit;margin:.5em .5em 0 0;padding:.6em 1em}"
)


class AuthenticationPage:
    """GET shows the form; POST confirms or fails, once."""

    def __init__(self, store: ProviderStore, effects: Effects, changed: Callable[[], None]) -> None:
        self._store = store
        self._effects = effects
        self._changed = changed

    def routes(self) -> list[web.RouteDef]:
        """Return the page and the address of its form."""
        path = f"{PAGE}/{{intent}}"
        return [web.get(path, self._show), web.post(path, self._answer)]

    async def _show(self, request: web.Request) -> web.Response:
        secret = text_of(request, "client_secret")
        intent = self._waiting(request, secret)
        if intent is None:
            return _page("There is nothing to confirm here (any more).", status=404)
        currency = intent.currency.upper()
        price = money(amount_minor_of(intent.amount_minor, currency), currency)
        return _page(
            f"Your bank asks: do you confirm a payment of {price}?",
            '<form method="post">'
            f'<input type="hidden" name="client_secret" value="{escape(secret)}">'
            '<button name="outcome" value="confirm">Complete</button>'
            '<button name="outcome" value="fail">Fail</button></form>',
        )

    async def _answer(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        intent = self._waiting(request, form.get("client_secret", ""))
        outcome = form.get("outcome")
        if intent is None:
            return _page("There is nothing to confirm here (any more).", status=404)
        if outcome not in {"confirm", "fail"}:
            return _page("Confirm, or fail.", status=400)
        with self._store.writing():
            after = self._effects.authenticated(intent, passed=outcome == "confirm")
        self._changed()
        if intent.return_url:
            raise web.HTTPSeeOther(_return_address(intent.return_url, after), headers=HEADERS)
        return _page("Thank you. You can close this page.")

    def _waiting(self, request: web.Request, secret: str) -> Intent | None:
        """Return the intent that waits for the customer with this secret, or None."""
        intent = self._store.intent(path_name(request, "intent"))
        if intent is None or intent.action_url is None:
            return None
        client_secret = dict(parse_qsl(urlsplit(intent.action_url).query))["client_secret"]
        return intent if hmac.compare_digest(client_secret.encode(), secret.encode()) else None


def _return_address(url: str, intent: Intent) -> str:
    """Return `url` with what Stripe adds: docs.stripe.com/payments/3d-secure."""
    failed = intent.status == "requires_payment_method"
    added = urlencode(
        {
            "payment_intent": intent.id,
            "payment_intent_client_secret": f"{intent.id}_secret",
            "redirect_status": "failed" if failed else "succeeded",
        }
    )
    parts = urlsplit(url)
    return parts._replace(query="&".join(filter(None, (parts.query, added)))).geturl()


def _page(sentence: str, form: str = "", status: int = 200) -> web.Response:
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>3-D Secure</title>"
        f"<style>{STYLE}</style><main><h1>3-D Secure</h1><p>{escape(sentence)}</p>{form}</main>"
    )
    return web.Response(text=text, content_type="text/html", status=status, headers=HEADERS)
