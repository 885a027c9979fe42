"""Signing in through a provider that others wrote: the certified npm package oidc-provider."""

import asyncio
import re
import subprocess
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
import msgspec
import pytest
from aiohttp.test_utils import TestClient, unused_port
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app.auth import openid
from app.config import Config
from app.console.api.access import AUTH
from app.console.api.openid_provider import KEYS_AGAIN_SECONDS
from tests.support.node_sdk import NODE, installed
from tests.support.openid_site import ODA, SECRET, console_of

pytestmark = pytest.mark.slow

RSA, CURVE = "RS256", "ES256"
START_SECONDS = 60
REDIRECTS_MAX = 10


def private_key(algorithm: str, kid: str) -> dict[str, Any]:
    """Return a new key as the provider is started with it."""
    if algorithm == RSA:
        text = RSAAlgorithm.to_jwk(rsa.generate_private_key(65_537, 2_048))
    else:
        text = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()))
    jwk = msgspec.json.decode(text)
    jwk.pop("key_ops", None)
    return {**jwk, "kid": kid, "alg": algorithm, "use": "sig"}


class RealProvider:
    """The provider as a process, at a port that it keeps when it starts again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, unused_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: Process | None = None

    async def start(self, key: dict[str, Any]) -> None:
        """Start it with `key` alone."""
        await self.stop()
        redirect = Config().console_url.rstrip("/") + openid.DONE
        arguments = [str(self.port), "payflow", SECRET, redirect, msgspec.json.encode(key).decode()]
        self._process = await asyncio.create_subprocess_exec(
            NODE, self.folder / "openid.mjs", *arguments, stdout=PIPE, stderr=STDOUT
        )
        assert self._process.stdout is not None
        printed = b""
        async with asyncio.timeout(START_SECONDS):
            while b"listening" not in printed:
                line = await self._process.stdout.readline()
                assert line, printed.decode()
                printed += line

    async def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


@pytest.fixture
async def provider() -> AsyncIterator[RealProvider]:
    """A provider that is not started."""
    try:
        folder = await asyncio.to_thread(installed)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no oidc-provider here, so none was asked: npm could not fetch it: {error}")
    real = RealProvider(folder)
    yield real
    await real.stop()


@pytest.fixture
async def console(provider: RealProvider, tmp_path: Path, aiohttp_client: Any) -> TestClient:
    """A console that knows one operator by their e-mail address."""
    return await aiohttp_client(console_of(provider.url, tmp_path))


async def returned(url: str, name: str) -> dict[str, str]:
    """Sign in at the provider as `name`; return what it sends back to the console."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        form: dict[str, str] | None = None
        for _ in range(REDIRECTS_MAX):
            method = "GET" if form is None else "POST"
            async with browser.request(method, url, data=form, allow_redirects=False) as answer:
                text = await answer.text()
            if "Location" in answer.headers:
                url, form = urljoin(url, answer.headers["Location"]), None
                parts = urlsplit(url)
                if parts.path == openid.DONE:
                    return {each: texts[0] for each, texts in parse_qs(parts.query).items()}
                continue
            action = re.search(r'<form[^>]* action="([^"]+)"', text)
            prompt = re.search(r'name="prompt" value="(\w+)"', text)
            assert action is not None, text
            assert prompt is not None, text
            url, form = urljoin(url, action[1]), {"prompt": prompt[1]}
            if prompt[1] == "login":
                form |= {"login": name, "password": "any"}
    raise AssertionError("the provider redirects without an end")


async def away(console: TestClient) -> str:
    """Return where the console sends its user."""
    answer = await console.get("/console/sign-in/with", allow_redirects=False)
    assert 303 == answer.status, await answer.text()
    return answer.headers["Location"]


async def signed_in(console: TestClient, name: str = ODA) -> int:
    """Sign in as `name`; return the status of the console's answer."""
    console.session.cookie_jar.clear()
    params = await returned(await away(console), name)
    assert {"code", "state", "iss"} == set(params)
    return (await console.get(openid.DONE, params=params)).status


@pytest.mark.parametrize("algorithm", [RSA, CURVE])
async def test_an_operator_signs_in(
    provider: RealProvider, console: TestClient, algorithm: str
) -> None:
    """By discovery, code, PKCE, token and JWKS of an implementation that is not ours."""
    await provider.start(private_key(algorithm, "k1"))
    status = await signed_in(console)
    me = await (await console.get("/me")).json()

    assert 200 == status
    assert (ODA, "operator") == (me["name"], me["role"])


async def test_nobody_else_does(provider: RealProvider, console: TestClient) -> None:
    """Nor the same code again, nor in another browser."""
    await provider.start(private_key(RSA, "k1"))
    stranger = await signed_in(console, "eve@example.org")
    params = await returned(await away(console), ODA)
    console.session.cookie_jar.clear()
    elsewhere = (await console.get(openid.DONE, params=params)).status
    params = await returned(await away(console), ODA)
    first = (await console.get(openid.DONE, params=params)).status
    again = (await console.get(openid.DONE, params=params)).status

    assert [403, 403, 200, 403] == [stranger, elsewhere, first, again]


async def test_a_code_for_another_sign_in_is_refused_by_the_provider(
    provider: RealProvider, console: TestClient
) -> None:
    """It knows by PKCE: a code that was read on the way is of no use."""
    await provider.start(private_key(RSA, "k1"))
    stolen = await returned(await away(console), ODA)
    own = await returned(await away(console), "eve@example.org")
    answer = await console.get(openid.DONE, params={**own, "code": stolen["code"]})

    assert 403 == answer.status
    assert "answers 400" in await answer.text()
    assert 401 == (await console.get("/me")).status


async def test_a_provider_may_change_its_key(provider: RealProvider, console: TestClient) -> None:
    """Without a word: the console reads its JWKS again, where it was not read just now."""
    await provider.start(private_key(RSA, "k1"))
    assert 200 == await signed_in(console)
    await provider.start(private_key(RSA, "k2"))
    console.app[AUTH].oidc._keys._clock = lambda: time.monotonic() + KEYS_AGAIN_SECONDS

    assert 200 == await signed_in(console)
