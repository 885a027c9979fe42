"""`payflow clients`: a key is shown once; who got one, for what, by whom and why, is emitted."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.auth import clients as client_file
from app.cli import clients
from app.cli.main import app
from app.config import Config

NOW_MS = 2_000_000_000_000
"""After every test."""


class Site:
    """A data folder, and what was emitted on `audit`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.emitted: list[Any] = []

    def run(self, *arguments: str) -> Result:
        """Run `payflow clients` with `arguments`."""
        return CliRunner().invoke(app, ["clients", *arguments])

    def name_of(self, key: str) -> str:
        client = client_file.client_of(self.folder, key, NOW_MS)
        return client.name if client else ""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site without a broker."""
    site = Site(tmp_path)

    async def publish(_config: Config, messages: list[Any], _at_ms: int) -> None:
        site.emitted.extend(messages)

    monkeypatch.setattr(clients, "running_instance", lambda: Config(data_dir=str(tmp_path)))
    monkeypatch.setattr(clients, "publish", publish)
    return site


def test_a_client_added_may_ask_with_what_is_shown(site: Site) -> None:
    """The key is in the output alone."""
    result = site.run("add", "shop", "orders:write", "stock", "--reason", "a new shop")
    [emitted] = site.emitted

    assert (0, "shop") == (result.exit_code, site.name_of(result.output.strip()))
    assert ("client:shop", "added", ("orders:write", "stock"), "a new shop") == (
        emitted.about,
        emitted.change,
        emitted.scopes,
        emitted.why,
    )
    assert "shop" in site.run("ls").output
    assert result.output.strip() not in site.run("ls", "--json").output


def test_a_scope_that_is_none_is_refused_with_those_that_are(site: Site) -> None:
    """Before anything is written."""
    result = site.run("add", "shop", "orders:all", "--reason", "x")

    assert 2 == result.exit_code
    assert "orders:all" in result.output
    assert "orders:write" in result.output
    assert ([], ()) == (site.emitted, client_file.clients(site.folder))


def test_keys_are_rotated_and_revoked(site: Site) -> None:
    """Each with its reason; the second ends what the first left."""
    old = site.run("add", "shop", "stock", "--reason", "x").output.strip()
    new = site.run("rotate", "shop", "--reason", "it leaked", "--overlap-hours", "0").output.strip()
    assert ["", "shop"] == [site.name_of(old), site.name_of(new)]

    result = site.run("revoke", "shop", "--reason", "closed")

    assert (0, "") == (result.exit_code, site.name_of(new))
    assert ["added", "rotated", "revoked"] == [each.change for each in site.emitted]
    assert "revoked" in site.run("ls").output


def test_a_client_that_is_none_is_named(site: Site) -> None:
    """And nothing is emitted."""
    for command in ("rotate", "revoke"):
        result = site.run(command, "shop", "--reason", "x")
        assert 1 == result.exit_code
        assert "shop" in result.output
    assert [] == site.emitted
