"""A console, an OpenID provider that a test may make lie, and a browser between them."""

import asyncio
import time
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
from app.config import Config
from app.console.server import make_api
from app.registry import load_agents
from app.worker.discovery import Directory
from tests.support.console import FakeWorker

ODA = "oda@example.org"
SECRET = "between us"  # noqa: S105  of a provider that lives in a test
KEY, OTHER_KEY = (rsa.generate_private_key(public_exponent=65_537, key_size=2_048) for _ in "ab")


def shown_key(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """Return the public half of `key` as a JWKS shows it."""
    jwk = msgspec.json.decode(RSAAlgorithm.to_jwk(key.public_key()))
    return {**jwk, "kid": kid, "use": "sig", "alg": "RS256", **more}


class Provider:
    """An OpenID provider that vouches for whoever asks; a test may make it lie."""

    def __init__(self) -> None:
        self.url = ""
        self.nonce = self.challenge = ""
        self.claims: dict[str, Any] = {}
        self.key: Any = KEY
        self.kid: str | None = "k1"
        self.token: Any = lambda token: token
        self.says: dict[str, Any] = {}
        self.jwks: Any = {"keys": [shown_key(KEY, "k1")]}
        self.jwks_parts: Any = None
        """Yields the bytes of the JWKS in place of `jwks`."""
        self.codes: set[str] | None = None
        """The codes that are good, each once; None: all are, always."""
        self.redirects: dict[str, str] = {}
        """Paths that lead elsewhere, and where to."""
        self.delay_seconds = 0.0
        self.asked: list[dict[str, str]] = []
        self.read: list[str] = []
        """The paths that were read."""

    def app(self) -> web.Application:
        """Return its site."""
        app = web.Application(middlewares=[self._counted])
        app.router.add_get("/.well-known/openid-configuration", self._described)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/elsewhere", self._keys)
        app.router.add_post("/token", self._token)
        return app

    @web.middleware
    async def _counted(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.read.append(request.path)
        await asyncio.sleep(self.delay_seconds)
        if request.path in self.redirects:
            raise web.HTTPTemporaryRedirect(self.redirects[request.path])
        return await handler(request)

    async def _described(self, _: web.Request) -> web.Response:
        metadata = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        return web.json_response({**metadata, **self.says})

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        if self.jwks_parts is None:
            return web.json_response(self.jwks)
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            async for part in self.jwks_parts():
                await response.write(part)
        except (ConnectionError, asyncio.CancelledError):
            self.read.append("left")
        return response

    async def _token(self, request: web.Request) -> web.Response:
        form = {**await request.post(), "by": request.headers["Authorization"]}
        self.asked.append(form)
        if self.codes is not None:
            if form["code"] not in self.codes:
                return web.json_response({"error": "invalid_grant"}, status=400)
            self.codes.remove(form["code"])
        return web.json_response({"id_token": self.token(self.signed()), "access_token": "x"})

    def signed(self) -> str:
        """Return an id token for the latest sign-in."""
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
        payload = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": self.kid} if self.kid else {}
        return jwt.encode(payload, self.key, algorithm="RS256", headers=headers)


class Site:
    """The console, a provider, and a browser that goes from one to the other."""

    def __init__(self, client: TestClient, provider: Provider, folder: Path) -> None:
        self.client, self.provider, self.folder = client, provider, folder

    async def away(self, next_path: str = "/console/invariants") -> str:
        """Go to the provider; return the state to come back with."""
        path = "/console/sign-in/with"
        answer = await self.client.get(path, params={"next": next_path}, allow_redirects=False)
        where = urlsplit(answer.headers["Location"])
        query = {name: values[0] for name, values in parse_qs(where.query).items()}
        assert (303, f"{self.provider.url}/authorize") == (
            answer.status,
            f"{where.scheme}://{where.netloc}{where.path}",
        )
        self.provider.nonce, self.provider.challenge = query["nonce"], query["code_challenge"]
        return query["state"]

    async def back(self, state: str, **parameters: str) -> Any:
        """Come back."""
        return await self.client.get(
            openid.DONE, params={"state": state, "code": "c", **parameters}
        )

    async def who(self) -> int:
        """Return the status of asking who is signed in."""
        return (await self.client.get("/me")).status


@pytest.fixture
async def openid_site(tmp_path: Path, aiohttp_client: Any, aiohttp_server: Any) -> Site:
    """A console that knows one operator by their e-mail address."""
    provider = Provider()
    served = await aiohttp_server(provider.app())
    provider.url = str(served.make_url("")).rstrip("/")
    client = await aiohttp_client(console_of(provider.url, tmp_path))
    return Site(client, provider, tmp_path)


def console_of(issuer: str, folder: Path) -> web.Application:
    """Return a console that asks `issuer`, and knows one operator by their e-mail address."""
    operators.first_start(folder)
    operators.add(folder, ODA, "operator")
    config = Config(
        service="console",
        data_dir=str(folder),
        oidc_issuer=issuer,
        oidc_client_id="payflow",
        oidc_client_secret=SECRET,
    )
    load_agents()
    return make_api(FakeWorker(), FakeWorker(), Directory(), config)
