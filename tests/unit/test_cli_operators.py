"""`payflow operators`: a token is shown once; who was let in, by whom and why, is emitted."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from app.auth import operators as operator_file
from app.cli import operators
from app.cli.main import app
from app.config import Config


class Site:
    """A data folder with its first operator, and what was emitted on `audit`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.emitted: list[Any] = []
        operator_file.note(folder, operator_file.FIRST, operator_file.first_start(folder))

    def run(self, *arguments: str) -> Result:
        """Run `payflow operators` with `arguments`."""
        return CliRunner().invoke(app, ["operators", *arguments])

    def roles(self) -> dict[str, str]:
        """Return everybody's role."""
        return {person.name: person.role for person in operator_file.people(self.folder)}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site without a broker."""
    site = Site(tmp_path)

    async def publish(_config: Config, messages: list[Any], _at_ms: int) -> None:
        site.emitted.extend(messages)

    monkeypatch.setattr(operators, "running_instance", lambda: Config(data_dir=str(tmp_path)))
    monkeypatch.setattr(operators, "publish", publish)
    return site


def test_somebody_added_can_sign_in_with_what_is_shown(site: Site):
    """The token is nowhere else, and why they were let in is emitted."""
    result = site.run("add", "oda", "operator", "--reason", "on call")
    name, token = result.output.strip().split(":")
    (emitted,) = site.emitted

    assert 0 == result.exit_code
    assert "oda" == name
    assert operator_file.is_theirs(
        {p.name: p for p in operator_file.people(site.folder)}["oda"], token
    )
    assert token not in (site.folder / operator_file.FILE).read_text()
    assert ("operator:oda", "added", "operator", "on call") == (
        emitted.about,
        emitted.change,
        emitted.role,
        emitted.why,
    )


def test_another_token_ends_the_old_one(site: Site):
    """And that is emitted."""
    old = site.run("add", "oda", "viewer", "--reason", "new").output.strip().split(":")[1]
    new = site.run("token", "oda", "--reason", "lost").output.strip().split(":")[1]
    oda = {person.name: person for person in operator_file.people(site.folder)}["oda"]

    assert operator_file.is_theirs(oda, new)
    assert not operator_file.is_theirs(oda, old)
    assert ["added", "token_renewed"] == [each.change for each in site.emitted]


def test_somebody_removed_is_there_no_more(site: Site):
    """The list says who is left."""
    site.run("add", "oda", "viewer", "--reason", "new")
    removed = site.run("remove", "oda", "--reason", "left")
    listed = site.run("ls", "--json")

    assert 0 == removed.exit_code
    assert [{"name": "admin", "role": "approver"}] == msgspec.json.decode(listed.output)
    assert "removed" == site.emitted[-1].change


@pytest.mark.parametrize(
    ("messages", "phrase", "exit_code"),
    [
        pytest.param(["add", "oda", "king", "--reason", "x"], "no such role: king", 2, id="role"),
        pytest.param(["add", "admin", "viewer", "--reason", "x"], "admin already", 1, id="taken"),
        pytest.param(["add", "a:b", "viewer", "--reason", "x"], "'a:b'", 1, id="a colon"),
        pytest.param(["add", "oda", "viewer"], "--reason", 2, id="no reason"),
        pytest.param(["remove", "admin", "--reason", "x"], "the last approver", 1, id="last"),
        pytest.param(["remove", "oda", "--reason", "x"], "there is no oda", 1, id="nobody"),
        pytest.param(["token", "oda", "--reason", "x"], "there is no oda", 1, id="no token"),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(
    site: Site, messages: list[str], phrase: str, exit_code: int
):
    """One line that names it; nothing is emitted."""
    result = site.run(*messages)

    assert exit_code == result.exit_code
    assert phrase in result.output
    assert {"admin": "approver"} == site.roles()
    assert [] == site.emitted


def test_where_the_first_token_lies_is_said_until_it_is_used(site: Site):
    """`payflow up` says it."""
    before = operator_file.first_steps(site.folder)
    operator_file.forget_note(site.folder)

    assert str(site.folder / operator_file.NOTE) in before
    assert "" == operator_file.first_steps(site.folder)
