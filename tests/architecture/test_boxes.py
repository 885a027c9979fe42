"""The folder listing is the architecture: few boxes, few arrows, and every box has a layer."""

import re
import tomllib
from typing import Any

from tests.support.source import PACKAGES, ROOT, imports, modules

BOXES_MAX, ARROWS_MAX = 25, 130
MODULES_BESIDE_FOLDERS_MAX = 5
OWN = (*PACKAGES, "bench")


def box_of(name: str) -> str:
    """Return the box of a module: of app/ its folder or module, else the package."""
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "app" else parts[0]


def boxes() -> set[str]:
    """Return every box, the docstring of app/ apart."""
    return {box_of(module.name) for module in modules(*OWN)} - {"app"}


def arrows() -> set[tuple[str, str]]:
    """Return which box imports from which other, inside functions and for types too."""
    known = boxes()
    pairs = {
        (box_of(module.name), box_of(name)) for module in modules(*OWN) for name in imports(module)
    }
    return {(user, used) for user, used in pairs if user != used and {user, used} <= known}


def contracts() -> list[dict[str, Any]]:
    """Return the contracts of import-linter."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["tool"]["importlinter"]["contracts"]


def test_there_are_few_boxes():
    """A reader holds them in mind at once."""
    assert len(boxes()) <= BOXES_MAX, sorted(boxes())


def test_few_boxes_import_each_other():
    """A new arrow is worth more than an old one: take one away first."""
    assert len(arrows()) <= ARROWS_MAX, sorted(arrows())


def test_arrows_are_seen():
    """The measure would be met by a test that sees nothing."""
    assert {("app.console", "app.operations"), ("app.registry", "agents")} <= arrows()


def test_few_modules_lie_beside_the_folders_of_app():
    """What has a subject has a folder."""
    beside = {path.stem for path in (ROOT / "app").glob("*.py")} - {"__init__"}

    assert len(beside) <= MODULES_BESIDE_FOLDERS_MAX, sorted(beside)


def test_every_box_has_a_layer():
    """A folder that the contract does not name could import whatever it likes."""
    [layers] = (each["layers"] for each in contracts() if each["type"] == "layers")
    named = {box_of(name.strip("() ")) for layer in layers for name in re.split("[|:]", layer)}

    assert boxes() - {"bench"} == named - {"app.entrypoints"} | (boxes() & {"app.entrypoints"})


def test_no_contract_has_an_exception():
    """An exception is a debt that nobody pays."""
    exceptions = [each["name"] for each in contracts() if "ignore_imports" in each]

    assert [] == exceptions


def test_the_contracts_about_libraries_leave_out_only_who_may_import_them():
    """What is not listed as a source is allowed: a new folder must be listed."""
    allowed = {
        ("faust", "mode"): {"app.composition", "app.main", "app.worker"},
        ("aiokafka",): {"app.kafka", "app.worker"},
    }
    left_out = {
        tuple(each["forbidden_modules"]): boxes() - {"bench"} - set(each["source_modules"])
        for each in contracts()
        if each["type"] == "forbidden" and each.get("allow_indirect_imports")
    }

    assert allowed == left_out
