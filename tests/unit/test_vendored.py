"""What is checked in of others is what they published: nobody changed it here."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

VENDOR = Path(__file__).parents[2] / "web" / "vendor"
PACKAGES: list[dict[str, Any]] = msgspec.json.decode((VENDOR / "vendor.json").read_bytes())
FILES = [file for package in PACKAGES for file in package["files"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file["as"])
def test_a_file_is_the_one_that_was_published(file: dict[str, str]) -> None:
    """By its digest."""
    assert file["sha256"] == hashlib.sha256((VENDOR / file["as"]).read_bytes()).hexdigest()


def test_every_file_is_named_with_its_licence() -> None:
    """Nothing lies there that nobody answers for."""
    files = {file["as"] for file in FILES}

    assert files | {"vendor.json"} == {path.name for path in VENDOR.iterdir()}
    assert all(any("LICENSE" in file["from"] for file in each["files"]) for each in PACKAGES)
