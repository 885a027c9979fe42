"""The wiring: everything that knows Kafka, HTTP, the clock and the environment."""

import sys
from importlib import import_module

from app.config import ConfigError, check_extension, extension_folders


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
