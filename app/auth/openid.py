"""OpenID Connect without the network: what is believed of a provider and of its tokens.

PyJWT checks the signature, times, issuer and audience; here are the rules of OpenID Connect Core
1.0, 3.1.3.7 that it does not know, and those of discovery. ADR 34.
"""

import secrets
from typing import ClassVar, TypeVar
from urllib.parse import urlsplit

import jwt
import msgspec

from app.config import is_local
from workflows.shared.errors import ErrorKind, PayflowError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Asymmetric algorithms alone: never `none`, never a shared secret."""
LEEWAY_SECONDS = 30
"""How far the clocks of the provider and of this machine may differ."""
TOKEN_CHARS_MAX = 50_000
DONE = "/console/sign-in/done"
"""The path of the redirect URI."""

Jwk = dict[str, object]
Claims = dict[str, object]
Shape = TypeVar("Shape")


class OidcError(PayflowError):
    """Signing in has failed; the message says why, and holds no secret."""

    kind: ClassVar[ErrorKind] = "unavailable"


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """What the discovery document says: OpenID Connect Discovery 1.0, 3."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    authorization_response_iss_parameter_supported: bool = False
    """Whether it names itself in the redirect back: RFC 9207."""


class _Jwks(msgspec.Struct, frozen=True, kw_only=True):
    keys: list[object]


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What an id token has to say to be the answer to one sign-in."""

    issuer: str
    client_id: str
    nonce: str
    began_at_s: float


def decoded(body: bytes, shape: type[Shape], failure: str) -> Shape:
    """Return what the provider says in JSON. Raises OidcError, which begins with `failure`."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OidcError(f"{failure}: {error}") from error


def provider_in(body: bytes, issuer: str) -> Provider:
    """Return what a discovery document says of `issuer`. Raises OidcError."""
    provider = decoded(body, Provider, f"the openid-configuration of {issuer} is of no use")
    if provider.issuer != issuer:
        raise OidcError(f"the openid-configuration is of another issuer than {issuer}")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not _is_private(getattr(provider, name), issuer):
            text = f"the openid-configuration of {issuer} has a {name} that others could read"
            raise OidcError(text)
    return provider


def _is_private(url: str, issuer: str) -> bool:
    """Return whether nobody between reads what is sent to `url`, which an issuer has named."""
    if not (url.isascii() and url.isprintable() and " " not in url):
        return False
    try:
        parts = urlsplit(url)
        is_of_issuer_scheme = parts.scheme == urlsplit(issuer).scheme and bool(parts.hostname)
    except ValueError:
        return False
    return is_of_issuer_scheme and (parts.scheme == "https" or is_local(url)) and not parts.fragment


def keys_in(body: bytes) -> list[Jwk]:
    """Return all keys of a JWKS that are objects, of whatever kind. Raises OidcError."""
    jwks = decoded(body, _Jwks, "the JWKS of the provider is of no use")
    return [each for each in jwks.keys if isinstance(each, dict)]


def key_of(token: str, keys: list[Jwk]) -> jwt.PyJWK | None:
    """Return the one of `keys` with which `token` says it is signed. Raises OidcError.

    None where there is no such key, or more than one: then nobody knows which was meant.
    """
    try:
        header = jwt.get_unverified_header(_bounded(token))
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise OidcError(f"the id token is not good: {error}") from error
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise OidcError(f"the id token is not good: it is signed by {str(algorithm)[:20]!r}")
    usable_keys = [
        key
        for each in keys
        if kid in (None, each.get("kid"))
        for key in [_usable(each, algorithm)]
        if key is not None
    ]
    return usable_keys[0] if len(usable_keys) == 1 else None


def _bounded(token: str) -> str:
    if len(token) > TOKEN_CHARS_MAX:
        raise OidcError(f"the id token is longer than {TOKEN_CHARS_MAX:,} characters")
    return token


def _usable(key: Jwk, algorithm: str) -> jwt.PyJWK | None:
    """Return `key` if it verifies signatures by `algorithm`: RFC 7517, 5 lets others be skipped."""
    operations = key.get("key_ops", ["verify"])
    verifies = isinstance(operations, list) and "verify" in operations
    # A private key that is shown is anybody's.
    if not verifies or key.get("use", "sig") != "sig" or "d" in key:
        return None
    if key.get("alg", algorithm) != algorithm:
        return None
    try:
        return jwt.PyJWK(key, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None


def claims_in(token: str, key: jwt.PyJWK, expected: Expected) -> Claims:
    """Return the claims of `token` if `key` has signed it for this sign-in. Raises OidcError."""
    try:
        claims: Claims = jwt.decode(
            _bounded(token),
            key,
            algorithms=list(ALGORITHMS),
            audience=expected.client_id,
            issuer=expected.issuer,
            leeway=LEEWAY_SECONDS,
            options={
                "require": ["exp", "iat", "sub", "aud", "iss"],
                "enforce_minimum_key_length": True,
            },
        )
        issued_at_s = int(str(claims["iat"]).partition(".")[0])
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise OidcError(f"the id token is not good: {error}") from error
    if not secrets.compare_digest(_bytes(claims.get("nonce")), expected.nonce.encode()):
        raise OidcError("the id token was made for another sign-in")
    if issued_at_s < expected.began_at_s - LEEWAY_SECONDS:
        raise OidcError("the id token is older than this sign-in")
    audience, authorized = claims["aud"], claims.get("azp")
    if authorized is None and isinstance(audience, list) and len(audience) > 1:
        raise OidcError("the id token is for several clients, and does not say who asked (azp)")
    if authorized not in (None, expected.client_id):
        raise OidcError("the id token was made for another client")
    return claims


def _bytes(claim: object) -> bytes:
    return claim.encode(errors="replace") if isinstance(claim, str) else b""


def name_in(claims: Claims, claim: str) -> str:
    """Return the name of the user in `claim`. Raises OidcError."""
    if claim == "email" and claims.get("email_verified") is not True:
        raise OidcError("the provider does not vouch for the e-mail address")
    name = claims.get(claim)
    if not isinstance(name, str) or not name:
        raise OidcError(f"the id token has no claim {claim!r}")
    return name
