"""Signing in through an OpenID provider; `operators.json` holds the roles.

The flow is the authorization code's with PKCE (RFC 7636); the id token is checked as OpenID Connect
Core 1.0, 3.1.3.7 wants it.
"""

import asyncio
import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
import jwt
import msgspec
from cachetools import FIFOCache

from app.config import Config
from workflows.shared.errors import ErrorKind, PayflowError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Asymmetric algorithms alone: never `none`, never a shared secret."""
PENDING_MAX, PENDING_SECONDS = 1_000, 600.0
KNOWN_SECONDS, KEYS_AGAIN_SECONDS = 3_600.0, 60.0
ASK_SECONDS = 10.0
ANSWER_BYTES_MAX = 1_000_000
LEEWAY_SECONDS = 60
DONE = "/console/sign-in/done"
"""The path of the redirect URI."""


class OidcError(PayflowError):
    """Signing in has failed; the message says why, and holds no secret."""

    kind: ClassVar[ErrorKind] = "unavailable"


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that was begun: the browser is at the provider."""

    nonce: str
    verifier: str
    wanted: str
    """The page to show after signing in."""
    at_s: float


class Oidc:
    """The provider that the configuration names."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self._pending: FIFOCache[str, Pending] = FIFOCache(PENDING_MAX)
        self._known: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, jwt.PyJWKSet] | None = None
        self._lock = asyncio.Lock()

    @property
    def issuer(self) -> str:
        """Return the URL of the provider, the issuer of its tokens; "" where none is configured."""
        return self._config.oidc_issuer

    async def begin(self, wanted: str) -> tuple[str, str]:
        """Return the URL of the provider to redirect to, and the state. Raises OidcError."""
        known = await self._discovered()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        self._pending[state] = Pending(
            nonce=nonce, verifier=verifier, wanted=wanted, at_s=self._clock()
        )
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        query = {
            "response_type": "code",
            "scope": "openid profile email",
            "client_id": self._config.oidc_client_id,
            "redirect_uri": self._back,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        return f"{known['authorization_endpoint']}?{urlencode(query)}", state

    async def finish(self, state: str, code: str) -> tuple[str, str]:
        """Return the name of the user, and the page to show. Raises OidcError."""
        pending = self._pending.pop(state, None)
        if pending is None or self._clock() - pending.at_s > PENDING_SECONDS:
            raise OidcError("this sign-in was not begun here, or too long ago; begin again")
        known = await self._discovered()
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": pending.verifier,
        }
        # Each quoted by itself: RFC 6749, 2.3.1.
        own = (self._config.oidc_client_id, self._config.oidc_client_secret)
        headers = {"Authorization": aiohttp.encode_basic_auth(*map(quote_plus, own))}
        answer = await self._ask("POST", known["token_endpoint"], data=asked, headers=headers)
        claims = await self._validate(str(answer.get("id_token", "")), known, pending.nonce)
        return self._name(claims), pending.wanted

    @property
    def _back(self) -> str:
        return self._config.console_url.rstrip("/") + DONE

    async def _validate(self, token: str, known: dict[str, Any], nonce: str) -> dict[str, Any]:
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid"), known)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._config.oidc_client_id,
                issuer=self.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise OidcError(f"the id token is not good: {error}") from error
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise OidcError("the id token was made for another sign-in")
        if claims.get("azp", self._config.oidc_client_id) != self._config.oidc_client_id:
            raise OidcError("the id token was made for another client")
        return claims

    def _name(self, claims: dict[str, Any]) -> str:
        claim = self._config.oidc_name_claim
        if claim == "email" and claims.get("email_verified") is not True:
            raise OidcError("the provider does not vouch for the e-mail address")
        name = claims.get(claim)
        if not isinstance(name, str) or not name:
            raise OidcError(f"the id token has no claim {claim!r}")
        return name

    async def _key(self, kid: str | None, known: dict[str, Any]) -> jwt.PyJWK:
        async with self._lock:
            for again in (False, True):
                old = self._keys
                # Keys rotate: an unknown key id refreshes the JWKS, but not too often.
                if old is None or (again and self._clock() - old[0] > KEYS_AGAIN_SECONDS):
                    found = await self._ask("GET", known["jwks_uri"])
                    self._keys = old = (self._clock(), jwt.PyJWKSet.from_dict(found))
                keys = [key for key in old[1].keys if kid is None or key.key_id == kid]
                if len(keys) == 1:
                    return keys[0]
        raise OidcError("the id token is signed with a key that the provider does not show")

    async def _discovered(self) -> dict[str, Any]:
        async with self._lock:
            old = self._known
            if old is None or self._clock() - old[0] > KNOWN_SECONDS:
                url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                found = await self._ask("GET", url)
                if found.get("issuer") != self.issuer:
                    raise OidcError(f"{url} is of another issuer than {self.issuer}")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    endpoint = found.get(name)
                    if not isinstance(endpoint, str) or _scheme(endpoint) != _scheme(self.issuer):
                        raise OidcError(f"{url} has no {name}, or one that others could read")
                self._known = old = (self._clock(), found)
            return old[1]

    async def _ask(self, method: str, url: str, **said: Any) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(method, url, allow_redirects=False, **said) as answer,
            ):
                body = await answer.content.read(ANSWER_BYTES_MAX)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OidcError(f"{url} does not answer") from error
        if status != 200:  # noqa: PLR2004  OK
            raise OidcError(f"{url} answers {status}")
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise OidcError(f"{url} answers what is no JSON object") from error


def _scheme(url: str) -> str:
    return urlsplit(url).scheme
