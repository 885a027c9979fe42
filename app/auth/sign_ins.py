"""Sign-ins that were begun: each lies, encrypted, in the `state` that its browser brings back.

Nothing is kept of one that is not finished, so no number of begun ones pushes another out.
"""

import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256

import msgspec
from cachetools import TTLCache
from cryptography.fernet import Fernet, InvalidToken

from app.auth.openid import OidcError
from app.auth.sessions import same

SIGN_IN_SECONDS = 600
"""How long somebody may be at the provider."""
WANTED_CHARS_MAX = 500
STATE_CHARS_MAX = 4_000
DRAWN_BYTES, DRAWN_CHARS = 32, 43
FINISHED_MAX = 10_000
"""Only who has a code of the provider adds one; a code counts once at the provider too."""


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that was begun: the browser is at the provider."""

    browser: str
    """What the cookie of the browser says that was sent there."""
    nonce: str
    verifier: str
    wanted: str
    """The page to show after signing in."""
    began_at_s: float

    @property
    def challenge(self) -> str:
        """Return what PKCE shows of the verifier: RFC 7636, 4.2."""
        return urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class SignIns:
    """The sign-ins of one console; like its sessions they end with the process."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._fernet = Fernet(Fernet.generate_key())
        self._now = now
        self._finished: TTLCache[str, bool] = TTLCache(FINISHED_MAX, SIGN_IN_SECONDS, timer=now)

    def begin(self, browser: str, page: str) -> tuple[str, SignIn]:
        """Return the state for the provider, and the sign-in that it holds."""
        nonce, verifier = _random_text(), _random_text()
        sign_in = SignIn(
            browser=browser,
            nonce=nonce,
            verifier=verifier,
            wanted=page if len(page) <= WANTED_CHARS_MAX else "/",
            began_at_s=self._now(),
        )
        body = msgspec.json.encode(sign_in)
        return self._fernet.encrypt_at_time(body, int(sign_in.began_at_s)).decode(), sign_in

    def finish(self, browser: str, state: str) -> SignIn:
        """Return the sign-in of `state`, once, and in its own browser. Raises OidcError."""
        if not (browser and state.isascii() and len(state) <= STATE_CHARS_MAX):
            raise OidcError("this sign-in was not begun in this browser; begin again")
        try:
            body = self._fernet.decrypt_at_time(state, SIGN_IN_SECONDS, int(self._now()))
        except InvalidToken as error:
            text = "this sign-in was not begun here, or too long ago; begin again"
            raise OidcError(text) from error
        sign_in = msgspec.json.decode(body, type=SignIn)
        if not same(browser, sign_in.browser):
            raise OidcError("this sign-in was begun in another browser; begin again")
        # By the nonce: base64 writes one state in several ways.
        if sign_in.nonce in self._finished:
            raise OidcError("this sign-in has been finished already; begin again")
        self._finished[sign_in.nonce] = True
        return sign_in


def browser_id(cookie: str) -> str:
    """Return the id that a browser has, or a new one: its tabs share it, and none ends another."""
    is_drawn = len(cookie) == DRAWN_CHARS and cookie.isascii() and cookie.isprintable()
    return cookie if is_drawn else _random_text()


def _random_text() -> str:
    return secrets.token_urlsafe(DRAWN_BYTES)
