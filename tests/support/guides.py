"""The files that the reader of a guide writes."""

import re
from pathlib import Path

from tests.support.source import ROOT

SERVICE = ROOT / "CONTRIBUTING.md"
WORKFLOW = ROOT / "docs" / "add-a-workflow.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
NAME = re.compile(r"`([\w/]+\.py)`")


def guided_files() -> dict[str, str]:
    """Return the text of each file of the guides by its path in the repository."""
    (service,) = BLOCK.findall(SERVICE.read_text(encoding="utf-8"))
    text_by_path = {"agents/loyalty.py": service}
    for step in WORKFLOW.read_text(encoding="utf-8").split("\n### ")[1:]:
        names = NAME.findall(step.partition("\n")[0])
        text_by_path |= dict(zip(names, BLOCK.findall(step), strict=True))
    return text_by_path


def write_extension(folder: Path) -> None:
    """Write the files into `folder` as an extension holds them."""
    for name, text in guided_files().items():
        file = folder / name.removeprefix("app/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
