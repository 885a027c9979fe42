"""The OpenID provider of the configuration: asked over HTTP, within bounds of time and bytes.

Signing in is the authorization code flow with PKCE (RFC 7636). `app.auth.openid` checks what the
provider says.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from urllib.parse import quote_plus, urlencode

import aiohttp
import msgspec

from app.auth import openid
from app.auth.openid import Expected, Jwk, OidcError, Provider
from app.auth.sign_ins import SignIn, SignIns
from app.config import Config
from app.wire.http_answers import read_answer, session_of

DISCOVERED_SECONDS_MAX = 300.0
KEYS_SECONDS_MAX = 60.0
"""So long a key that the provider has withdrawn is still believed, and no longer."""
KEYS_AGAIN_SECONDS = 5.0
"""Keys rotate: an unknown key id reads the JWKS again, but not more often than this."""
FAILED_SECONDS = 3.0
"""So long a failure answers everybody who waits: a provider that hangs is not asked in turn."""
ASK_SECONDS = 10.0
ANSWER_BYTES_MAX = 1_000_000
OK = 200

Found = TypeVar("Found")


class Reading(Generic[Found]):
    """What was read at the provider, or why it was not, for a while."""

    def __init__(self, read: Callable[[], Awaitable[Found]], clock: Callable[[], float]) -> None:
        self._read, self._clock = read, clock
        self._lock = asyncio.Lock()
        self._found: Found | OidcError | None = None
        self._at = 0.0

    async def get(self, seconds_max: float) -> Found:
        """Return what was read no longer than `seconds_max` ago. Raises OidcError."""
        async with self._lock:
            outcome = self._found
            most = FAILED_SECONDS if isinstance(outcome, OidcError) else seconds_max
            if outcome is None or self._clock() - self._at > most:
                self._at = self._clock()
                try:
                    outcome = await self._read()
                except OidcError as error:
                    outcome = error
                self._found = outcome
        if isinstance(outcome, OidcError):
            raise OidcError(str(outcome)) from outcome
        return outcome


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of the answer to a code: OpenID Connect Core 1.0, 3.1.3.3."""

    id_token: str


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser brings back from the provider."""

    browser: str
    state: str
    code: str
    issuer: str
    """Empty where the provider does not say it."""


class OpenIdProvider:
    """The provider that the configuration names."""

    def __init__(
        self,
        config: Config,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._sign_ins = SignIns(now)
        self._provider: Reading[Provider] = Reading(self._discover, clock)
        self._keys: Reading[list[Jwk]] = Reading(self._read_keys, clock)

    @property
    def issuer(self) -> str:
        """Return the URL of the provider, the issuer of its tokens; "" where none is configured."""
        return self._config.oidc_issuer

    async def begin(self, browser: str, next_page: str) -> str:
        """Return the URL of the provider to redirect `browser` to. Raises OidcError."""
        provider = await self._provider.get(DISCOVERED_SECONDS_MAX)
        state, sign_in = self._sign_ins.begin(browser, next_page)
        query = {
            "response_type": "code",
            "scope": "openid profile email",
            "client_id": self._config.oidc_client_id,
            "redirect_uri": self._back,
            "state": state,
            "nonce": sign_in.nonce,
            "code_challenge": sign_in.challenge,
            "code_challenge_method": "S256",
        }
        endpoint = provider.authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def accept(self, returned: Returned) -> SignIn:
        """Return the sign-in that this browser had begun, once. Raises OidcError."""
        return self._sign_ins.finish(returned.browser, returned.state)

    async def finish(self, sign_in: SignIn, returned: Returned) -> tuple[str, str]:
        """Return the name of the user, and the page to show. Raises OidcError."""
        provider = await self._provider.get(DISCOVERED_SECONDS_MAX)
        must_say = provider.authorization_response_iss_parameter_supported
        if (returned.issuer or must_say) and returned.issuer != self.issuer:
            raise OidcError("another provider has answered than the one that was asked")
        token = await self._id_token(provider, returned.code, sign_in.verifier)
        expected = Expected(
            issuer=self.issuer,
            client_id=self._config.oidc_client_id,
            nonce=sign_in.nonce,
            began_at_s=sign_in.began_at_s,
        )
        claims = openid.claims_in(token, await self._key(token), expected)
        return openid.name_in(claims, self._config.oidc_name_claim), sign_in.wanted

    @property
    def _back(self) -> str:
        return self._config.console_url.rstrip("/") + openid.DONE

    async def _id_token(self, provider: Provider, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": verifier,
        }
        # Each quoted by itself: RFC 6749, 2.3.1.
        own = (self._config.oidc_client_id, self._config.oidc_client_secret)
        headers = {"Authorization": aiohttp.encode_basic_auth(*map(quote_plus, own))}
        body = await _ask("POST", provider.token_endpoint, data=form, headers=headers)
        failure = f"{provider.token_endpoint} gives no id token"
        return openid.decoded(body, TokenAnswer, failure).id_token

    async def _key(self, token: str) -> openid.jwt.PyJWK:
        for seconds_max in (KEYS_SECONDS_MAX, KEYS_AGAIN_SECONDS):
            key = openid.key_of(token, await self._keys.get(seconds_max))
            if key is not None:
                return key
        raise OidcError("the id token is signed with a key that the provider does not show")

    async def _discover(self) -> Provider:
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        return openid.provider_in(await _ask("GET", url), self.issuer)

    async def _read_keys(self) -> list[Jwk]:
        provider = await self._provider.get(DISCOVERED_SECONDS_MAX)
        return openid.keys_in(await _ask("GET", provider.jwks_uri))


async def _ask(
    method: str,
    url: str,
    data: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    """Return the body that `url` answers with 200; no redirect is followed. Raises OidcError."""
    try:
        async with (
            session_of(ASK_SECONDS) as session,
            session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as answer,
        ):
            if answer.status != OK:
                raise OidcError(f"{url} answers {answer.status}")
            return await read_answer(answer, ANSWER_BYTES_MAX)
    except aiohttp.ClientPayloadError as error:
        raise OidcError(f"{url} answers what is not read: {error}") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise OidcError(f"{url} does not answer") from error
