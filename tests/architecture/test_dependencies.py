"""Each dependency is in docs/dependencies.md, with what it is for, and no other is."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "dependencies.md"
NAME = re.compile(r"[A-Za-z0-9._-]+")


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    requirements = [
        *project["project"]["dependencies"],
        *(each for extra in project["project"]["optional-dependencies"].values() for each in extra),
        *project["dependency-groups"]["dev"],
    ]
    return {_name(each) for each in requirements}


def _name(requirement: str) -> str:
    match = NAME.match(requirement)
    assert match is not None, requirement
    return match.group()


def _explained() -> set[str]:
    packages = PAGE.read_text().partition("## Written by hand")[0]
    rows = [line for line in packages.splitlines() if line.startswith("| ")]
    first = {line.split("|")[1].strip() for line in rows}
    return first - {"package", "---"}


def test_the_page_has_every_dependency_and_no_other() -> None:
    """One that is added says what it is for; one that is dropped leaves the page."""
    assert _declared() == _explained()


def test_the_places_named_on_the_page_exist() -> None:
    """What is written by hand is where the page says."""
    places = re.findall(r"`((?:app|workflows|tests)/[\w/.]*)`", PAGE.read_text())
    assert len(places) > 20
    assert [] == [place for place in places if not (ROOT / place).exists()]
