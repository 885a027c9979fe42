"""The wiring: everything that knows Kafka, HTTP, the clock and the environment."""

from importlib import import_module

from app.config import extension_folders

# Here, since every process of Payflow imports this package before it looks for what is declared.
for _folder in reversed(extension_folders()):
    for _package in ("workflows", "tables", "agents", "app.entrypoints"):
        import_module(_package).__path__.insert(0, str(_folder / _package.rpartition(".")[2]))
