"""The wiring: everything that knows Kafka, HTTP, the clock and the environment."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from app.config import ConfigError, extension_folders

VARIABLE = "PAYFLOW_EXTENSIONS"


def check_extension(folder: Path, added: Path, joined: Sequence[str]) -> None:
    """Raise ConfigError unless the modules of `added`, a package of `folder`, are all new.

    A module of an earlier path shadows the same name in all of `joined`: it would replace it.
    """
    if not folder.is_dir():
        raise ConfigError(f"{VARIABLE}: there is no folder {folder}")
    for path in sorted((*added.glob("*.py"), *added.glob("*/__init__.py"))):
        name = path.parent.name if path.parent != added else path.stem
        paths = [Path(one, place) for one in joined for place in (name, f"{name}.py")]
        other = next((each for each in paths if each.exists()), None)
        if other is not None and path != added / "__init__.py":
            raise ConfigError(
                f"{VARIABLE}: {added / name} has the name of {other}, and would "
                "replace it. Operator: give it another name."
            )


def _join_extensions() -> None:
    for folder in reversed(extension_folders()):
        for package in ("workflows", "tables", "agents", "app.entrypoints"):
            path = import_module(package).__path__
            added = folder / package.rpartition(".")[2]
            check_extension(folder, added, path)
            path.insert(0, str(added))


# Here, since every process of Payflow imports this package before it loads any declarations.
try:
    _join_extensions()
except ConfigError as _error:
    sys.exit(f"payflow: {_error}")
