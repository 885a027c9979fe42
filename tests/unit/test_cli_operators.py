"""`payflow operators`: a token is shown once; who was let in, by whom and why, is told."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from app.auth import operators as people
from app.cli import operators as cli_operators
from app.cli.main import app
from app.config import Config


class Site:
    """A data folder with its first operator, and what was told on `audit`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[Any] = []
        people.note(folder, people.FIRST, people.first_start(folder))

    def run(self, *words: str) -> Result:
        """Run `payflow operators` with `words`."""
        return CliRunner().invoke(app, ["operators", *words])

    def roles(self) -> dict[str, str]:
        """Return everybody's role."""
        return {person.name: person.role for person in people.people(self.folder)}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site without a broker."""
    found = Site(tmp_path)

    async def tell(_config: Config, words: list[Any], _at_ms: int) -> None:
        found.told.extend(words)

    monkeypatch.setattr(cli_operators, "house", lambda: Config(data_dir=str(tmp_path)))
    monkeypatch.setattr(cli_operators, "tell", tell)
    return found


def test_somebody_added_can_sign_in_with_what_is_shown(site: Site):
    """The token is nowhere else, and why they were let in is told."""
    result = site.run("add", "oda", "operator", "--reason", "on call")
    name, token = result.output.strip().split(":")
    (told,) = site.told

    assert 0 == result.exit_code
    assert "oda" == name
    assert people.is_theirs({p.name: p for p in people.people(site.folder)}["oda"], token)
    assert token not in (site.folder / people.FILE).read_text()
    assert ("operator:oda", "added", "operator", "on call") == (
        told.about,
        told.change,
        told.role,
        told.why,
    )


def test_another_token_ends_the_old_one(site: Site):
    """And that is told."""
    old = site.run("add", "oda", "viewer", "--reason", "new").output.strip().split(":")[1]
    new = site.run("token", "oda", "--reason", "lost").output.strip().split(":")[1]
    oda = {person.name: person for person in people.people(site.folder)}["oda"]

    assert people.is_theirs(oda, new)
    assert not people.is_theirs(oda, old)
    assert ["added", "token_renewed"] == [each.change for each in site.told]


def test_somebody_removed_is_there_no_more(site: Site):
    """The list says who is left."""
    site.run("add", "oda", "viewer", "--reason", "new")
    removed = site.run("remove", "oda", "--reason", "left")
    listed = site.run("ls", "--json")

    assert 0 == removed.exit_code
    assert [{"name": "admin", "role": "approver"}] == msgspec.json.decode(listed.output)
    assert "removed" == site.told[-1].change


@pytest.mark.parametrize(
    ("words", "said", "exit_code"),
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
    site: Site, words: list[str], said: str, exit_code: int
):
    """One line that names it; nothing is told."""
    result = site.run(*words)

    assert exit_code == result.exit_code
    assert said in result.output
    assert {"admin": "approver"} == site.roles()
    assert [] == site.told


def test_where_the_first_token_lies_is_said_until_it_is_used(site: Site):
    """`payflow up` says it."""
    before = people.first_steps(site.folder)
    people.forget_note(site.folder)

    assert str(site.folder / people.NOTE) in before
    assert "" == people.first_steps(site.folder)
