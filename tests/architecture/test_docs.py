"""What the documents name exists: paths, links, and the functions of the walks."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.source import PACKAGES, ROOT

DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda path: path.as_posix()
)
FOLDERS = (*PACKAGES, "bench", "data", "deploy", "docs", "tests", "web")
PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`")
LINK = re.compile(r"\]\(([^)#\s]+)")
TO_WRITE = ("loyalty", "topup")
"""Services of the guides: their reader writes the files."""
ROW = re.compile(r"^\| \d+ \| (.+) \| (.+) \|$", re.MULTILINE)


def missing(document: Path) -> Iterator[str]:
    """Yield the paths and links of `document` that lead nowhere."""
    text = document.read_text(encoding="utf-8")
    for path in PATH.findall(text):
        if not (ROOT / path).exists() and not any(name in path for name in TO_WRITE):
            yield path
    for link in LINK.findall(text):
        if "://" not in link and not (document.parent / link).exists():
            yield link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_path_in_a_document_exists(document: Path) -> None:
    """A file that has moved takes its mentions with it."""
    assert [] == list(missing(document))


def test_each_function_and_message_of_a_walk_is_in_a_file_of_its_step() -> None:
    """A reader opens the file and finds the name there."""
    walks = (ROOT / "docs" / "walks.md").read_text(encoding="utf-8")
    absent = []
    for text, files in ROW.findall(walks):
        code = "".join((ROOT / path).read_text(encoding="utf-8") for path in PATH.findall(files))
        names = re.findall(r"`([a-z]+_\w+|[a-z]+\(\)|[A-Z]\w+)`", text)
        absent += [name for name in names if name.removesuffix("()") not in code]

    assert [] == absent
