"""Signing in through an OpenID provider: who comes back is who it says, or nobody is let in."""

import hashlib
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from app.auth import openid, operators
from app.config import Config, ConfigError
from app.console.server import make_api
from app.registry import load_agents
from app.worker.discovery import Directory
from tests.support.console import FakeQueries

ODA = "oda@example.org"
SECRET = "between us"  # noqa: S105  of a provider that lives in this test
KEY, OTHER_KEY = (rsa.generate_private_key(public_exponent=65_537, key_size=2_048) for _ in "ab")


class Provider:
    """An OpenID provider that vouches for whoever asks; a test may make it lie."""

    def __init__(self) -> None:
        self.url = ""
        self.nonce = self.challenge = ""
        self.claims: dict[str, Any] = {}
        self.key: Any = KEY
        self.token: Any = lambda token: token
        self.says: dict[str, Any] = {}
        self.asked: list[dict[str, str]] = []

    def app(self) -> web.Application:
        """Return its site."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._described)
        app.router.add_get("/keys", self._keys)
        app.router.add_post("/token", self._token)
        return app

    async def _described(self, _: web.Request) -> web.Response:
        known = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        return web.json_response({**known, **self.says})

    async def _keys(self, _: web.Request) -> web.Response:
        shown = msgspec.json.decode(RSAAlgorithm.to_jwk(KEY.public_key()))
        return web.json_response({"keys": [{**shown, "kid": "k1", "use": "sig", "alg": "RS256"}]})

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append({**await request.post(), "by": request.headers["Authorization"]})
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": "payflow",
            "sub": "1",
            "iat": now,
            "exp": now + 60,
            "nonce": self.nonce,
            "email": ODA,
            "email_verified": True,
            **self.claims,
        }
        said = {name: value for name, value in claims.items() if value is not None}
        token = jwt.encode(said, self.key, algorithm="RS256", headers={"kid": "k1"})
        return web.json_response({"id_token": self.token(token), "access_token": "x"})


class Site:
    """The console, a provider, and a browser that goes from one to the other."""

    def __init__(self, client: TestClient, provider: Provider, folder: Path) -> None:
        self.client, self.provider, self.folder = client, provider, folder

    async def away(self, wanted: str = "/console/invariants") -> str:
        """Go to the provider; return the state to come back with."""
        path = "/console/sign-in/with"
        answer = await self.client.get(path, params={"next": wanted}, allow_redirects=False)
        where = urlsplit(answer.headers["Location"])
        asked = {name: values[0] for name, values in parse_qs(where.query).items()}
        assert (303, f"{self.provider.url}/authorize") == (
            answer.status,
            f"{where.scheme}://{where.netloc}{where.path}",
        )
        self.provider.nonce, self.provider.challenge = asked["nonce"], asked["code_challenge"]
        return asked["state"]

    async def back(self, state: str, **said: str) -> Any:
        """Come back."""
        return await self.client.get(openid.DONE, params={"state": state, "code": "c", **said})

    async def who(self) -> int:
        """Return the status of asking who is signed in."""
        return (await self.client.get("/me")).status


@pytest.fixture
async def site(tmp_path: Path, aiohttp_client: Any, aiohttp_server: Any) -> Site:
    """A console that knows one operator by their e-mail address."""
    operators.first_start(tmp_path)
    operators.add(tmp_path, ODA, "operator")
    provider = Provider()
    served = await aiohttp_server(provider.app())
    provider.url = str(served.make_url("")).rstrip("/")
    config = Config(
        service="console",
        data_dir=str(tmp_path),
        oidc_issuer=provider.url,
        oidc_client_id="payflow",
        oidc_client_secret=SECRET,
    )
    load_agents()
    client = await aiohttp_client(make_api(FakeQueries(), Directory(), config))
    return Site(client, provider, tmp_path)


async def test_who_comes_back_is_signed_in_and_goes_on(site: Site):
    """As what the file says they are; the provider was shown what nobody else knows."""
    answer = await site.back(await site.away())
    me = await (await site.client.get("/me")).json()
    (asked,) = site.provider.asked

    assert (ODA, "operator") == (me["name"], me["role"])
    assert 'content="0; url=/console/invariants"' in await answer.text()
    assert asked["by"].startswith("Basic ")
    assert asked["redirect_uri"].endswith(openid.DONE)
    shown = hashlib.sha256(asked["code_verifier"].encode()).digest()
    assert site.provider.challenge == urlsafe_b64encode(shown).rstrip(b"=").decode()


async def test_only_a_page_of_ours_comes_after_it(site: Site):
    """Nobody is sent on to elsewhere."""
    answer = await site.back(await site.away("//elsewhere.example/"))

    assert 'url=/"' in await answer.text()


async def test_a_person_removed_is_signed_out(site: Site):
    """The provider says who they are, and no more."""
    await site.back(await site.away())
    operators.remove(site.folder, ODA)

    assert 401 == await site.who()


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        pytest.param({"aud": "another"}, "not good", id="for another client"),
        pytest.param({"azp": "another"}, "another client", id="asked by another client"),
        pytest.param({"iss": "https://elsewhere.example"}, "not good", id="of another issuer"),
        pytest.param({"exp": 1}, "not good", id="long over"),
        pytest.param({"nonce": "another"}, "another sign-in", id="of another sign-in"),
        pytest.param({"nonce": None}, "another sign-in", id="of no sign-in"),
        pytest.param({"email_verified": False}, "vouch", id="not vouched for"),
        pytest.param({"email": None}, "no claim", id="of nobody"),
        pytest.param({"email": "eve@example.org"}, "no operator", id="of no operator"),
    ],
)
async def test_a_token_that_is_not_right_lets_nobody_in(
    site: Site, claims: dict[str, Any], said: str
):
    """403, in text."""
    site.provider.claims = claims
    answer = await site.back(await site.away())

    assert 403 == answer.status
    assert said in await answer.text()
    assert 401 == await site.who()


async def test_a_token_that_another_signed_lets_nobody_in(site: Site):
    """Nor one that nobody signed, nor one signed with what everybody can read."""
    site.provider.key = OTHER_KEY
    forged = await site.back(await site.away())
    site.provider.key = KEY
    site.provider.token = lambda token: jwt.encode(
        jwt.decode(token, options={"verify_signature": False}), None, algorithm="none"
    )
    unsigned = await site.back(await site.away())
    site.provider.token = lambda token: jwt.encode(
        jwt.decode(token, options={"verify_signature": False}), SECRET * 4, algorithm="HS256"
    )
    shared = await site.back(await site.away())

    assert [403, 403, 403] == [each.status for each in (forged, unsigned, shared)]
    assert 401 == await site.who()


async def test_nobody_comes_back_twice_or_from_nowhere(site: Site):
    """A state counts once, and in the browser that was sent away with it."""
    state = await site.away()
    first = await site.back(state)
    again = await site.back(state)
    await site.client.post("/sign-out")
    await site.away()
    other = await site.back("another")
    site.client.session.cookie_jar.clear()
    without = await site.back(await _away_without_cookie(site))

    assert [200, 403, 403, 403] == [each.status for each in (first, again, other, without)]
    assert 401 == await site.who()


async def _away_without_cookie(site: Site) -> str:
    state = await site.away()
    site.client.session.cookie_jar.clear()
    return state


async def test_what_the_provider_refuses_is_said(site: Site):
    """As text."""
    answer = await site.back(await site.away(), error="<b>access_denied")

    assert 403 == answer.status
    assert "&lt;b&gt;access_denied" in await answer.text()


@pytest.mark.parametrize(
    "says",
    [
        pytest.param({"issuer": "https://elsewhere.example"}, id="another issuer"),
        pytest.param({"token_endpoint": None}, id="no endpoint"),
        pytest.param({"jwks_uri": "ftp://127.0.0.1/keys"}, id="another scheme"),
    ],
)
async def test_a_provider_that_is_none_is_named(site: Site, says: dict[str, Any]):
    """502; nobody is sent there."""
    site.provider.says = says
    answer = await site.client.get("/console/sign-in/with", allow_redirects=False)

    assert 502 == answer.status
    assert "openid-configuration" in await answer.text()


async def test_without_a_provider_there_is_no_such_door(aiohttp_client: Any, tmp_path: Path):
    """404, and the page has no link to it."""
    load_agents()
    config = Config(service="console", data_dir=str(tmp_path))
    client = await aiohttp_client(make_api(FakeQueries(), Directory(), config))
    page = await (await client.get("/console/sign-in")).text()
    answers = [await client.get(path) for path in ("/console/sign-in/with", openid.DONE)]

    assert [404, 404] == [answer.status for answer in answers]
    assert "sign-in/with" not in page


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"OIDC_ISSUER": "https://login.example"}, "oidc_client_id"),
        (
            {
                "OIDC_ISSUER": "http://login.example",
                "OIDC_CLIENT_ID": "a",
                "OIDC_CLIENT_SECRET": "b",
            },
            "https://",
        ),
    ],
)
def test_half_a_provider_is_refused(record: dict[str, str], said: str):
    """At the start, by name."""
    with pytest.raises(ConfigError, match=said):
        Config.from_env({f"PAYFLOW_{name}": value for name, value in record.items()})
