"""Signing in through an OpenID provider: who comes back is who it says, or nobody is let in."""

import hashlib
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from app.auth import openid, operators
from app.config import Config, ConfigError
from app.console.server import make_api
from app.registry import load_agents
from app.worker.discovery import Directory
from tests.support.console import FakeWorker
from tests.support.openid_site import ODA, Site, openid_site

__all__ = ["openid_site"]


async def test_who_comes_back_is_signed_in_and_goes_on(openid_site: Site):
    """As what the file says they are; the provider was shown what nobody else knows."""
    answer = await openid_site.back(await openid_site.away())
    me = await (await openid_site.client.get("/me")).json()
    (token_request,) = openid_site.provider.asked

    assert (ODA, "operator") == (me["name"], me["role"])
    assert 'content="0; url=/console/invariants"' in await answer.text()
    assert token_request["by"].startswith("Basic ")
    assert token_request["redirect_uri"].endswith(openid.DONE)
    digest = hashlib.sha256(token_request["code_verifier"].encode()).digest()
    assert openid_site.provider.challenge == urlsafe_b64encode(digest).rstrip(b"=").decode()


async def test_only_a_page_of_ours_comes_after_it(openid_site: Site):
    """Nobody is sent on to elsewhere."""
    answer = await openid_site.back(await openid_site.away("//elsewhere.example/"))

    assert 'url=/"' in await answer.text()


async def test_a_person_removed_is_signed_out(openid_site: Site):
    """The provider says who they are, and no more."""
    await openid_site.back(await openid_site.away())
    operators.remove(openid_site.folder, ODA)

    assert 401 == await openid_site.who()


async def test_what_the_provider_refuses_is_said(openid_site: Site):
    """As text."""
    answer = await openid_site.back(await openid_site.away(), error="<b>access_denied")

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
async def test_a_provider_that_is_none_is_named(openid_site: Site, says: dict[str, Any]):
    """502; nobody is sent there."""
    openid_site.provider.says = says
    answer = await openid_site.client.get("/console/sign-in/with", allow_redirects=False)

    assert 502 == answer.status
    assert "openid-configuration" in await answer.text()


async def test_without_a_provider_there_is_no_such_door(aiohttp_client: Any, tmp_path: Path):
    """404, and the page has no link to it."""
    load_agents()
    config = Config(service="console", data_dir=str(tmp_path))
    client = await aiohttp_client(make_api(FakeWorker(), FakeWorker(), Directory(), config))
    page = await (await client.get("/console/sign-in")).text()
    answers = [await client.get(path) for path in ("/console/sign-in/with", openid.DONE)]

    assert [404, 404] == [answer.status for answer in answers]
    assert "sign-in/with" not in page


@pytest.mark.parametrize(
    ("record", "reason"),
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
def test_half_a_provider_is_refused(record: dict[str, str], reason: str):
    """At the start, by name."""
    with pytest.raises(ConfigError, match=reason):
        Config.from_env({f"PAYFLOW_{name}": value for name, value in record.items()})
