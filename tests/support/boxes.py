"""Folders and their imports; draws docs/architecture.md: `python -m tests.support.boxes`.

A box is a folder or module of the top two levels, a layer a line of the import contract.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.support.source import PACKAGES, ROOT, imports, modules

ARCHITECTURE = ROOT / "docs" / "architecture.md"
OWN = (*PACKAGES, "bench")
Arrow = tuple[str, str]

_DRAWN = re.compile(r"(?<=<!-- drawn -->\n).*(?=<!-- end -->)", re.DOTALL)


def box_of(name: str) -> str:
    """Return the box of a module: of app/ its folder or module, else the package."""
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "app" else parts[0]


def boxes() -> set[str]:
    """Return every box, the docstring of app/ apart."""
    return {box_of(module.name) for module in modules(*OWN)} - {"app"}


def arrows() -> set[Arrow]:
    """Return which box imports from which other, inside functions and for types too."""
    own_boxes = boxes()
    pairs = {
        (box_of(module.name), box_of(name)) for module in modules(*OWN) for name in imports(module)
    }
    return {(user, used) for user, used in pairs if user != used and {user, used} <= own_boxes}


def contracts() -> list[dict[str, Any]]:
    """Return the contracts of import-linter."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["tool"]["importlinter"]["contracts"]


def layers() -> list[list[str]]:
    """Return the folders of each layer, top down."""
    [contract] = (each["layers"] for each in contracts() if each["type"] == "layers")
    return [[name.strip("() ") for name in re.split("[|:]", layer)] for layer in contract]


def layer_arrows() -> set[Arrow]:
    """Return which folder of a layer imports from which other; app/fraud/ has three of them."""
    folders = sorted((name for layer in layers() for name in layer), key=len, reverse=True)

    def folder_of(name: str) -> str:
        return next((each for each in folders if f"{name}.".startswith(f"{each}.")), "")

    pairs = {
        (folder_of(module.name), folder_of(name))
        for module in modules()
        for name in imports(module)
    }
    return {(user, used) for user, used in pairs if user != used and user and used}


def reduced(pairs: set[Arrow]) -> set[Arrow]:
    """Return the fewest arrows that reach all that `pairs` reach: those that no detour replaces."""

    def reached(start: str) -> set[str]:
        direct = {used for user, used in pairs if user == start}
        return direct.union(*(reached(used) for used in direct))

    return {
        (user, used)
        for user, used in pairs
        if not any(used in reached(other) for start, other in pairs if start == user)
    }


def draw() -> str:
    """Return the page: its text as it is written, its picture and its table drawn anew."""
    page = ARCHITECTURE.read_text(encoding="utf-8")
    drawing = "\n".join(["```mermaid", *_picture(), "```", "", *_rows(), ""])
    return _DRAWN.sub(lambda _: drawing, page)


def _picture() -> list[str]:
    order = [name for layer in layers() for name in layer]
    pairs = sorted(reduced(layer_arrows()), key=lambda pair: tuple(map(order.index, pair)))
    nodes = [f'    {_node(name)}["{_folder(name)}"]' for name in order]
    return ["flowchart TB", *nodes, *(f"    {_node(a)} --> {_node(b)}" for a, b in pairs)]


def _rows() -> list[str]:
    rows = ["| layer | folder | what it holds |", "| ---: | --- | --- |"]
    for number, layer in enumerate(layers(), 1):
        rows += [f"| {number} | `{_folder(name)}` | {_first_line(name)} |" for name in layer]
    return rows


def _node(name: str) -> str:
    return name.replace(".", "_")


def _folder(name: str) -> str:
    path = name.replace(".", "/")
    return f"{path}/" if (ROOT / path).is_dir() else f"{path}.py"


def _first_line(name: str) -> str:
    [module] = (each for each in modules() if each.name == name)
    text = re.match(r'"""(.*?)("""|\n)', module.text)
    assert text, f"{name} has no docstring"
    return text[1].strip()


def main(path: Path = ARCHITECTURE) -> int:
    """Write the page; return the exit code."""
    path.write_text(draw(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
